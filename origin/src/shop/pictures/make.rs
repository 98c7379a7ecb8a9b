//! The job that makes the sizes of a picture and has its product show it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::resize::{PictureError, resize};
use super::storage::{self, Shown};
use super::{ask::PICTURE_BYTES_MAX, path};
use crate::db::{Db, DbError};
use crate::files::{FileError, FileName, FileNameError, FileStore, Made};
use crate::outbox::{Invalidation, Outbox};
use crate::queue::{Handler, JobContext, JobError, Limits, Outcome};
use crate::shop::groups;

/// Pictures that a process decodes at the same time: one takes hundreds of megabytes.
const AT_ONCE_MAX: usize = 1;

/// Makes pictures.
pub(in crate::shop) struct PictureHandler {
    db: Db,
    files: FileStore,
    outbox: Outbox,
    turns: Arc<Semaphore>,
}

/// What the job is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::shop) struct Upload {
    /// Whose picture it is.
    pub(super) product: i64,
    /// What was uploaded.
    pub(super) file: FileName,
}

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("the resizing broke off")]
    Resizer(#[from] JoinError),
    #[error("a file could not be read or written")]
    File(#[from] FileError),
    #[error(transparent)]
    Name(#[from] FileNameError),
    #[error("there is no such product")]
    NoProduct,
}

impl PictureHandler {
    pub(in crate::shop) fn new(db: Db, files: FileStore, outbox: Outbox) -> Self {
        Self { db, files, outbox, turns: Arc::new(Semaphore::new(AT_ONCE_MAX)) }
    }
}

impl Handler for PictureHandler {
    const KIND: &'static str = "product_image";
    /// Two workers' worth; the others go on with something else.
    const LIMITS: Limits = Limits { concurrency: Some(2), ..Limits::NONE };
    type Payload = Upload;
    type Output = Made;

    async fn run(&self, upload: Upload, job: JobContext) -> Result<Outcome<Made>, JobError> {
        self.make(upload, &job).await.map(Outcome::Done).map_err(|error| match error {
            MakeError::Picture(problem) => {
                JobError::discard(format!("the picture can't be used: {problem}"), problem)
            }
            MakeError::NoProduct => JobError::discard("the product is gone", error),
            MakeError::File(FileError::NotFound(_)) => {
                JobError::discard("the picture is gone; upload it again", error)
            }
            MakeError::Db(_) => JobError::retry("the database could not be written", error),
            MakeError::Resizer(_) => JobError::retry("the picture could not be made smaller", error),
            MakeError::File(_) | MakeError::Name(_) => {
                JobError::retry("the picture could not be read or kept", error)
            }
        })
    }
}

impl PictureHandler {
    async fn make(&self, upload: Upload, job: &JobContext) -> Result<Made, MakeError> {
        const STAGES: u64 = 4;
        let original = self.files.read_whole(&upload.file, PICTURE_BYTES_MAX).await?;
        job.progress.set(1, STAGES);
        let picture = {
            // Held by the work itself: an attempt that is given up leaves it running.
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                resize(&original)
            })
            .await??
        };
        job.progress.set(2, STAGES);
        let shown = picture.large.name.clone();
        let media = self.files.media();
        for file in [picture.large, picture.small] {
            media.put(&FileName::new(file.name)?, Bytes::from(file.content)).await?;
        }
        job.progress.set(3, STAGES);
        let (product, id, outbox) = (upload.product, job.id, &self.outbox);
        let written = self.db.write(async |transaction| {
            match storage::show(transaction, product, &shown, id).await? {
                Shown::In(category) => {
                    let groups = groups::of_replaced(product, &category, &category);
                    // There is no answer that could tell it as well.
                    let _ = outbox.enqueue(transaction, Invalidation::of_groups(groups)).await?;
                    Ok(())
                }
                Shown::Superseded => Ok(()),
                Shown::NoProduct => Err(MakeError::NoProduct),
            }
        });
        written.await?;
        Ok(Made::Public { path: path(&shown) })
    }
}
