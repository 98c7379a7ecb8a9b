//! A Worker under plain `workerd serve`, with a configuration written for it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::http;
use super::process::Process;
use super::storage::Storage;
use crate::error::Reason;

const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../node_modules/@cloudflare");
const CONFIG: &str = "config.capnp";
/// How the Worker is deployed, which says with which changes of the runtime.
const WRANGLER_TOML: &str = include_str!("../../../wrangler.toml");

/// What a Worker is made of.
pub(super) struct Worker {
    pub(super) modules: Vec<Module>,
    /// Names and values, as JSON.
    pub(super) variables: Vec<(String, String)>,
    /// Classes of Durable Objects, and the bindings of their namespaces.
    pub(super) objects: &'static [(&'static str, &'static str)],
    /// Folder of the site that it serves, if any.
    pub(super) site: Option<PathBuf>,
}

/// A file of a Worker.
pub(super) struct Module {
    pub(super) path: PathBuf,
    pub(super) name: &'static str,
    /// What it is to workerd.
    pub(super) kind: &'static str,
}

/// A running one.
pub(crate) struct Workerd {
    pub(super) process: Process,
    pub(crate) address: SocketAddr,
    /// Where its KV and its Cache API are.
    _storage: Storage,
}

impl Workerd {
    pub(super) async fn start(worker: &Worker, storage: Storage) -> Result<Self, Reason> {
        let folder = Folder::new()?;
        let address = http::free_port()?;
        for Module { path, name, .. } in &worker.modules {
            folder.copy(path, name)?;
        }
        folder.write(CONFIG, config(worker, &storage, address)?)?;
        let args = ["serve", "--experimental", CONFIG].map(str::to_owned);
        let process = Process::start(&program()?, &args, folder, address).await?;
        Ok(Self { process, address, _storage: storage })
    }
}

/// The program for this machine.
fn program() -> Result<PathBuf, Reason> {
    let system = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-64",
        ("macos", "aarch64") => "darwin-arm64",
        (system, machine) => {
            return Err(Reason::new(&format!("there is no workerd for {system} on {machine}")));
        }
    };
    let program = Path::new(PACKAGES).join(format!("workerd-{system}/bin/workerd"));
    match program.is_file() {
        true => Ok(program),
        false => Err(Reason::new("workerd is not installed; `npm ci` installs it")),
    }
}

/// The variables of wrangler.toml, as JSON.
pub(super) fn deployed_variables() -> Result<Vec<(String, String)>, Reason> {
    let table: toml::Table = toml::from_str(WRANGLER_TOML)?;
    let variables = table.get("vars").and_then(toml::Value::as_table);
    let variables = variables.ok_or_else(|| Reason::new("wrangler.toml has no variables"))?;
    variables.iter().map(|(name, value)| Ok((name.clone(), serde_json::to_string(value)?))).collect()
}

fn compatibility_date() -> Result<String, Reason> {
    let table: toml::Table = toml::from_str(WRANGLER_TOML)?;
    let date = table.get("compatibility_date").and_then(toml::Value::as_str);
    date.map(str::to_owned).ok_or_else(|| Reason::new("wrangler.toml has no compatibility_date"))
}

fn config(worker: &Worker, storage: &Storage, address: SocketAddr) -> Result<String, Reason> {
    let (kv, cache, date) = (storage.kv(), storage.cache(), compatibility_date()?);
    let mut modules = String::new();
    for Module { name, kind, .. } in &worker.modules {
        write!(modules, "(name = {0}, {kind} = embed {0}), ", quoted(name))?;
    }
    let mut bindings = "(name = \"CACHE\", kvNamespace = \"kv\"), ".to_owned();
    for (name, value) in &worker.variables {
        write!(bindings, "(name = {}, json = {}), ", quoted(name), quoted(value))?;
    }
    let mut site = String::new();
    if let Some(folder) = &worker.site {
        site = format!("(name = \"site\", disk = (path = {})),", quoted(&folder.display().to_string()));
        bindings.push_str("(name = \"ASSETS\", service = \"site\"), ");
    }
    let mut objects = String::new();
    for (class, binding) in worker.objects {
        write!(bindings, "(name = \"{binding}\", durableObjectNamespace = \"{class}\"), ")?;
        write!(objects, "(className = \"{class}\", uniqueKey = \"{class}\", enableSql = true), ")?;
    }
    if !objects.is_empty() {
        objects = format!(
            "durableObjectNamespaces = [{objects}],
  durableObjectStorage = (localDisk = \"disk\"),"
        );
    }
    Ok(format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "origins", network = (allow = ["local"])),
    (name = "kv", external = (address = "{kv}", http = ())),
    (name = "cache", external = (address = "{cache}", http = ())),
    (name = "disk", disk = (path = ".", writable = true)),
    {site}
  ],
  sockets = [(name = "http", address = "{address}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [{modules}],
  compatibilityDate = "{date}",
  bindings = [{bindings}],
  {objects}
  cacheApiOutbound = "cache",
  globalOutbound = "origins",
);
"#
    ))
}

/// A text as Cap'n Proto's language writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_quotes_stays_one() {
        assert_eq!(quoted(r#"["a\b"]"#), r#""[\"a\\b\"]""#);
    }

    #[test]
    fn what_is_deployed_is_read() {
        let variables = deployed_variables().unwrap();
        assert!(variables.iter().any(|(name, value)| name == "CONTROL_MAX_AGE_MS" && value == "1000"));
        assert_eq!(compatibility_date().unwrap().len(), "2026-11-01".len());
    }
}
