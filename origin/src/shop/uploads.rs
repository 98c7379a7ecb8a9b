//! What staff send to be worked on, until its job has done that. It goes like the files that
//! jobs make: when it is old.

use sha2::{Digest as _, Sha256};

use crate::files::{FileName, FileStore};
use crate::http::body::Incoming;
use crate::http::error::ApiError;

/// An upload that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) file: FileName,
    /// SHA-256 of its content, in hexadecimal.
    pub(super) digest: String,
}

/// Looks at the beginning of an upload, of at most so many bytes, and may refuse it.
#[derive(Clone, Copy)]
pub(super) struct Glance {
    pub(super) bytes_max: usize,
    pub(super) check: fn(&[u8]) -> Result<(), ApiError>,
}

/// Keeps what comes in, unless `glance` has something against it.
pub(super) async fn keep(
    files: &FileStore,
    mut incoming: Incoming,
    glance: Option<Glance>,
) -> Result<Kept, ApiError> {
    let mut name = [0; 16];
    getrandom::fill(&mut name).map_err(ApiError::internal)?;
    let file = FileName::new(format!("upload-{}", hexadecimal(&name))).map_err(ApiError::internal)?;
    let mut unfinished = files.begin(&file);
    let mut digest = Sha256::new();
    let mut beginning = Vec::new();
    while let Some(bytes) = incoming.next().await? {
        if let Some(Glance { bytes_max, .. }) = glance {
            let room = bytes_max.saturating_sub(beginning.len());
            beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        digest.update(&bytes);
        unfinished.write(&bytes).await.map_err(ApiError::internal)?;
    }
    if let Some(Glance { check, .. }) = glance {
        check(&beginning)?;
    }
    unfinished.finish().await.map_err(ApiError::internal)?;
    Ok(Kept { file, digest: hexadecimal(&digest.finalize()) })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
