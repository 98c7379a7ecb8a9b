//! Why a file could not be kept or fetched.

use std::path::PathBuf;

/// An error of a [`super::FileStore`].
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none of this name.
    #[error("there is no such file")]
    NotFound(#[source] object_store::Error),
    /// The bucket can't be used with what the environment says.
    #[error("the bucket can't be used; look at the AWS_* variables")]
    Bucket(#[source] object_store::Error),
    /// The directory can't be made or read.
    #[error("the directory {path} can't be used")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store failed.
    #[error("the file store failed")]
    Store(#[source] object_store::Error),
    /// A file of the directory could not be read.
    #[error("a file could not be read")]
    Read(#[from] std::io::Error),
}

impl From<object_store::Error> for FileError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound(error),
            error => Self::Store(error),
        }
    }
}
