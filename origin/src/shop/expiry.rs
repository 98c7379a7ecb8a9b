//! Files that nobody needs any more: results and uploads of jobs that are gone.

use std::time::Duration;

use futures::TryStreamExt as _;
use time::OffsetDateTime;

use super::FileStore;
use crate::files::FileError;
use crate::queue::{
    Handler, JobContext, JobError, Missed, NewJob, OnConflict, Outcome, Schedule, ScheduleError, Unique,
};

/// Longer than jobs are tried, and than links to their results work.
const AGE: Duration = Duration::from_hours(7 * 24);
/// Where a process writes for so long to one file it was killed.
const ABANDONED: Duration = Duration::from_hours(24);

/// Removes them.
pub(super) struct ExpiryHandler {
    pub(super) files: FileStore,
}

impl Handler for ExpiryHandler {
    const KIND: &'static str = "file_expiry";
    type Payload = ();
    /// How many were removed.
    type Output = u64;

    async fn run(&self, (): (), _: JobContext) -> Result<Outcome<u64>, JobError> {
        let failed = |error: FileError| JobError::retry("files could not be removed", error);
        let now = OffsetDateTime::now_utc();
        let mut removed = self.files.remove_abandoned(now - ABANDONED).await.map_err(failed)?;
        let mut old = std::pin::pin!(self.files.older_than(now - AGE));
        while let Some(name) = old.try_next().await.map_err(failed)? {
            self.files.remove(&name).await.map_err(failed)?;
            removed += 1;
        }
        Ok(Outcome::Done(removed))
    }
}

/// Once an hour; what was missed while nobody worked, once.
pub(super) fn schedule() -> Result<Schedule, ScheduleError> {
    Schedule::new("file expiry", "17 * * * *", "UTC", Missed::Once, |_| {
        Ok(NewJob::of::<ExpiryHandler>(&())?.unique(Unique::new("all", OnConflict::Drop)))
    })
}
