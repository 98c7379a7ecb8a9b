//! Exchanges drawn at random, through the real edge: whatever users send, and whatever the origin
//! says of its answers, nobody is ever handed what is another's.

use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{TestCaseError, TestRunner};
use sha2::{Digest, Sha256};

use crate::raw;
use crate::scripted::Asked;
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[(
    "safety::exchanges::two_users_with_random_fields_never_see_each_others_bytes",
    two_users_with_random_fields_never_see_each_others_bytes,
)];

/// Fewer than properties of pure functions have: each case is a few dozen exchanges.
const CASES_DIVISOR: u32 = 10;

/// How an origin answers at one path.
#[derive(Clone, Debug)]
struct Policy {
    status: &'static str,
    cache_control: Option<&'static str>,
    cdn_cache_control: Option<&'static str>,
    vary: Option<&'static str>,
    has_etag: bool,
    sets_cookie: bool,
    delay_ms: u64,
}

/// Who asks, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    None,
    Session,
    Authorization,
    ApiKey,
    Both,
}

/// A request.
#[derive(Clone, Debug)]
struct Request {
    user: usize,
    credential: Credential,
    method: &'static str,
    policy: usize,
    path: &'static str,
    fields: Vec<&'static str>,
}

fn policy() -> impl Strategy<Value = Policy> {
    let cache_control = prop::option::weighted(
        0.9,
        select(vec![
            "max-age=600",
            "max-age=600",
            "max-age=1",
            "max-age=0, stale-while-revalidate=600",
            "max-age=1, stale-while-revalidate=60, stale-if-error=60",
            "public, max-age=600",
            "s-maxage=600",
            "public, max-age=0, must-revalidate",
            "must-revalidate, max-age=600",
            "private, max-age=600",
            "private=\"set-cookie\", max-age=600",
            "no-cache=\"set-cookie\", max-age=600",
            "no-cache",
            "no-store",
            "no-store, must-understand, max-age=600",
            "immutable, max-age=600",
            "Max-Age=\"600\"",
        ]),
    );
    let cdn =
        select(vec!["max-age=600", "public, max-age=600", "private", "no-store", "max-age=0", "broken=\""]);
    let vary = select(vec![
        "accept-encoding",
        "accept-language",
        "accept, accept-language",
        "cookie",
        "authorization, cookie",
        "x-api-key",
        "*",
        "user-agent",
        "x-forwarded-for",
    ]);
    let status = select(vec!["200", "200", "200", "200", "404", "301", "204", "403", "500", "503"]);
    (
        status,
        cache_control,
        prop::option::weighted(0.2, cdn),
        prop::option::weighted(0.4, vary),
        any::<bool>(),
        prop::bool::weighted(0.2),
        select(vec![0, 0, 5, 40]),
    )
        .prop_map(|(status, cache_control, cdn_cache_control, vary, has_etag, sets_cookie, delay_ms)| {
            Policy { status, cache_control, cdn_cache_control, vary, has_etag, sets_cookie, delay_ms }
        })
}

fn request(policies: usize) -> impl Strategy<Value = Request> {
    let credential = select(vec![
        Credential::None,
        Credential::Session,
        Credential::Authorization,
        Credential::ApiKey,
        Credential::Both,
    ]);
    let path =
        select(vec!["", "", "", "/x.css", "%2Fx.css", ";x.css", "?x.css", "?utm_source=x", "/../%2e/"]);
    let fields = subsequence(
        vec![
            "cookie: theme=dark",
            "cookie: tw_bookmark=9999999999999.7",
            "tidewall-bookmark: -.5",
            "tidewall-bookmark: 0.9",
            "accept: text/css,*/*;q=0.1",
            "accept-language: de",
            "accept-encoding: gzip, br",
            "accept-encoding: zstd",
            "range: bytes=0-7",
            "if-none-match: *",
            "if-none-match: \"0000\"",
            "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT",
            "if-match: \"0000\"",
            "cache-control: no-cache",
            "cache-control: max-stale",
            "cache-control: only-if-cached",
            "cache-control: no-store",
            "cache-control: max-age=0",
            "pragma: no-cache",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: evil.test",
            "x-original-url: /admin",
            "x-http-method-override: PUT",
            "user-agent: x",
            "te: trailers",
            "content-type: application/json",
        ],
        0..6,
    );
    let method = select(vec!["GET", "GET", "GET", "GET", "HEAD", "POST"]);
    (0..3_usize, credential, method, 0..policies, path, fields).prop_map(
        |(user, credential, method, policy, path, fields)| Request {
            user,
            credential,
            method,
            policy,
            path,
            fields,
        },
    )
}

/// A few paths, and bursts of requests that are in the air at once.
fn exchanges() -> impl Strategy<Value = (Vec<Policy>, Vec<Vec<Request>>)> {
    prop::collection::vec(policy(), 1..4).prop_flat_map(|policies| {
        let burst = prop::collection::vec(request(policies.len()), 1..10);
        (Just(policies), prop::collection::vec(burst, 2..6))
    })
}

/// What the origin knows the user by, and nobody else is to read.
fn secret(case: u32, user: usize) -> String {
    format!("secret-of-{user}-in-{case}")
}

/// The secret in what a request brings, if it brings one.
fn known(asked: &Asked) -> Option<String> {
    let fields = ["authorization", "x-api-key", "cookie"].map(|name| asked.field(name));
    let found = fields
        .iter()
        .find_map(|value| value.split([' ', ';', '=']).find(|word| word.starts_with("secret-of-")));
    found.map(str::to_owned)
}

fn respond(policy: &Policy, asked: &Asked) -> String {
    std::thread::sleep(Duration::from_millis(policy.delay_ms));
    let said = [policy.cache_control, policy.cdn_cache_control].map(Option::unwrap_or_default);
    // What the edge goes by is the targeted field, where there is one it can read.
    let policy_said = if said[1].is_empty() || said[1].contains("broken") { said[0] } else { said[1] };
    let is_for_all = policy_said.contains("public") || policy_said.contains("s-maxage");
    let whose = known(asked).filter(|_| !is_for_all);
    let body = whose.clone().unwrap_or_else(|| "for everybody".to_owned());
    let etag = format!("\"{:02x?}\"", &Sha256::digest(&body)[..4]).replace([',', ' ', '[', ']'], "");
    let mut head = String::new();
    let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\n"));
    for (name, value) in [
        ("cache-control", policy.cache_control),
        ("cdn-cache-control", policy.cdn_cache_control),
        ("vary", policy.vary),
    ] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if policy.has_etag {
        add("etag", &etag);
    }
    if policy.sets_cookie {
        add("set-cookie", &format!("seen={}; Path=/", known(asked).unwrap_or_else(|| "nobody".to_owned())));
    }
    if let Some(whose) = &whose {
        add("x-user", whose);
    }
    if policy.has_etag && asked.field("if-none-match").contains(&etag) {
        return format!("304\n{head}\n");
    }
    let body = if matches!(policy.status, "204") { "" } else { &body };
    format!("{}\n{head}\n{body}", policy.status)
}

async fn ask(edge: &str, case: u32, request: &Request) -> Result<(), TestCaseError> {
    let secret = secret(case, request.user);
    let mut fields: Vec<String> = request.fields.iter().map(|&field| field.to_owned()).collect();
    let mut add = |name: &str, value: String| fields.push(format!("{name}: {value}"));
    match request.credential {
        Credential::None => {}
        Credential::Session => add("cookie", format!("a=1; tw_session={secret}")),
        Credential::Authorization => add("authorization", format!("Bearer {secret}")),
        Credential::ApiKey => add("x-api-key", secret.clone()),
        Credential::Both => {
            add("cookie", format!("tw_session={secret}"));
            add("authorization", format!("Bearer {secret}"));
        }
    }
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let line = format!("{} /drawn/{case}/{}{}", request.method, request.policy, request.path);
    let answer = raw::ask(edge, &line, &fields, "").await;
    let own = (request.credential != Credential::None).then_some(secret);
    let rest = own.map_or_else(|| answer.text.clone(), |own| answer.text.replace(&own, ""));
    prop_assert!(!rest.contains("secret-of-"), "{:?} got {:?}", request, answer);
    let is_own_error = answer.status >= 500 && !matches!(answer.status, 500 | 503 | 504);
    prop_assert!(
        !is_own_error && !answer.text.contains("/problems/internal"),
        "{:?} got {:?}",
        request,
        answer
    );
    Ok(())
}

fn two_users_with_random_fields_never_see_each_others_bytes(world: &World) {
    let origin = world.scripted();
    let edge = origin.url("");
    let config = ProptestConfig {
        cases: ProptestConfig::default().cases / CASES_DIVISOR,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let case = std::cell::Cell::new(0_u32);
    let outcome = TestRunner::new(config).run(&exchanges(), |(policies, bursts)| {
        // Of its own paths each time, also when a failure is made smaller.
        case.set(case.get() + 1);
        let case = case.get();
        for (nth, policy) in policies.into_iter().enumerate() {
            origin.script(&format!("/drawn/{case}/{nth}*"), move |asked| respond(&policy, asked));
        }
        world.run(async {
            for burst in bursts {
                let asking = burst.iter().map(|request| ask(&edge, case, request));
                join_all(asking).await.into_iter().collect::<Result<(), TestCaseError>>()?;
            }
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
