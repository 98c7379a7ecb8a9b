//! The edge in plain workerd, on this machine, with no account and no wrangler.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tidewall_edge::workerd::{Deployment, FILES, OBJECTS, package};

use crate::child::Spec;
use crate::failure::{Failure, IoContext};
use crate::loopback;
use crate::service::{Service, Supervisor};
use crate::workspace::Workspace;
use crate::wrangler::{Config, Origin};

/// Time that the edge has to answer.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(50);
/// The configuration's file.
pub(crate) const CONFIG: &str = "config.capnp";
/// The secrets, which workerd takes from its environment: no file has them.
const SECRETS: [&str; 2] = ["PURGE_TOKEN", "STICKY_SECRET"];

/// What an edge is to be. Has no `Debug`: it holds secrets.
pub(crate) struct Workerd<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) config: &'a Config,
    /// The origins that requests go to.
    pub(crate) origins: &'a [Origin],
    /// The request field in which who stands before the edge tells the client's address; empty where
    /// nobody does.
    pub(crate) client_address_field: &'a str,
    /// Folder of the built Worker.
    pub(crate) worker: PathBuf,
    /// Folder of the site that it serves, too, if any.
    pub(crate) site: Option<PathBuf>,
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) purge_token: &'a str,
    pub(crate) sticky_secret: &'a str,
    /// Where its configuration is kept, and the Worker as it was when it started.
    pub(crate) folder: PathBuf,
    /// Where the Worker's storage is kept.
    pub(crate) state: PathBuf,
    pub(crate) logs: PathBuf,
}

impl Workerd<'_> {
    /// Starts the edge; returns once it answers.
    ///
    /// # Errors
    /// There is no workerd for this machine, a file can't be written, or it fails; the end of its log is shown.
    pub(crate) async fn start(&self, supervisor: &Supervisor) -> Result<Arc<Service>, Failure> {
        let service = supervisor.start(self.spec()?)?;
        ready(&service, &self.url(), self.purge_token).await?;
        Ok(service)
    }

    /// Where the edge answers, as seen from this machine.
    pub(crate) fn url(&self) -> String {
        let host = match self.host {
            host if !host.is_unspecified() => host,
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        };
        format!("http://{}", SocketAddr::new(host, self.port))
    }

    fn spec(&self) -> Result<Spec, Failure> {
        for folder in [&self.folder, &self.state] {
            fs::create_dir_all(folder).or_fail("create", folder)?;
        }
        // As it is now: another build must not come under one that runs.
        for (file, _) in FILES {
            let from = self.worker.join(file);
            fs::copy(&from, self.folder.join(file)).or_fail("copy", &from)?;
        }
        let variables = self.config.variables(self.origins, self.client_address_field)?;
        let variables: Vec<_> =
            variables.into_iter().map(|(name, value)| (name, value.to_string())).collect();
        let deployment = Deployment {
            compatibility_date: self.config.compatibility_date()?,
            modules: &FILES,
            variables: &variables,
            secrets: &SECRETS,
            objects: &OBJECTS,
            state: text(&self.state)?,
            site: self.site.as_deref().map(text).transpose()?,
            stores: None,
            address: SocketAddr::new(self.host, self.port),
        };
        let config = self.folder.join(CONFIG);
        fs::write(&config, deployment.config()).or_fail("write", &config)?;
        let secrets = [self.purge_token, self.sticky_secret];
        Ok(Spec {
            name: "edge".into(),
            program: program(self.workspace)?,
            // Its Durable Objects on a disk are what is experimental.
            args: ["serve", "--experimental", CONFIG].map(str::to_owned).into(),
            env: (SECRETS.iter().zip(secrets)).map(|(&name, value)| (name.into(), value.into())).collect(),
            directory: self.folder.clone(),
            user: None,
            log: self.logs.join("edge.log"),
            stop_signal: Signal::TERM,
        })
    }
}

/// Waits until the edge at `url` answers.
///
/// # Errors
/// It ends, or takes too long; the end of its log is shown.
pub(crate) async fn ready(service: &Service, url: &str, purge_token: &str) -> Result<(), Failure> {
    let status = format!("{url}/_tidewall/status");
    let client = loopback::client()?;
    let answers = async {
        loop {
            let response = client.get(&status).bearer_auth(purge_token).send().await;
            if response.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            tokio::time::sleep(READY_POLL).await;
        }
    };
    service.ready(READY_DEADLINE, answers).await
}

/// workerd for this machine, as npm has brought it.
pub(crate) fn program(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let package = package(OS, ARCH).ok_or_else(|| Failure::new("there is no workerd for this machine"))?;
    Ok(workspace.join("node_modules/@cloudflare").join(package).join("bin/workerd"))
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::new(format!("{} is no text; name another folder", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRANGLER_TOML: &str = "main = 'x.js'\ncompatibility_date = '2026-11-01'\n[assets]\ndirectory = 'x'\n[vars]\nORIGIN_PATHS = ['/']\nCLIENT_ADDRESS_FIELD = 'CF-Connecting-IP'\n";

    #[test]
    fn its_files_hold_no_secret_and_what_the_runtime_is_told_comes_from_the_file() {
        let folder = std::env::temp_dir().join(format!("tidewall-workerd-{}", std::process::id()));
        let worker = folder.join("worker");
        fs::create_dir_all(&worker).unwrap();
        for (file, _) in FILES {
            fs::write(worker.join(file), "").unwrap();
        }
        let edge = Workerd {
            workspace: &Workspace::find().unwrap(),
            config: &Config::parse(WRANGLER_TOML).unwrap(),
            origins: &[Origin::new("a", "http://127.0.0.1:1")],
            client_address_field: "X-Real-IP",
            worker,
            site: None,
            host: IpAddr::from([0, 0, 0, 0]),
            port: 2,
            purge_token: "hush",
            sticky_secret: "hush as well",
            folder: folder.join("run"),
            state: folder.join("state"),
            logs: folder.clone(),
        };
        let spec = edge.spec().unwrap();
        let config = fs::read_to_string(folder.join("run").join(CONFIG)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(!config.contains("hush") && !spec.args.concat().contains("hush"));
        assert!(spec.env.contains(&("PURGE_TOKEN".into(), "hush".into())));
        assert!(config.contains("http://127.0.0.1:1") && config.contains("X-Real-IP"), "{config}");
        assert!(config.contains("2026-11-01") && config.contains("address = \"0.0.0.0:2\""), "{config}");
        assert_eq!(edge.url(), "http://127.0.0.1:2");
    }
}
