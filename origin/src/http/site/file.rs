//! A file of the site as a body.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;

use axum::body::Body;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Bytes read from disk at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a file that the manifest names can't be sent.
#[derive(Debug, thiserror::Error)]
#[error("the site's manifest names {named}, which can't be sent; build the site again")]
pub(super) struct Broken {
    pub(super) named: String,
    #[source]
    pub(super) source: io::Error,
}

/// The bytes `range` of the file at `path`, or all `length` that it is to have.
pub(super) async fn body(path: &Path, range: Option<Range<u64>>, length: Option<u64>) -> io::Result<Body> {
    let mut file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let found = metadata.len();
    // The fields are those of other bytes, as of a build that is just being made.
    let is_another = match &range {
        Some(range) => found < range.end,
        None => length.is_some_and(|length| found != length),
    };
    if is_another {
        return Err(io::Error::other(format!("it has {found} bytes")));
    }
    let range = range.unwrap_or(0..found);
    file.seek(SeekFrom::Start(range.start)).await?;
    let part = file.take(range.end - range.start);
    Ok(Body::from_stream(ReaderStream::with_capacity(part, CHUNK_BYTES)))
}
