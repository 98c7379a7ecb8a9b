//! Background jobs, kept in the product's own database.
//!
//! A job is enqueued inside the transaction that gives rise to it, so it exists exactly if that
//! commits. A worker claims jobs in batches (`FOR UPDATE SKIP LOCKED`, so workers don't wait for
//! each other), runs them, and ends them in batches. What it has is held under one lease for the
//! whole process, which a heartbeat extends. A worker that is lost stops beating: its lease runs
//! out and its jobs run again elsewhere, each as a new attempt. A worker that can't beat stops
//! its own attempts before that.
//!
//! ```text
//!  enqueue ──> available ─┐                       ┌─ done ───────────────> completed
//!     │            ^      │                       │
//!     └──> scheduled ─────┼─ claim ──> running ───┼─ failed for good,
//!              ^          │               │       │  attempts used up ───> discarded
//!              └─ snooze ─┼───────────────┤       │                            │
//!          retryable ─────┘               │       └─ cancelled by hand ──> cancelled
//!              ^                          │                ^                   │
//!              └─ failed, worker lost ────┤                └── (while waiting, │
//!                                         │                     too)           │
//!     available <── handed back ──────────┘      available <── retried by hand ┘
//! ```
//!
//! - `available`, `scheduled`, `retryable` wait for their `run_at`; a scheduled job whose time
//!   has come is told as available.
//! - `running` has a worker. The pair (id, attempt) names the one attempt that may end the job:
//!   every statement that ends one asks for both and for this state, so an attempt whose lease
//!   was lost ends nothing.
//! - A handed back and a snoozed attempt doesn't count: the job may use one more. (Its number
//!   isn't given out again: nothing that was sent for one attempt must meet another.) A lost
//!   worker's counts, so a payload that kills its workers ends among the discarded ones, the dead
//!   letters.
//! - What has ended is kept for as long as its kind says, and then removed; a kind that keeps
//!   nothing has its completed jobs removed at once.
//!
//! Jobs run at least once. An effect in this database that must happen once is made in
//! [`JobContext::complete`], whose transaction ends the job as well; for one elsewhere there is
//! [`JobContext::idempotency_key`].
//!
//! A handler that reads a replica brings [`JobContext::position`]: it was asked after the claim
//! had seen the job, so it lies past the transaction that enqueued it, past what earlier attempts
//! wrote, and past the firing of a schedule, whatever became of the primary in between.
//!
//! - `job`: a new job, and a job's row; `handler`: what to do for each kind, and what a kind's
//!   settings are; `unique`, `priority`: of a new job.
//! - `limits`: how many jobs of a kind may be claimed; `frontier`: where claims begin; `lease`:
//!   whether this worker still has its jobs; `ending`: what becomes of a job after an attempt;
//!   `schedule`: when a schedule fires; `backlog`: how long a backlog takes. Pure.
//! - `storage`: every SQL statement.
//! - `worker`: claims and starts; `attempt`: runs one; `running`: those that run; `settle`: ends
//!   them; `heart`: beats, rescues and prunes; `clock`: fires schedules.
//! - `wake`: tells workers that there is work; `seal`: secrets in payloads.
//! - `sync`: locks that tests replace; `protocol`: those tests.
//! - `metrics`: what is measured; `figures`: what a worker has done lately.

mod attempt;
mod backlog;
mod claim;
mod clock;
mod ending;
mod figures;
mod frontier;
mod handler;
mod heart;
mod job;
mod lease;
mod limits;
mod metrics;
mod priority;
#[cfg(test)]
mod protocol;
mod running;
mod schedule;
mod seal;
mod settle;
mod storage;
mod sync;
mod unique;
mod wake;
mod worker;

use std::sync::Arc;

pub use backlog::{Backlog, KindBacklog, WorkerFigures};
pub use figures::KindFigures;
pub use handler::{Completion, Handler, Handlers, JobContext, JobError, Outcome, Progress, Retention};
pub use job::{Enqueued, JobDetails, JobRow, NewJob, NewJobError};
pub use limits::{Limits, Rate};
pub use metrics::{QueueMetrics, WorkerMetrics};
pub use priority::Priority;
pub use schedule::{Missed, Schedule, ScheduleError};
pub use seal::Seal;
pub use storage::hot_statements;
pub use storage::inspect::Filter;
pub use unique::{OnConflict, Unique};
pub use worker::{WorkerSettings, work};

use tidewall_api::job::JobState;

use crate::db::{Connection, Db, DbError, Transaction};
use wake::{Told, Waker};

/// The way to the queue; cheap to clone.
#[derive(Clone)]
pub struct Queue {
    db: Db,
    seal: Option<Seal>,
    waker: Arc<Waker>,
}

impl Queue {
    /// The queue in `db`. Without a `seal` no job with secrets can be enqueued or run. Needs a
    /// Tokio runtime.
    pub fn new(db: Db, seal: Option<Seal>) -> Self {
        let waker = Arc::new(Waker::new(db.clone()));
        Self { db, seal, waker }
    }

    /// Where it is kept.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Adds a job that exists once `transaction` commits.
    ///
    /// # Errors
    /// The database, or a payload that can't be written down.
    pub async fn enqueue(&self, transaction: &Transaction, job: &NewJob) -> Result<Enqueued, NewJobError> {
        Ok(only(self.enqueue_all(transaction, std::slice::from_ref(job)).await?))
    }

    /// Adds a job by itself, in no transaction of the caller's, in one round trip: it is there when
    /// this returns.
    ///
    /// # Errors
    /// See [`Queue::enqueue`]. Where the database's answer was lost the job may be there all the
    /// same; a [`Unique`] key keeps a second try from adding it twice.
    pub async fn add(&self, job: &NewJob) -> Result<Enqueued, NewJobError> {
        let connection = self.db.writer().await?;
        let all = storage::enqueue::enqueue(&connection, std::slice::from_ref(job), self.seal.as_ref()).await;
        self.waker.wake();
        Ok(only(all?))
    }

    /// Adds many jobs at once, in one statement those that have no [`Unique`] key; what became of
    /// each, in their order.
    ///
    /// # Errors
    /// See [`Queue::enqueue`].
    pub async fn enqueue_all(
        &self,
        transaction: &Transaction,
        jobs: &[NewJob],
    ) -> Result<Vec<Enqueued>, NewJobError> {
        let enqueued = storage::enqueue::enqueue(transaction.connection(), jobs, self.seal.as_ref()).await?;
        self.wake_after(transaction);
        Ok(enqueued)
    }

    /// Workers are told once the transaction has committed, and outside of it: a NOTIFY in every
    /// commit makes commits wait for each other.
    fn wake_after(&self, transaction: &Transaction) {
        let waker = Arc::clone(&self.waker);
        transaction.after_commit(move || waker.wake());
    }

    /// The job with this id.
    ///
    /// # Errors
    /// The database.
    pub async fn find(connection: &Connection, id: i64) -> Result<Option<JobRow>, DbError> {
        storage::inspect::find(connection, id).await
    }

    /// The jobs with these ids, as far as there are any.
    ///
    /// # Errors
    /// The database.
    pub async fn find_all(connection: &Connection, ids: &[i64]) -> Result<Vec<JobRow>, DbError> {
        storage::inspect::find_all(connection, ids).await
    }

    /// Everything that is kept of a job, less its secrets.
    ///
    /// # Errors
    /// The database.
    pub async fn details(&self, id: i64) -> Result<Option<JobDetails>, DbError> {
        storage::inspect::details(&*self.db.writer().await?, id).await
    }

    /// The newest jobs that pass `filter`.
    ///
    /// # Errors
    /// The database.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<JobRow>, DbError> {
        storage::inspect::list(&self.db.writer().await?, filter).await
    }

    /// Cancels a job that has not ended: one that waits at once, one that runs by asking its
    /// worker to stop it, which takes a moment. The job as it is now; `None` if it isn't there or
    /// has ended.
    ///
    /// # Errors
    /// The database.
    pub async fn cancel(&self, id: i64) -> Result<Option<JobRow>, DbError> {
        let job = storage::inspect::cancel(&self.db.writer().await?, id).await?;
        if job.as_ref().is_some_and(|job| job.state == JobState::Running) {
            self.waker.tell(Told::Cancel).await;
        }
        Ok(job)
    }

    /// Has a job that was discarded or cancelled run again, once more at least. The job as it is
    /// now; `None` if it isn't there, is in another state, or another job has its unique key.
    ///
    /// # Errors
    /// The database.
    pub async fn retry(&self, id: i64) -> Result<Option<JobRow>, DbError> {
        let job = storage::inspect::retry(&self.db.writer().await?, id).await?;
        if job.is_some() {
            self.waker.tell(Told::Work).await;
        }
        Ok(job)
    }

    /// What waits, and what the workers say of themselves.
    ///
    /// # Errors
    /// The database.
    pub async fn backlog(&self) -> Result<Backlog, DbError> {
        storage::inspect::backlog(&*self.db.writer().await?).await
    }
}

/// What became of the one job that was given.
fn only(all: Vec<Enqueued>) -> Enqueued {
    let enqueued = all.into_iter().next();
    enqueued.unwrap_or_else(|| unreachable!("there is an answer for each job that was given"))
}
