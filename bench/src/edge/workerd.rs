//! A Worker under plain `workerd serve`, with a configuration written for it.

use std::env::consts::{ARCH, OS};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tidewall_edge::workerd::{Deployment, package};

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
        let modules: Vec<_> = worker.modules.iter().map(|module| (module.name, module.kind)).collect();
        let site = worker.site.as_ref().map(|site| site.display().to_string());
        let deployment = Deployment {
            compatibility_date: &compatibility_date()?,
            modules: &modules,
            variables: &worker.variables,
            secrets: &[],
            objects: worker.objects,
            state: ".",
            site: site.as_deref(),
            stores: Some([storage.kv(), storage.cache()]),
            address,
        };
        folder.write(CONFIG, deployment.config())?;
        let args = ["serve", "--experimental", CONFIG].map(str::to_owned);
        let process = Process::start(&program()?, &args, folder, address).await?;
        Ok(Self { process, address, _storage: storage })
    }
}

/// The program for this machine.
fn program() -> Result<PathBuf, Reason> {
    let package = package(OS, ARCH).ok_or_else(|| Reason::new("there is no workerd for this machine"))?;
    let program = Path::new(PACKAGES).join(package).join("bin/workerd");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_is_read() {
        let variables = deployed_variables().unwrap();
        assert!(variables.iter().any(|(name, value)| name == "CONTROL_MAX_AGE_MS" && value == "1000"));
        assert_eq!(compatibility_date().unwrap().len(), "2026-11-01".len());
    }
}
