//! The edge's configuration: the `[vars]` of `wrangler.toml`, and the secret.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::balance::policy::{Policy, Route, longest};
use crate::balance::sticky::{SECRET_BYTES_MIN, Signer};
use crate::cache::key::TrackingParameters;
use crate::cache::privacy::PrivateNames;
use crate::cache::request::ClientCacheControl;
use crate::cache::target::Target;
use crate::client_address::ClientAddressField;
use crate::control::view::Limits;
use crate::fields::is_token;

/// The variables as they were found; each list is written as JSON.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// `ORIGINS`: `[{"id":…,"url":…}]`, at least one.
    pub origins: Option<String>,
    /// `BALANCE`: `[{"path":…,"policy":…}]`, how origins are chosen for paths that begin so.
    pub balance: Option<String>,
    /// `ORIGIN_PATHS`: path prefixes that go to the origins beside a site.
    pub origin_paths: Option<String>,
    /// `CLIENT_ADDRESS_FIELD`: the request field in which the platform tells the client's address.
    pub client_address_field: Option<String>,
    /// `PRIVATE_COOKIES`: names of cookies that make a request one person's, or how they begin.
    pub private_cookies: Option<String>,
    /// `PRIVATE_FIELDS`: names of request fields that do the same.
    pub private_fields: Option<String>,
    /// `CLIENT_CACHE_CONTROL`: `obey` or `ignore`.
    pub client_cache_control: Option<String>,
    /// `TRACKING_PARAMETERS`: names of query parameters that make no difference.
    pub tracking_parameters: Option<String>,
    /// `ORIGIN_DEADLINE_MS`: time after which another origin is asked instead.
    pub origin_deadline_ms: Option<String>,
    /// `CONTROL_MAX_AGE_MS`: age up to which an isolate's view of the control log is used.
    pub control_max_age_ms: Option<String>,
    /// `CONTROL_GRACE_MS`: the same while the log is out of reach.
    pub control_grace_ms: Option<String>,
    /// `STICKY_SECRET`, which signs the cookies of the policy `sticky`.
    pub sticky_secret: Option<String>,
    /// `PURGE_TOKEN`, a secret.
    pub purge_token: Option<String>,
}

/// `ORIGIN_DEADLINE_MS` where it isn't set: longer than what a person waits for, and short enough
/// for two further origins to be asked within [`RESPONSE_DEADLINE`].
const ORIGIN_DEADLINE_MS: u64 = 10_000;
/// Least value of it: with less, answers of healthy origins from another continent would be lost.
const ORIGIN_DEADLINE_MS_MIN: u64 = 100;
/// Longest wait for the head of an answer, from however many origins. It is generous: it is
/// there for origins that hang, not for slow reports. A body may take as long as it likes.
pub const RESPONSE_DEADLINE: Duration = Duration::from_secs(30);
/// What a request's body that is handed on as it comes may take on top: its bytes at the least
/// rate of a telephone's connection, and no more than an origin of ours waits for any.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
const UPLOAD_MAX: Duration = Duration::from_mins(10);
/// The same of one that doesn't say how long it is.
const UPLOAD_OF_UNKNOWN_LENGTH: Duration = Duration::from_mins(1);

/// Longest wait for the head of an answer to a request whose body is handed on as it comes.
pub fn upload_deadline(content_length: Option<u64>) -> Duration {
    let at_least = |bytes: u64| Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND_MIN);
    RESPONSE_DEADLINE + content_length.map_or(UPLOAD_OF_UNKNOWN_LENGTH, at_least).min(UPLOAD_MAX)
}

/// `CONTROL_MAX_AGE_MS` where it isn't set: what a purge takes at most to be seen
/// everywhere; an isolate asks the control log twice in that time at most.
const CONTROL_MAX_AGE_MS: u64 = 1_000;
/// `CONTROL_GRACE_MS` where it isn't set.
const CONTROL_GRACE_MS: u64 = 5_000;
/// Greatest value of either: a day.
const CONTROL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Variables that were understood.
#[derive(Debug)]
pub struct Config {
    /// At least one, with unique ids.
    pub origins: Vec<Origin>,
    /// How one of them is chosen; every path has a route.
    pub balance: Vec<Route>,
    /// Each begins with `/`.
    pub origin_paths: Vec<String>,
    /// Where the client's address is read from.
    pub client_address_field: ClientAddressField,
    /// What makes a request one person's.
    pub private: PrivateNames,
    /// Whether clients' directives are obeyed.
    pub client_cache_control: ClientCacheControl,
    /// See [`TrackingParameters`].
    pub tracking_parameters: TrackingParameters,
    /// How long an origin is waited for where another one may be asked.
    pub origin_deadline: Duration,
    /// How long a view of the control log may be used.
    pub control: Limits,
    /// Signs the cookies of the policy `sticky`; there where a route has it.
    pub signer: Option<Signer>,
    /// Opens `/_tidewall/*`, which doesn't exist without it.
    pub purge_token: Option<Secret>,
}

/// A server behind the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Its name in `Tidewall-Origin`, logs and the status.
    pub id: String,
    /// Scheme and authority, without a path or a slash at the end.
    pub url: String,
    /// How much it takes beside the others, where the policy asks for that.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

impl Origin {
    /// One like all others.
    pub fn new(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self { id: id.into(), url: url.into(), weight: one() }
    }
}

/// Greatest weight of an origin.
const WEIGHT_MAX: u32 = 1_000;

/// A value that must not be printed.
pub struct Secret(String);

impl Secret {
    /// The value.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is wrong with the variables, and which one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A required variable isn't there.
    #[error("{0} is missing: set it in [vars] of wrangler.toml")]
    Missing(&'static str),
    /// A variable isn't the JSON it should be.
    #[error("{name} can't be read as {expected}: {error}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// Where reading failed.
        error: String,
    },
    /// A value that can be read, but not used.
    #[error("{field} {problem}")]
    Invalid {
        /// The value's place, such as `ORIGINS[1].url`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Config {
    /// Checks the variables.
    pub fn parse(vars: &Vars) -> Result<Self, ConfigError> {
        let balance = balance(vars.balance.as_deref())?;
        Ok(Self {
            origins: origins(vars.origins.as_deref())?,
            signer: signer(&balance, vars.sticky_secret.as_deref())?,
            balance,
            origin_paths: origin_paths(vars.origin_paths.as_deref())?,
            client_address_field: client_address_field(vars.client_address_field.as_deref())?,
            private: PrivateNames {
                fields: field_names("PRIVATE_FIELDS", vars.private_fields.as_deref())?,
                cookies: names("PRIVATE_COOKIES", vars.private_cookies.as_deref())?,
            },
            client_cache_control: client_cache_control(vars.client_cache_control.as_deref())?,
            tracking_parameters: TrackingParameters::new(names(
                "TRACKING_PARAMETERS",
                vars.tracking_parameters.as_deref(),
            )?),
            origin_deadline: origin_deadline(vars.origin_deadline_ms.as_deref())?,
            control: control_limits(vars)?,
            purge_token: purge_token(vars.purge_token.as_deref())?,
        })
    }
}

impl Config {
    /// What signs the cookies of browsers that stick to an origin at `path`, if they do.
    pub fn signer_at(&self, path: &str) -> Option<&Signer> {
        let route = longest(self.balance.iter().map(|route| &*route.path), path)?;
        self.signer.as_ref().filter(|_| self.balance[route].policy == Policy::Sticky)
    }
}

fn signer(routes: &[Route], secret: Option<&str>) -> Result<Option<Signer>, ConfigError> {
    let Some(route) = routes.iter().find(|route| route.policy == Policy::Sticky) else { return Ok(None) };
    match Signer::new(secret.unwrap_or_default()) {
        Some(signer) => Ok(Some(signer)),
        None => invalid(
            "STICKY_SECRET",
            format!(
                "is missing or shorter than {SECRET_BYTES_MIN} bytes, and BALANCE has the policy `sticky` for `{}`: set one with `wrangler secret put STICKY_SECRET`",
                route.path
            ),
        ),
    }
}

fn purge_token(token: Option<&str>) -> Result<Option<Secret>, ConfigError> {
    match token.filter(|token| !token.is_empty()) {
        Some(token) if token.len() < SECRET_BYTES_MIN => invalid(
            "PURGE_TOKEN",
            format!(
                "is shorter than {SECRET_BYTES_MIN} bytes, which could be found out by trying: set another with `wrangler secret put PURGE_TOKEN`"
            ),
        ),
        token => Ok(token.map(|token| Secret(token.to_owned()))),
    }
}

fn origin_deadline(json: Option<&str>) -> Result<Duration, ConfigError> {
    let name = "ORIGIN_DEADLINE_MS";
    let deadline = milliseconds(name, json, ORIGIN_DEADLINE_MS)?;
    let (least, most) = (Duration::from_millis(ORIGIN_DEADLINE_MS_MIN), RESPONSE_DEADLINE);
    if !(least..=most).contains(&deadline) {
        let (is, least, most) = (deadline.as_millis(), least.as_millis(), most.as_millis());
        return invalid(name, format!("is {is}: write {least} to {most}"));
    }
    Ok(deadline)
}

fn control_limits(vars: &Vars) -> Result<Limits, ConfigError> {
    let max_age = milliseconds("CONTROL_MAX_AGE_MS", vars.control_max_age_ms.as_deref(), CONTROL_MAX_AGE_MS)?;
    let grace = milliseconds("CONTROL_GRACE_MS", vars.control_grace_ms.as_deref(), CONTROL_GRACE_MS)?;
    if grace < max_age {
        return invalid("CONTROL_GRACE_MS", "is less than CONTROL_MAX_AGE_MS: make it at least as much");
    }
    Ok(Limits { max_age, grace })
}

fn milliseconds(name: &'static str, json: Option<&str>, otherwise: u64) -> Result<Duration, ConfigError> {
    let value = json.map_or(Ok(otherwise), |json| read(name, "a number of milliseconds", json))?;
    if value > CONTROL_MS_MAX {
        return invalid(name, format!("is {value}: a day, {CONTROL_MS_MAX}, is the most"));
    }
    Ok(Duration::from_millis(value))
}

/// Reads `ORIGINS`.
pub fn origins(json: Option<&str>) -> Result<Vec<Origin>, ConfigError> {
    let json = json.ok_or(ConfigError::Missing("ORIGINS"))?;
    let mut origins: Vec<Origin> = read("ORIGINS", r#"a JSON array of {"id", "url"}"#, json)?;
    if origins.is_empty() {
        return invalid("ORIGINS", "is empty: name at least one origin");
    }
    for index in 0..origins.len() {
        let field = |name| format!("ORIGINS[{index}].{name}");
        let Origin { id, url, weight } = &origins[index];
        // It is sent in a header field, so it must be a token (RFC 9110, section 5.6.2).
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            return invalid(field("id"), format!("is `{id}`: use letters, digits and -._~"));
        }
        if origins[..index].iter().any(|earlier| earlier.id == *id) {
            return invalid(field("id"), format!("is `{id}`, which another origin has already"));
        }
        if !(1..=WEIGHT_MAX).contains(weight) {
            return invalid(field("weight"), format!("is {weight}: write 1 to {WEIGHT_MAX}"));
        }
        match base(url) {
            Ok(base) => origins[index].url = base,
            Err(problem) => return invalid(field("url"), format!("is `{url}`: {problem}")),
        }
    }
    Ok(origins)
}

/// A route as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    path: String,
    policy: String,
}

fn balance(json: Option<&str>) -> Result<Vec<Route>, ConfigError> {
    let written: Vec<WrittenRoute> = match json {
        Some(json) => read("BALANCE", r#"a JSON array of {"path", "policy"}"#, json)?,
        None => Vec::new(),
    };
    let mut routes: Vec<Route> = Vec::with_capacity(written.len() + 1);
    for (index, WrittenRoute { path, policy }) in written.into_iter().enumerate() {
        let field = |name| format!("BALANCE[{index}].{name}");
        if !path.starts_with('/') {
            return invalid(field("path"), format!("is `{path}`: it must begin with /"));
        }
        if routes.iter().any(|earlier| earlier.path == path) {
            return invalid(field("path"), format!("is `{path}`, which another route has already"));
        }
        let Some(policy) = Policy::named(&policy) else {
            return invalid(field("policy"), format!("is `{policy}`: write one of {}", Policy::names()));
        };
        routes.push(Route { path, policy });
    }
    if !routes.iter().any(|route| route.path == "/") {
        routes.push(Route { path: "/".to_owned(), policy: Policy::RoundRobin });
    }
    Ok(routes)
}

/// Scheme and authority of an origin's URL.
fn base(url: &str) -> Result<String, &'static str> {
    let with_path = if url.matches('/').count() == 2 { format!("{url}/") } else { url.to_owned() };
    match Target::parse(&with_path) {
        None => Err("write it as http://host:port or https://host"),
        Some(target) if !matches!(target.scheme, "http" | "https") => Err("the scheme must be http or https"),
        Some(target) if target.host.is_empty() => Err("it has no host"),
        Some(target) if target.host.contains('@') => Err("it must not hold a user name or password"),
        // A query may stand right behind the host; a backslash is a slash to the runtime.
        Some(target) if target.path != "/" || target.query.is_some() || url.contains(['#', '?', '\\']) => {
            Err("it must end after the host, for requests keep their own path")
        }
        Some(target) => Ok(format!("{}://{}", target.scheme, target.host)),
    }
}

fn origin_paths(json: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let paths = names("ORIGIN_PATHS", json)?;
    match paths.iter().position(|path| !path.starts_with('/')) {
        Some(index) => invalid(format!("ORIGIN_PATHS[{index}]"), "must begin with /"),
        None => Ok(paths),
    }
}

fn client_address_field(name: Option<&str>) -> Result<ClientAddressField, ConfigError> {
    let name = name.unwrap_or_default();
    match ClientAddressField::named(name) {
        Some(field) => Ok(field),
        None => invalid(
            "CLIENT_ADDRESS_FIELD",
            format!(
                "is `{name}`, which no field can be named: write one such as CF-Connecting-IP, or nothing"
            ),
        ),
    }
}

fn client_cache_control(word: Option<&str>) -> Result<ClientCacheControl, ConfigError> {
    match word {
        None | Some("obey") => Ok(ClientCacheControl::Obey),
        Some("ignore") => Ok(ClientCacheControl::Ignore),
        Some(word) => invalid("CLIENT_CACHE_CONTROL", format!("is `{word}`: write `obey` or `ignore`")),
    }
}

/// Names of fields, in lower case.
fn field_names(name: &'static str, json: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let mut fields = names(name, json)?;
    if let Some(index) = fields.iter().position(|field| !is_token(field)) {
        return invalid(
            format!("{name}[{index}]"),
            format!("is `{}`, which no field can be named", fields[index]),
        );
    }
    fields.iter_mut().for_each(|field| field.make_ascii_lowercase());
    Ok(fields)
}

fn names(name: &'static str, json: Option<&str>) -> Result<Vec<String>, ConfigError> {
    let names: Vec<String> = match json {
        Some(json) => read(name, "a JSON array of strings", json)?,
        None => Vec::new(),
    };
    match names.iter().position(|name| name.is_empty()) {
        Some(index) => invalid(format!("{name}[{index}]"), "is empty"),
        None => Ok(names),
    }
}

fn read<T: DeserializeOwned>(
    name: &'static str,
    expected: &'static str,
    json: &str,
) -> Result<T, ConfigError> {
    serde_json::from_str(json).map_err(|error| ConfigError::Malformed {
        name,
        expected,
        error: error.to_string(),
    })
}

fn invalid<T>(field: impl Into<String>, problem: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid { field: field.into(), problem: problem.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_origins(json: &str) -> Vars {
        Vars { origins: Some(json.to_owned()), ..Vars::default() }
    }

    fn refused(vars: &Vars, expected: &str) {
        assert_eq!(Config::parse(vars).unwrap_err().to_string(), expected);
    }

    #[test]
    fn origins_alone_are_a_configuration() {
        let vars = with_origins(
            r#"[{"id":"a","url":"http://127.0.0.1:8081/"},{"id":"b","url":"https://b.example"}]"#,
        );
        let config = Config::parse(&vars).unwrap();
        let origins: Vec<_> = config.origins.iter().map(|o| (o.id.as_str(), o.url.as_str())).collect();
        assert_eq!(origins, [("a", "http://127.0.0.1:8081"), ("b", "https://b.example")]);
        assert!(config.origin_paths.is_empty() && config.purge_token.is_none());
        assert_eq!(config.origin_deadline, Duration::from_secs(10));
    }

    #[test]
    fn a_message_names_the_field_that_is_wrong() {
        refused(&Vars::default(), "ORIGINS is missing: set it in [vars] of wrangler.toml");
        refused(&with_origins("[]"), "ORIGINS is empty: name at least one origin");
        refused(
            &with_origins("{}"),
            "ORIGINS can't be read as a JSON array of {\"id\", \"url\"}: invalid type: map, expected a sequence at line 1 column 0",
        );
        refused(
            &with_origins(r#"[{"id":"a b","url":"http://a"}]"#),
            "ORIGINS[0].id is `a b`: use letters, digits and -._~",
        );
        refused(
            &with_origins(r#"[{"id":"a","url":"http://a"},{"id":"a","url":"http://b"}]"#),
            "ORIGINS[1].id is `a`, which another origin has already",
        );
        refused(
            &with_origins(r#"[{"id":"a","url":"http://a","weight":0}]"#),
            "ORIGINS[0].weight is 0: write 1 to 1000",
        );
        let balance = |json: &str| Vars { balance: Some(json.to_owned()), ..with_origins(ONE) };
        refused(
            &balance(r#"[{"path":"/","policy":"round-robin"},{"path":"/api/","policy":"random"}]"#),
            "BALANCE[1].policy is `random`: write one of round-robin, weighted, least-connections, ip-hash, sticky",
        );
        refused(
            &balance(r#"[{"path":"api","policy":"ip-hash"}]"#),
            "BALANCE[0].path is `api`: it must begin with /",
        );
        refused(
            &balance(r#"[{"path":"/","policy":"ip-hash"},{"path":"/","policy":"weighted"}]"#),
            "BALANCE[1].path is `/`, which another route has already",
        );
        let sticky = r#"[{"path":"/app/","policy":"sticky"}]"#;
        for sticky_secret in [None, Some("too short".to_owned())] {
            refused(
                &Vars { sticky_secret, ..balance(sticky) },
                "STICKY_SECRET is missing or shorter than 16 bytes, and BALANCE has the policy `sticky` for `/app/`: set one with `wrangler secret put STICKY_SECRET`",
            );
        }
        let vars = Vars { origin_paths: Some(r#"["/api/","x"]"#.into()), ..with_origins(ONE) };
        refused(&vars, "ORIGIN_PATHS[1] must begin with /");
        let vars = Vars { private_cookies: Some(r#"[""]"#.into()), ..with_origins(ONE) };
        refused(&vars, "PRIVATE_COOKIES[0] is empty");
        let vars = Vars { private_fields: Some(r#"["x-a","x b"]"#.into()), ..with_origins(ONE) };
        refused(&vars, "PRIVATE_FIELDS[1] is `x b`, which no field can be named");
        for (ms, problem) in [
            ("99", "ORIGIN_DEADLINE_MS is 99: write 100 to 30000"),
            ("30001", "ORIGIN_DEADLINE_MS is 30001: write 100 to 30000"),
            (
                "10s",
                "ORIGIN_DEADLINE_MS can't be read as a number of milliseconds: trailing characters at line 1 column 3",
            ),
        ] {
            refused(&Vars { origin_deadline_ms: Some(ms.to_owned()), ..with_origins(ONE) }, problem);
        }
        let vars = Vars { client_address_field: Some("X Real IP".into()), ..with_origins(ONE) };
        refused(
            &vars,
            "CLIENT_ADDRESS_FIELD is `X Real IP`, which no field can be named: write one such as CF-Connecting-IP, or nothing",
        );
        let vars = Vars { client_cache_control: Some("Ignore".into()), ..with_origins(ONE) };
        refused(&vars, "CLIENT_CACHE_CONTROL is `Ignore`: write `obey` or `ignore`");
    }

    #[test]
    fn origins_take_turns_unless_a_route_says_otherwise() {
        let check = |json: Option<&str>, expected: &[(&str, Policy)]| {
            let vars = Vars { balance: json.map(str::to_owned), ..with_origins(ONE) };
            let routes = Config::parse(&vars).unwrap().balance;
            let routes: Vec<_> = routes.iter().map(|route| (&*route.path, route.policy)).collect();
            assert_eq!(routes, expected);
        };
        check(None, &[("/", Policy::RoundRobin)]);
        check(
            Some(r#"[{"path":"/api/","policy":"least-connections"}]"#),
            &[("/api/", Policy::LeastConnections), ("/", Policy::RoundRobin)],
        );
        check(Some(r#"[{"path":"/","policy":"ip-hash"}]"#), &[("/", Policy::IpHash)]);
    }

    #[test]
    fn browsers_stick_to_an_origin_where_the_route_of_the_path_says_so() {
        let vars = Vars {
            balance: Some(
                r#"[{"path":"/app/","policy":"sticky"},{"path":"/app/x","policy":"weighted"}]"#.into(),
            ),
            sticky_secret: Some("a secret of the test alone".into()),
            ..with_origins(ONE)
        };
        let config = Config::parse(&vars).unwrap();
        assert!(config.signer_at("/app/").is_some());
        assert!(config.signer_at("/app/x").is_none() && config.signer_at("/").is_none());
        assert!(Config::parse(&with_origins(ONE)).unwrap().signer.is_none(), "no secret is needed otherwise");
    }

    #[test]
    fn clients_are_obeyed_unless_they_are_to_be_ignored() {
        let check = |word: Option<&str>, expected| {
            let vars = Vars { client_cache_control: word.map(str::to_owned), ..with_origins(ONE) };
            assert_eq!(Config::parse(&vars).unwrap().client_cache_control, expected, "{word:?}");
        };
        check(None, ClientCacheControl::Obey);
        check(Some("obey"), ClientCacheControl::Obey);
        check(Some("ignore"), ClientCacheControl::Ignore);
    }

    #[test]
    fn fields_are_private_in_any_case_and_cookies_in_theirs() {
        let vars = Vars {
            private_fields: Some(r#"["X-Api-Key"]"#.into()),
            private_cookies: Some(r#"["Session"]"#.into()),
            ..with_origins(ONE)
        };
        let private = Config::parse(&vars).unwrap().private;
        assert_eq!((private.fields, private.cookies), (vec!["x-api-key".into()], vec!["Session".into()]));
        assert_eq!(Config::parse(&with_origins(ONE)).unwrap().private, PrivateNames::default());
    }

    #[test]
    fn an_origins_url_is_a_scheme_and_a_host() {
        let check = |url: &str, problem: &str| {
            let vars = with_origins(&format!(r#"[{{"id":"a","url":"{url}"}}]"#));
            refused(&vars, &format!("ORIGINS[0].url is `{url}`: {problem}"));
        };
        check("", "write it as http://host:port or https://host");
        check("127.0.0.1:8081", "write it as http://host:port or https://host");
        check("ftp://a/", "the scheme must be http or https");
        check("http:///", "it has no host");
        check("http://u:p@a/", "it must not hold a user name or password");
        check("http://a/base", "it must end after the host, for requests keep their own path");
        check("http://a/?q", "it must end after the host, for requests keep their own path");
        check("http://a/#f", "it must end after the host, for requests keep their own path");
    }

    #[test]
    fn an_upload_has_the_time_that_a_slow_connection_takes_for_it() {
        let check = |length, seconds| assert_eq!(upload_deadline(length).as_secs(), seconds, "{length:?}");
        check(Some(0), 30);
        check(Some(5 * 1024 * 1024), 30 + 320);
        check(Some(u64::MAX), 630);
        check(None, 90);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let vars = Vars { purge_token: Some("hush, hush, hush".into()), ..with_origins(ONE) };
        let config = Config::parse(&vars).unwrap();
        assert!(config.purge_token.is_some() && !format!("{config:?}").contains("hush"));
        let vars = Vars { purge_token: Some(String::new()), ..with_origins(ONE) };
        assert!(Config::parse(&vars).unwrap().purge_token.is_none());
    }

    #[test]
    fn a_purge_token_that_could_be_guessed_is_refused() {
        let vars = Vars { purge_token: Some("guess".into()), ..with_origins(ONE) };
        let refused = Config::parse(&vars).unwrap_err().to_string();
        assert!(refused.contains("PURGE_TOKEN") && !refused.contains("guess"), "{refused}");
    }

    const ONE: &str = r#"[{"id":"a","url":"http://a"}]"#;

    proptest! {
        #[test]
        fn no_variable_whatever_makes_reading_panic(
            text in "(\\[|\\]|\\{|\\}|:|,|-| |é|[0-9]{1,22}|\"(id|url|weight|path|policy|a|http://a|/)\"){0,16}",
        ) {
            let some = || Some(text.clone());
            let alone = |vars: Vars| Vars { origins: vars.origins.or(Some(ONE.to_owned())), ..vars };
            for vars in [
                Vars { origins: some(), ..Vars::default() },
                Vars { balance: some(), sticky_secret: some(), ..Vars::default() },
                Vars { origin_paths: some(), client_address_field: some(), ..Vars::default() },
                Vars { private_cookies: some(), ..Vars::default() },
                Vars { private_fields: some(), ..Vars::default() },
                Vars { tracking_parameters: some(), client_cache_control: some(), ..Vars::default() },
                Vars { origin_deadline_ms: some(), ..Vars::default() },
                Vars { control_max_age_ms: some(), control_grace_ms: some(), ..Vars::default() },
            ] {
                let _ = Config::parse(&alone(vars));
            }
        }

        #[test]
        fn whatever_an_origins_url_is_it_ends_after_the_host(
            url in "(https?:)?(//)?(a|@|:80|/|\\?|#|%|\\\\| |é){0,6}/?",
        ) {
            if let Ok(base) = base(&url) {
                let (scheme, host) = base.split_once("://").unwrap();
                prop_assert!(matches!(scheme, "http" | "https") && !host.is_empty(), "{base}");
                prop_assert!(!host.contains(['/', '\\', '?', '#', '@']), "{base}");
            }
        }
    }
}
