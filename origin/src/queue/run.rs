//! One claimed job: its attempt, its heartbeat and its end.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::handler::{Handlers, JobContext, JobError, Progress};
use super::job::Claimed;
use super::storage;
use crate::backoff::Backoff;
use crate::db::{Db, DbError, Lsn};
use crate::shutdown::Shutdown;
use crate::telemetry::chain;

/// How long a worker that says nothing keeps a job. Longer: a lost worker's jobs
/// wait longer. Shorter: a slow network looks like a lost worker.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How often a lease is extended and progress written: a lease survives several lost beats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// When a failed attempt is followed by the next.
const RETRY: Backoff = Backoff { base: Duration::from_secs(1), delay_max: Duration::from_mins(10) };

/// How an attempt ended.
enum End {
    /// By itself.
    Returned(Result<Value, JobError>),
    /// A later attempt owns the job.
    LeaseLost,
    /// The worker stops, and this took too long.
    Stopped,
}

/// Runs `job` to its end, or until `give_up` returns.
pub(super) async fn run(
    db: &Db,
    handlers: &Handlers,
    job: Claimed,
    position: Option<Lsn>,
    give_up: impl Future<Output = ()>,
) {
    tracing::info!(job = job.id, kind = job.kind, attempt = job.attempt, "job started");
    let begun = std::time::Instant::now();
    let (progress, shares) = Progress::new();
    let context = JobContext { id: job.id, attempt: job.attempt, position, progress };
    // A task of its own, so that its computing doesn't delay the heartbeat.
    let mut attempt = AbortOnDropHandle::new(tokio::spawn(attempt(handlers.clone(), job.clone(), context)));
    let end = tokio::select! {
        joined = &mut attempt => End::Returned(joined.unwrap_or_else(|error| {
            Err(JobError::retry("the job failed unexpectedly", error))
        })),
        () = keep_lease(db, &job, shares) => End::LeaseLost,
        () = give_up => End::Stopped,
    };
    if !matches!(end, End::Returned(_)) {
        // The attempt must be gone before its job is handed on.
        attempt.abort();
        let _cancelled = attempt.await;
    }
    let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (what, settled) = settle(db, &job, end).await;
    match settled {
        Ok(true) => {
            tracing::info!(job = job.id, kind = job.kind, attempt = job.attempt, duration_ms, "{what}")
        }
        Ok(false) => tracing::warn!(job = job.id, attempt = job.attempt, "a later attempt owns the job"),
        // The lease runs out, and the job runs again.
        Err(error) => tracing::error!(
            job = job.id,
            attempt = job.attempt,
            error = %chain(&error),
            "the attempt's end could not be written"
        ),
    }
}

async fn attempt(handlers: Handlers, job: Claimed, context: JobContext) -> Result<Value, JobError> {
    match handlers.get(&job.kind) {
        Some(run) => run(job.payload, context).await,
        None => Err(JobError::retry("this worker does not know the job's kind", job.kind)),
    }
}

/// Returns when the lease is lost. An error of the database is not that yet:
/// the lease has room for the next beats.
async fn keep_lease(db: &Db, job: &Claimed, shares: watch::Receiver<f64>) {
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let progress = *shares.borrow();
        let beat = async { storage::heartbeat(&db.writer().await?, job, LEASE, progress).await };
        match beat.await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(job = job.id, error = %chain(&error), "heartbeat failed");
            }
        }
    }
}

/// Writes down how the attempt ended; `false` if it was no longer its to end.
async fn settle(db: &Db, job: &Claimed, end: End) -> (&'static str, Result<bool, DbError>) {
    let connection = match db.writer().await {
        Ok(connection) => connection,
        Err(error) => return ("", Err(error)),
    };
    match end {
        End::Returned(Ok(result)) => ("job completed", storage::complete(&connection, job, &result).await),
        End::Returned(Err(error)) => {
            tracing::warn!(
                job = job.id,
                kind = job.kind,
                attempt = job.attempt,
                error = %chain(&error),
                "attempt failed"
            );
            if error.is_final || job.attempt >= job.attempts_max {
                ("job discarded", storage::discard(&connection, job, &error.message).await)
            } else {
                let delay = RETRY.delay(job.attempt.unsigned_abs(), fastrand::u32(..));
                ("job will be tried again", storage::retry(&connection, job, &error.message, delay).await)
            }
        }
        End::LeaseLost => ("", Ok(false)),
        End::Stopped => ("job handed back", storage::hand_back(&connection, job).await),
    }
}

/// Returns when a stopping worker must give its jobs back.
pub(super) async fn give_up(shutdown: Shutdown, grace: Duration) {
    shutdown.begun().await;
    tokio::time::sleep(grace).await;
}
