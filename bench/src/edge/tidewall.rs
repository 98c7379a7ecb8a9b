//! The edge under test: the Worker as it is deployed, before an origin.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;
use tidewall_edge::workerd::{FILES, OBJECTS};

use super::origin::Origin;
use super::storage::Storage;
use super::workerd::{Module, Worker, Workerd, deployed_variables};
use crate::error::Reason;

/// Starts the Worker in `folder` before `origin`.
pub(super) async fn start(folder: &Path, origin: &Origin, storage: Storage) -> Result<Workerd, Reason> {
    before(folder, &[origin.address()], "round-robin", storage).await
}

/// The same before several origins, of which `policy` chooses one.
pub(crate) async fn before(
    folder: &Path,
    origins: &[SocketAddr],
    policy: &str,
    storage: Storage,
) -> Result<Workerd, Reason> {
    Workerd::start(&worker(folder, origins, policy)?, storage).await
}

/// The same before one origin, with the site in the folder `site`.
pub(super) async fn with_site(
    folder: &Path,
    origin: SocketAddr,
    site: &Path,
    storage: Storage,
) -> Result<Workerd, Reason> {
    let worker = Worker { site: Some(site.to_owned()), ..worker(folder, &[origin], "round-robin")? };
    Workerd::start(&worker, storage).await
}

fn worker(folder: &Path, origins: &[SocketAddr], policy: &str) -> Result<Worker, Reason> {
    let mut variables = deployed_variables()?;
    let named = |(id, address): (char, &SocketAddr)| json!({ "id": id, "url": format!("http://{address}") });
    let origins: Vec<_> = ('a'..='z').zip(origins).map(named).collect();
    let balance = json!([{ "path": "/", "policy": policy }]);
    variables.retain(|(name, _)| name != "ORIGINS" && name != "BALANCE");
    variables.push(("ORIGINS".to_owned(), json!(origins).to_string()));
    variables.push(("BALANCE".to_owned(), balance.to_string()));
    Ok(Worker {
        modules: FILES.map(|(name, kind)| Module { path: folder.join(name), name, kind }).into(),
        variables,
        objects: &OBJECTS,
        site: None,
    })
}
