//! A file while it is written.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::runtime::Handle;

use super::error::FileError;

/// What is sent to the store at once: the least that S3 takes for a part. It has 10,000 of
/// them at most, so a file has at most 50 GB there.
pub(super) const PART_BYTES: usize = 5 * 1024 * 1024;
/// Parts on their way. With the one that is filled they are what a file takes of memory.
const PARTS_IN_FLIGHT_MAX: usize = 2;

/// A file that is being written. It has its name once it is finished; dropped before, it
/// leaves nothing that anybody is given.
#[derive(Debug)]
pub struct Unfinished {
    store: Arc<dyn ObjectStore>,
    path: Path,
    written: Written,
}

/// Small files are stored in one request.
#[derive(Debug)]
enum Written {
    Whole(Vec<u8>),
    Parts(WriteMultipart),
    /// Given up, or handed on.
    Nothing,
}

impl Unfinished {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, written: Written::Whole(Vec::new()) }
    }

    /// Adds `bytes` at the end; waits while too much is on its way.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if let Written::Whole(whole) = &mut self.written {
            if whole.len() + bytes.len() < PART_BYTES {
                whole.extend_from_slice(bytes);
                return Ok(());
            }
            let upload = self.store.put_multipart(&self.path).await?;
            let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            parts.put(Bytes::from(mem::take(whole)));
            self.written = Written::Parts(parts);
        }
        if let Written::Parts(parts) = &mut self.written {
            for piece in bytes.chunks(PART_BYTES) {
                parts.wait_for_capacity(PARTS_IN_FLIGHT_MAX).await?;
                parts.write(piece);
            }
        }
        Ok(())
    }

    /// Gives the file its name, to last: a job that says it is done is believed after a power
    /// cut too. One of the same name is replaced.
    pub async fn finish(mut self) -> Result<(), FileError> {
        match mem::replace(&mut self.written, Written::Nothing) {
            Written::Whole(whole) => {
                self.store.put(&self.path, whole.into()).await?;
            }
            Written::Parts(parts) => {
                parts.finish().await?;
            }
            Written::Nothing => {}
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // A directory's part goes when the upload is dropped. A bucket is told, so that it
        // doesn't keep parts that nobody sees; what it isn't told its lifecycle rule removes.
        if let (Written::Parts(parts), Ok(runtime)) =
            (mem::replace(&mut self.written, Written::Nothing), Handle::try_current())
        {
            runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(error = %crate::telemetry::chain(&error), "an abandoned file's parts are left");
                }
            });
        }
    }
}
