//! Files that jobs make and people fetch.
//!
//! - `name`: what a file may be called.
//! - `link`: signed, expiring references to them. Pure.
//! - `store`: the directory they lie in.

mod link;
mod name;
mod store;

pub use link::{LINK_LIFETIME, Link, LinkError, LinkKey};
pub use name::FileName;
pub use store::{FileStore, Unfinished};

use serde::{Deserialize, Serialize};

/// The result of a job that made a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileResult {
    /// Its name in the [`FileStore`].
    pub file: FileName,
}
