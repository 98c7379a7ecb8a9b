//! Telling workers that there is something for them.
//!
//! By one NOTIFY for all that was enqueued since the last, outside of the transactions that did
//! it: a NOTIFY in a commit takes a lock that all such commits share. It may come late or be
//! lost; workers look by themselves from time to time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::db::{Db, DbError};
use crate::telemetry::chain;

/// What workers listen to.
pub(super) const CHANNEL: &str = "tidewall_jobs";
/// At most one NOTIFY in this time: hardly longer than a claim takes.
const COALESCE: Duration = Duration::from_millis(5);

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// There may be jobs to claim.
    Work,
    /// A running job is to be cancelled.
    Cancel,
}

impl Told {
    fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Cancel => "cancel",
        }
    }

    /// Reads it back; whatever else is said there means that there is work.
    pub(super) fn parse(text: &str) -> Self {
        if text == Self::Cancel.as_str() { Self::Cancel } else { Self::Work }
    }
}

/// Tells workers, in the background.
pub(super) struct Waker {
    db: Db,
    due: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Waker {
    pub(super) fn new(db: Db) -> Self {
        let due = Arc::new(Notify::new());
        let task = tokio::spawn(tell_when_due(db.clone(), Arc::clone(&due)));
        Self { db, due, _task: AbortOnDropHandle::new(task) }
    }

    /// There is work. Returns at once.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }

    /// Tells this, now. Where that fails workers find it by themselves.
    pub(super) async fn tell(&self, told: Told) {
        if let Err(error) = tell(&self.db, told).await {
            tracing::debug!(error = %chain(&error), "workers were not told");
        }
    }
}

async fn tell_when_due(db: Db, due: Arc<Notify>) {
    loop {
        due.notified().await;
        if let Err(error) = tell(&db, Told::Work).await {
            tracing::debug!(error = %chain(&error), "workers were not told");
        }
        sleep(COALESCE).await;
    }
}

async fn tell(db: &Db, told: Told) -> Result<(), DbError> {
    let connection = db.writer().await?;
    connection.query_one("SELECT pg_notify($1, $2)", &[&CHANNEL, &told.as_str()]).await?;
    Ok(())
}
