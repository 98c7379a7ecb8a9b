//! HTTP to what runs on this machine.

use crate::failure::Failure;

/// A client that asks no proxy: one that the environment names can't reach this machine's ports.
///
/// # Errors
/// The system lacks what a client needs.
pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| Failure::new(format!("cannot ask what runs here: {error}")))
}
