//! The peer in plain JavaScript (`plain.js`), in the same workerd.

use std::path::Path;

use super::hit::Level;
use super::http::Message;
use super::storage::Storage;
use super::workerd::{Module, Worker, Workerd};
use crate::error::Reason;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/edge/plain.js");

/// Starts it: it answers as `hit` does.
pub(super) async fn start(level: Level, hit: &Message, storage: Storage) -> Result<Workerd, Reason> {
    // The runtime itself writes these.
    let is_own =
        |name: &str| ["content-length", "transfer-encoding"].iter().any(|own| name.eq_ignore_ascii_case(own));
    let fields: Vec<(&str, &str)> = hit.fields().filter(|(name, _)| !is_own(name)).collect();
    let variables = [
        ("LEVEL", serde_json::to_string(level.as_str())?),
        ("BODY", serde_json::to_string(&String::from_utf8_lossy(&hit.body))?),
        ("FIELDS", serde_json::to_string(&fields)?),
    ];
    let worker = Worker {
        modules: vec![Module { path: Path::new(SCRIPT).to_owned(), name: "plain.js", kind: "esModule" }],
        variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
        objects: &[],
        site: None,
    };
    Workerd::start(&worker, storage).await
}
