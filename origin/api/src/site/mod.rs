//! How the built site is served, as functions: what is sent for a request, and with which
//! fields. The edge and the origin ask this one policy, so that a client can't tell which of
//! them answered. They bring the bytes.

mod accept_encoding;
mod answer;
mod coding;
mod dictionary;
mod entry;
mod index;
mod request;
mod respond;

pub use answer::{Answer, Body, Outcome, Sent};
pub use index::Index;
pub use request::Request;
pub use respond::{respond, respond_kept};

pub use crate::manifest::BUILD_PATH;

/// Paths of files whose names hold their content's hash.
pub const ASSET_PREFIX: &str = "/assets/";

#[cfg(test)]
mod tests;
