//! Files that jobs make and people fetch.
//!
//! - `name`: what a file may be called.
//! - `link`: signed, expiring references to them. Pure.
//! - `location`: where they lie: a directory, or a bucket. Pure.
//! - `store`: what is kept there; `unfinished`: a file while it is written.
//! - `error`: why that fails.

mod error;
mod link;
mod location;
mod name;
mod store;
mod unfinished;

pub use error::FileError;
pub use link::{LINK_LIFETIME, Link, LinkError, LinkKey};
pub use location::{Location, LocationError};
pub use name::{FileName, FileNameError};
pub use store::{FileStore, StoredFile};
pub use unfinished::Unfinished;

use serde::{Deserialize, Serialize};

/// The result of a job that made a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileResult {
    /// Its name in the [`FileStore`].
    pub file: FileName,
}
