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
#[cfg(test)]
mod stub_bucket;
mod unfinished;

pub use error::FileError;
pub use link::{LINK_LIFETIME, Link, LinkError, LinkKey};
pub use location::{Location, LocationError};
pub use name::{FileName, FileNameError};
pub use store::{FileStore, StoredFile};
pub use unfinished::Unfinished;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The result of a job that made a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileResult {
    /// Its name in the [`FileStore`].
    pub file: FileName,
}

/// The result of a job, as something to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Made {
    /// A file for whoever may see the job.
    File(FileResult),
    /// What everybody may see.
    Public {
        /// Where it is.
        path: String,
    },
}

impl Made {
    /// Where it can be fetched; a link to a file works for [`LINK_LIFETIME`] from `now`.
    pub fn url(&self, links: &LinkKey, now: OffsetDateTime) -> String {
        match self {
            Self::File(FileResult { file }) => format!("/api/files/{}", links.sign(file, now)),
            Self::Public { path } => path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::signing::Secrets;

    #[test]
    fn a_file_is_fetched_by_a_link_and_what_is_public_where_it_is() {
        let links = LinkKey::new(&Secrets::new("0123456789abcdef0123456789abcdef", None).unwrap());
        let now = datetime!(2026-11-24 00:00 UTC);
        let url = |stored: &str| serde_json::from_str::<Made>(stored).unwrap().url(&links, now);
        let link = links.sign(&FileName::new("7-1.csv").unwrap(), now);
        assert_eq!(url(r#"{"file":"7-1.csv"}"#), format!("/api/files/{link}"));
        assert_eq!(url(r#"{"path":"/api/media/a.jpeg"}"#), "/api/media/a.jpeg");
        assert!(serde_json::from_str::<Made>(r#"{"file":"../a"}"#).is_err());
    }
}
