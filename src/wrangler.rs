//! `wrangler dev`: the edge in workerd, on this machine.
//!
//! wrangler.toml says how the edge is deployed. A local run reads it too, but
//! with what differs here: the Worker and the site that were just built, the
//! origins that run, no build command. So a configuration of its own is
//! written for each run, and wrangler.toml stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::{Value, json};
use tidewall_edge::balance::sticky::SECRET_BYTES_MIN;
pub(crate) use tidewall_edge::config::Origin;
use tidewall_edge::config::{self, Vars};

use crate::child::Spec;
use crate::failure::{Failure, IoContext};
use crate::service::{Service, Supervisor};
use crate::workspace::{Flavor, Workspace};
use crate::{npm, private, workerd};

/// What is deployed, as the edge reads it.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// The Worker's.
    pub(crate) name: String,
    pub(crate) edge: config::Config,
}

/// How the edge is deployed: wrangler.toml, read.
#[derive(Clone, Debug)]
pub(crate) struct Config(toml::Table);

impl Config {
    /// Reads the checkout's wrangler.toml.
    ///
    /// # Errors
    /// It is missing, broken, lacks what a local run changes, or has what the edge refuses.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, Failure> {
        Self::read_at(&workspace.join("wrangler.toml"))
    }

    /// Reads another one.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub(crate) fn read_at(path: &Path) -> Result<Self, Failure> {
        Self::parse(&fs::read_to_string(path).or_fail("read", path)?)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let table: toml::Table = toml::from_str(text).map_err(|error| {
            Failure::new(format!("wrangler.toml is broken: {}", error.to_string().trim_end()))
        })?;
        for (key, is_right) in [
            ("main", table.get("main").is_some_and(toml::Value::is_str)),
            ("vars", table.get("vars").is_some_and(toml::Value::is_table)),
            ("assets", table.get("assets").is_some_and(toml::Value::is_table)),
        ] {
            if !is_right {
                return Err(Failure::new(format!(
                    "wrangler.toml is broken: `{key}` is missing or of another type"
                )));
            }
        }
        let config = Self(table);
        config.check_vars()?;
        Ok(config)
    }

    /// Asks the edge's own code what it thinks of the variables: once it runs it could
    /// only refuse every request.
    fn check_vars(&self) -> Result<(), Failure> {
        // Secrets aren't in the file.
        let vars = self.vars(self.client_address_field()?, "x".repeat(SECRET_BYTES_MIN), None)?;
        let checked = config::Config::parse(&vars);
        checked.map(drop).map_err(|error| Failure::new(format!("wrangler.toml is broken: {error}")))
    }

    /// Asks the same of what others give an edge beside the file.
    ///
    /// # Errors
    /// The edge refuses it.
    pub(crate) fn check(
        &self,
        client_address_field: &str,
        purge_token: &str,
        sticky_secret: &str,
    ) -> Result<(), Failure> {
        let vars = self.vars(client_address_field, sticky_secret.to_owned(), Some(purge_token.to_owned()))?;
        let checked = config::Config::parse(&vars);
        checked
            .map(drop)
            .map_err(|error| Failure::new(format!("the edge would refuse every request: {error}")))
    }

    /// What the edge is told, before some origin.
    fn vars(
        &self,
        client_address_field: &str,
        sticky_secret: String,
        purge_token: Option<String>,
    ) -> Result<Vars, Failure> {
        let variables = self.variables(&[Origin::new("a", "http://a")], client_address_field)?;
        // As the runtime hands them to the edge: text as it is, anything else as JSON.
        let variable = |name: &str| match variables.get(name) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) => Some(value.to_string()),
        };
        Ok(Vars {
            origins: variable("ORIGINS"),
            balance: variable("BALANCE"),
            origin_paths: variable("ORIGIN_PATHS"),
            client_address_field: variable("CLIENT_ADDRESS_FIELD"),
            private_cookies: variable("PRIVATE_COOKIES"),
            client_cache_control: variable("CLIENT_CACHE_CONTROL"),
            private_fields: variable("PRIVATE_FIELDS"),
            tracking_parameters: variable("TRACKING_PARAMETERS"),
            origin_deadline_ms: variable("ORIGIN_DEADLINE_MS"),
            control_max_age_ms: variable("CONTROL_MAX_AGE_MS"),
            control_grace_ms: variable("CONTROL_GRACE_MS"),
            sticky_secret: Some(sticky_secret),
            purge_token,
        })
    }

    /// What is deployed.
    ///
    /// # Errors
    /// The Worker has no name, or the edge refuses its origins.
    pub(crate) fn deployed(&self) -> Result<Deployed, Failure> {
        let broken = |what: &str| Failure::new(format!("wrangler.toml is broken: {what}"));
        let name = self.0.get("name").and_then(toml::Value::as_str);
        let name = name.ok_or_else(|| broken("`name` is missing"))?.to_owned();
        let origins = serde_json::to_string(&self.0["vars"].get("ORIGINS"))
            .map_err(|error| broken(&format!("ORIGINS has what JSON can't say: {error}")))?;
        let vars = self.vars(self.client_address_field()?, "x".repeat(SECRET_BYTES_MIN), None)?;
        let vars = Vars { origins: Some(origins), ..vars };
        let edge = config::Config::parse(&vars).map_err(|error| broken(&error.to_string()))?;
        Ok(Deployed { name, edge })
    }

    /// The same with what was built, as wrangler reads JSON.
    pub(crate) fn deployed_as(&self, worker: &Path, site: &Path) -> Result<Value, Failure> {
        let mut config = serde_json::to_value(&self.0)
            .map_err(|error| Failure::new(format!("wrangler.toml has what JSON can't say: {error}")))?;
        if let Some(table) = config.as_object_mut() {
            // It is built already.
            table.remove("build");
        }
        config["main"] = json!(worker.join("index.js"));
        config["assets"]["directory"] = json!(site);
        Ok(config)
    }

    /// The configuration of a local run, as wrangler reads JSON.
    fn local(&self, worker: &Path, site: &Path, origins: &[Origin]) -> Result<Value, Failure> {
        let mut config = self.deployed_as(worker, site)?;
        // Nobody stands before a local edge who could tell it.
        config["vars"] = Value::Object(self.variables(origins, "")?);
        Ok(config)
    }

    /// The Worker's variables before these origins, where that field tells clients' addresses.
    pub(crate) fn variables(
        &self,
        origins: &[Origin],
        client_address_field: &str,
    ) -> Result<serde_json::Map<String, Value>, Failure> {
        let variables = serde_json::to_value(&self.0["vars"])
            .map_err(|error| Failure::new(format!("wrangler.toml has what JSON can't say: {error}")))?;
        let Value::Object(mut variables) = variables else {
            return Err(Failure::new("`vars` of wrangler.toml is no table"));
        };
        let origins = origins.iter().map(|Origin { id, url, .. }| json!({ "id": id, "url": url })).collect();
        variables.insert("ORIGINS".into(), origins);
        variables.insert("CLIENT_ADDRESS_FIELD".into(), json!(client_address_field));
        Ok(variables)
    }

    /// Which changes of the runtime are in force.
    ///
    /// # Errors
    /// It isn't said.
    pub(crate) fn compatibility_date(&self) -> Result<&str, Failure> {
        let date = self.0.get("compatibility_date").and_then(toml::Value::as_str);
        date.ok_or_else(|| Failure::new("wrangler.toml is broken: `compatibility_date` is missing"))
    }

    /// The deployed edge's, which a local one doesn't have.
    pub(crate) fn client_address_field(&self) -> Result<&str, Failure> {
        match self.0["vars"].get("CLIENT_ADDRESS_FIELD") {
            None => Ok(""),
            Some(toml::Value::String(name)) => Ok(name),
            Some(_) => Err(Failure::new(
                "wrangler.toml is broken: CLIENT_ADDRESS_FIELD is no text: write the name of a request field",
            )),
        }
    }
}

/// Ids of origins in the order they are named: `a`, `b`, …, `z`, `a1`, `b1`, …
pub(crate) fn origin_id(index: usize) -> String {
    let letter = char::from(b"abcdefghijklmnopqrstuvwxyz"[index % 26]);
    if index < 26 { letter.to_string() } else { format!("{letter}{}", index / 26) }
}

/// Where a local edge on `port` answers.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// An edge whose pages load themselves again when something is built.
#[derive(Debug)]
pub(crate) struct Wrangler<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) config: &'a Config,
    /// The origins that requests go to.
    pub(crate) origins: &'a [Origin],
    /// Which Worker, and which site.
    pub(crate) flavor: Flavor,
    pub(crate) port: u16,
    /// The port of workerd's debugger, which wrangler opens in any case.
    pub(crate) inspector_port: u16,
    pub(crate) purge_token: &'a str,
    pub(crate) sticky_secret: &'a str,
    /// Where the configuration is kept.
    pub(crate) folder: PathBuf,
    /// Where the Worker's storage is kept.
    pub(crate) state: PathBuf,
    pub(crate) logs: PathBuf,
}

impl Wrangler<'_> {
    /// Starts the edge; returns once it answers at `url`.
    ///
    /// # Errors
    /// wrangler fails; the end of its log is shown.
    pub(crate) async fn start(&self, url: &str, supervisor: &Supervisor) -> Result<Arc<Service>, Failure> {
        let service = supervisor.start(self.spec()?)?;
        workerd::ready(&service, url, self.purge_token).await?;
        Ok(service)
    }

    fn spec(&self) -> Result<Spec, Failure> {
        let (worker, site) = (self.workspace.worker(self.flavor), self.workspace.site(self.flavor));
        let config = self.config.local(&worker, &site, self.origins)?;
        let config_path = self.folder.join("wrangler.json");
        fs::write(&config_path, config.to_string()).or_fail("write", &config_path)?;
        // Secrets come to a local Worker from a file beside its configuration.
        let secrets = self.folder.join(".dev.vars");
        let values = [("PURGE_TOKEN", self.purge_token), ("STICKY_SECRET", self.sticky_secret)];
        private::write(&secrets, values.map(|(name, value)| format!("{name}=\"{value}\"\n")).concat())?;

        let args = [
            "dev",
            "--live-reload",
            "--config",
            &config_path.display().to_string(),
            "--ip",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
            "--inspector-port",
            &self.inspector_port.to_string(),
            "--persist-to",
            &self.state.display().to_string(),
            "--show-interactive-dev-session=false",
            "--log-level",
            "info",
        ];
        let in_folder = |name: &str| self.folder.join(name).display().to_string();
        let env = [
            ("PATH", npm::path_with_node(self.workspace)?),
            ("CI", "1".into()),
            ("NO_COLOR", "1".into()),
            ("WRANGLER_SEND_METRICS", "false".into()),
            ("WRANGLER_HIDE_BANNER", "true".into()),
            // The Workers it would look for in other terminals are none of ours.
            ("WRANGLER_REGISTRY_PATH", in_folder("registry")),
            ("WRANGLER_LOG_PATH", in_folder("wrangler-logs")),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false".into()),
            // It would keep a trace of every request, a third of the memory that each costs, and serve
            // a page that shows them.
            ("X_LOCAL_OBSERVABILITY", "false".into()),
            ("X_LOCAL_EXPLORER", "false".into()),
        ];
        Ok(Spec {
            name: "edge".into(),
            program: self.workspace.npm_program("wrangler"),
            args: args.map(str::to_owned).into(),
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            directory: self.folder.clone(),
            user: None,
            log: self.logs.join("edge.log"),
            stop_signal: Signal::TERM,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const WRANGLER_TOML: &str = "main = 'x.js'\n[build]\ncommand = 'x'\n[assets]\ndirectory = 'x'\nbinding = 'ASSETS'\n[vars]\nORIGIN_PATHS = ['/api/']\n";

    #[test]
    fn a_local_run_has_its_own_worker_site_and_origins_and_no_build() {
        let origins = [Origin::new("a", "http://127.0.0.1:1")];
        let config = Config::parse(WRANGLER_TOML).unwrap();
        let config = config.local(Path::new("/w"), Path::new("/s"), &origins).unwrap();
        assert_eq!(config["main"], "/w/index.js");
        assert_eq!(config["assets"], json!({ "directory": "/s", "binding": "ASSETS" }));
        assert_eq!(config["vars"]["ORIGINS"], json!([{ "id": "a", "url": "http://127.0.0.1:1" }]));
        assert_eq!(config["vars"]["ORIGIN_PATHS"], json!(["/api/"]));
        assert_eq!(config["vars"]["CLIENT_ADDRESS_FIELD"], "", "a client could say anything");
        assert!(config.get("build").is_none());
    }

    #[test]
    fn a_broken_file_is_named_with_the_place() {
        let failure = Config::parse("main = \n").unwrap_err().to_string();
        assert!(failure.starts_with("wrangler.toml is broken") && failure.contains("line 1"), "{failure}");
        refused("name = 'x'\n", "wrangler.toml is broken: `main` is missing or of another type");
        let assets = WRANGLER_TOML.replace("[assets]\n", "").replace("[build]", "assets = 'site'\n[build]");
        refused(&assets, "wrangler.toml is broken: `assets` is missing or of another type");
    }

    #[test]
    fn variables_that_the_edge_would_refuse_are_refused_before_it_runs() {
        let with = |line: &str| format!("{WRANGLER_TOML}{line}\n");
        refused(
            &WRANGLER_TOML.replace("/api/", "api/"),
            "wrangler.toml is broken: ORIGIN_PATHS[0] must begin with /",
        );
        refused(&with("PRIVATE_COOKIES = ['']"), "wrangler.toml is broken: PRIVATE_COOKIES[0] is empty");
        refused(&with("PRIVATE_FIELDS = ['']"), "wrangler.toml is broken: PRIVATE_FIELDS[0] is empty");
        let failure = Config::parse(&with("TRACKING_PARAMETERS = 'utm_*'")).unwrap_err().to_string();
        assert!(failure.starts_with("wrangler.toml is broken: TRACKING_PARAMETERS"), "{failure}");
        let failure = Config::parse(&with("CLIENT_ADDRESS_FIELD = 'X Real IP'")).unwrap_err().to_string();
        assert!(failure.starts_with("wrangler.toml is broken: CLIENT_ADDRESS_FIELD is `X Real"), "{failure}");
        assert!(Config::parse(&with("PRIVATE_COOKIES = '[\"a\"]'")).is_ok(), "JSON in a string is as good");
    }

    fn refused(wrangler_toml: &str, sentence: &str) {
        assert_eq!(Config::parse(wrangler_toml).unwrap_err().to_string(), sentence);
    }

    #[test]
    fn secrets_are_for_their_owner_alone() {
        let folder = std::env::temp_dir().join(format!("tidewall-wrangler-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let edge = Wrangler {
            workspace: &Workspace::find().unwrap(),
            config: &Config::parse(WRANGLER_TOML).unwrap(),
            origins: &[],
            flavor: Flavor::Dev,
            port: 1,
            inspector_port: 2,
            purge_token: "hush",
            sticky_secret: "hush as well",
            folder: folder.clone(),
            state: folder.join("state"),
            logs: folder.clone(),
        };
        let spec = edge.spec().unwrap();
        let open: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0)
            .filter(|path| fs::read_to_string(path).unwrap().contains("hush"))
            .collect();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(open, Vec::<PathBuf>::new());
        assert!(!spec.args.concat().contains("hush"));
    }

    #[test]
    fn origin_ids_are_letters_and_never_repeat() {
        let ids: Vec<String> = (0..60).map(origin_id).collect();
        assert_eq!(ids[..3], ["a", "b", "c"]);
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 60);
    }
}
