//! The edge under test: the Worker as it is deployed, before an origin.

use std::path::Path;

use super::origin::Origin;
use super::storage::Storage;
use super::workerd::{Module, Worker, Workerd, deployed_variables};
use crate::error::Reason;

/// Files of the built Worker, and what they are to workerd.
pub(super) const FILES: [(&str, &str); 2] = [("index.js", "esModule"), ("index_bg.wasm", "wasm")];

/// Starts the Worker in `folder` before `origin`.
pub(super) async fn start(folder: &Path, origin: &Origin, storage: Storage) -> Result<Workerd, Reason> {
    let mut variables = deployed_variables()?;
    let origins = serde_json::json!([{ "id": "a", "url": format!("http://{}", origin.address()) }]);
    variables.retain(|(name, _)| name != "ORIGINS");
    variables.push(("ORIGINS".to_owned(), origins.to_string()));
    let worker = Worker {
        modules: FILES.map(|(name, kind)| Module { path: folder.join(name), name, kind }).into(),
        variables,
        objects: &[("Control", "CONTROL"), ("Collapse", "COLLAPSE")],
    };
    Workerd::start(&worker, storage).await
}
