//! What is done for each kind of job, and how the kind is dealt with.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::job::Claimed;
use super::limits::Limits;
use super::seal::{self, Seal};
use super::storage;
use crate::backoff::Backoff;
use crate::db::{Db, DbError, Lsn, Transaction};

/// Does the work of one kind of job.
///
/// Kinds without limits wait in one line: a worker that doesn't know some of them passes over
/// their jobs at each look. A kind that only some of the workers run, and that may wait in great
/// numbers, belongs in a line of its own, which any [limit](Handler::LIMITS) gives it.
pub trait Handler: Send + Sync + 'static {
    /// Names the kind, in the table and on the wire.
    const KIND: &'static str;
    /// Of the payload's shape. A worker takes jobs up to the version that it knows, so a new
    /// shape may be enqueued while old workers still run; earlier ones are
    /// [upgraded](Handler::upgrade).
    const VERSION: i16 = 1;
    /// How often a job is tried, unless it says otherwise.
    const ATTEMPTS_MAX: i32 = 5;
    /// When a failed attempt is followed by the next.
    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), delay_max: Duration::from_mins(10) };
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_mins(15);
    /// What is limited over all workers.
    const LIMITS: Limits = Limits::NONE;
    /// For how long jobs are kept when they have ended.
    const RETENTION: Retention = Retention::DEFAULT;
    /// Which parts of the payload are secret: JSON pointers (RFC 6901). They are sealed where
    /// they are stored, and never shown. Each must be there; an optional one is null. What was
    /// enqueued before a part was called secret is stored, and shown, in plain.
    const SECRETS: &'static [&'static str] = &[];

    /// What a job of this kind is told.
    type Payload: Serialize + DeserializeOwned + Send;
    /// What it makes.
    type Output: Serialize + Send;

    /// Brings a payload of an earlier version into the present shape.
    ///
    /// # Errors
    /// It can't be: the job is discarded.
    fn upgrade(version: i16, payload: Value) -> Result<Value, JobError> {
        let _same_shape = version;
        Ok(payload)
    }

    /// Runs one attempt. It is dropped at any await if it takes too long, is cancelled or its
    /// worker stops, and may run again after it has succeeded: doing it twice must come to the
    /// same, or be done in [`JobContext::complete`]. What computes for more than some
    /// milliseconds belongs in `tokio::task::spawn_blocking`: the worker's heart beats in this
    /// runtime, too.
    fn run(
        &self,
        payload: Self::Payload,
        job: JobContext,
    ) -> impl Future<Output = Result<Outcome<Self::Output>, JobError>> + Send;
}

/// For how long a job is kept when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Once completed. `ZERO`: it is removed in the statement that ends it.
    pub completed: Duration,
    /// Once discarded or cancelled.
    pub failed: Duration,
}

impl Retention {
    /// A day for what went well, a month for what did not.
    pub const DEFAULT: Self = Self { completed: Duration::from_hours(24), failed: Duration::from_hours(720) };
    /// What went well is removed at once.
    pub const NONE: Self = Self { completed: Duration::ZERO, ..Self::DEFAULT };
}

/// How an attempt that did not fail came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Done, with this result.
    Done(T),
    /// Done, and ended already: what [`JobContext::complete`] returns.
    Completed(Completion),
    /// There is nothing to do yet: the job runs again after this time. That is no attempt.
    Snooze(Duration),
}

/// The job was ended in the transaction of its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion(pub(super) ());

/// What a running attempt knows of itself.
#[derive(Clone)]
pub struct JobContext {
    /// The job.
    pub id: i64,
    /// This attempt, counted from 1.
    pub attempt: i32,
    /// Attempts that the job may use.
    pub attempts_max: i32,
    /// For whom it is done.
    pub owner: Option<i64>,
    /// Reads at or past this position see what the enqueuing transaction wrote, and what earlier
    /// attempts did. Not known if the primary was lost just after the claim.
    pub position: Option<Lsn>,
    /// How the work goes on.
    pub progress: Progress,
    pub(super) db: Db,
    pub(super) kind: &'static Kind,
}

impl JobContext {
    /// Does `effect` and completes the job with what it returns, in one transaction: both happen,
    /// or neither. If the job is no longer this attempt's, neither does. To be returned by the
    /// handler at once.
    ///
    /// # Errors
    /// Those of `effect`, of the database, and [`JobError::lost`].
    pub async fn complete<T, F>(&self, effect: F) -> Result<Outcome<T>, JobError>
    where
        T: Serialize,
        F: AsyncFnOnce(&Transaction) -> Result<T, JobError>,
    {
        let keep = self.kind.retention.completed;
        let written = self.db.write(async |transaction| {
            // A process that stands still in the middle is not waited for.
            storage::settle::idle_at_most(transaction, self.kind.timeout).await?;
            let output = effect(transaction).await?;
            let result = serde_json::to_value(output).map_err(unkept)?;
            let ended =
                storage::settle::complete_in(transaction, self.id, self.attempt, result, keep).await?;
            if ended { Ok(()) } else { Err(JobError::lost()) }
        });
        written.await?;
        Ok(Outcome::Completed(Completion(())))
    }

    /// The same for every attempt of the job, and for no other job: for effects elsewhere, whose
    /// receiver then does them once.
    pub fn idempotency_key(&self) -> String {
        format!("job-{}", self.id)
    }
}

impl std::fmt::Debug for JobContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, attempt, attempts_max, owner, position, .. } = self;
        f.debug_struct("JobContext")
            .field("id", id)
            .field("attempt", attempt)
            .field("attempts_max", attempts_max)
            .field("owner", owner)
            .field("position", position)
            .finish_non_exhaustive()
    }
}

/// Where an attempt reports its progress; the worker carries it on.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// `done` of `total` units are done.
    pub fn set(&self, done: u64, total: u64) {
        let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        self.0.store(share.to_bits(), Ordering::Relaxed);
    }

    /// The share that is done.
    pub fn share(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// Why an attempt failed. The message is for the job's owner and must tell
/// nothing of the inside; the source goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    pub(super) message: String,
    pub(super) is_final: bool,
    pub(super) delay: Option<Duration>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl JobError {
    /// Another attempt may succeed.
    pub fn retry(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: kept(message.into()), is_final: false, delay: None, source: Some(source.into()) }
    }

    /// No attempt can succeed.
    pub fn discard(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: kept(message.into()), is_final: true, delay: None, source: Some(source.into()) }
    }

    /// The job is no longer this attempt's: it was cancelled, or a later one has it.
    pub fn lost() -> Self {
        Self {
            message: "the job is no longer this attempt's".to_owned(),
            is_final: false,
            delay: None,
            source: None,
        }
    }

    /// The next attempt is made after this time, whatever the kind's backoff.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }
}

/// Longest message of an error, in characters.
const MESSAGE_MAX: usize = 1_000;

/// The message as the database can keep it.
fn kept(message: String) -> String {
    message.replace('\0', "\u{fffd}").chars().take(MESSAGE_MAX).collect()
}

/// The database may answer the next attempt.
impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self::retry("the database could not be asked", error)
    }
}

fn unkept(error: serde_json::Error) -> JobError {
    JobError::discard("the job's result can't be kept", error)
}

type Run =
    Box<dyn Fn(Value, JobContext) -> BoxFuture<'static, Result<Outcome<Value>, JobError>> + Send + Sync>;

/// A kind as a worker knows it.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) version: i16,
    pub(super) backoff: Backoff,
    pub(super) timeout: Duration,
    pub(super) limits: Limits,
    pub(super) retention: Retention,
    secrets: &'static [&'static str],
    upgrade: fn(i16, Value) -> Result<Value, JobError>,
    run: Run,
}

impl Kind {
    fn of<H: Handler>(handler: H) -> Self {
        let handler = Arc::new(handler);
        let run: Run = Box::new(move |payload, job| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let payload = serde_json::from_value(payload).map_err(unread)?;
                Ok(match handler.run(payload, job).await? {
                    Outcome::Done(output) => Outcome::Done(serde_json::to_value(output).map_err(unkept)?),
                    Outcome::Completed(completion) => Outcome::Completed(completion),
                    Outcome::Snooze(delay) => Outcome::Snooze(delay),
                })
            })
        });
        Self {
            name: H::KIND,
            version: H::VERSION,
            backoff: H::BACKOFF,
            timeout: H::TIMEOUT,
            limits: H::LIMITS,
            retention: H::RETENTION,
            secrets: H::SECRETS,
            upgrade: H::upgrade,
            run,
        }
    }

    /// Runs one attempt of `job`.
    pub(super) async fn run(
        &self,
        job: Claimed,
        context: JobContext,
        seal: Option<&Seal>,
    ) -> Result<Outcome<Value>, JobError> {
        let Claimed { mut payload, version, .. } = job;
        seal::open(seal, self.name, self.secrets, &mut payload)
            .map_err(|error| JobError::retry("the job's secrets can't be opened", error))?;
        if version < self.version {
            payload = (self.upgrade)(version, payload)?;
        }
        (self.run)(payload, context).await
    }
}

fn unread(error: serde_json::Error) -> JobError {
    // What serde says can quote a value of the payload.
    let at = format!("line {}, column {}, {:?}", error.line(), error.column(), error.classify());
    JobError::discard("the job's order can't be read", at)
}

/// The handlers of a worker, by kind.
#[derive(Clone, Default)]
pub struct Handlers {
    by_kind: BTreeMap<&'static str, &'static Kind>,
}

impl Handlers {
    /// Adds `handler` for its kind. It lives as long as the process.
    #[must_use]
    pub fn with<H: Handler>(mut self, handler: H) -> Self {
        self.by_kind.insert(H::KIND, Box::leak(Box::new(Kind::of(handler))));
        self
    }

    /// The kinds with limits, or those without.
    pub(super) fn limited(&self, limited: bool) -> impl Iterator<Item = &'static Kind> + '_ {
        self.by_kind.values().copied().filter(move |kind| kind.limits.is_any() == limited)
    }

    pub(super) fn get(&self, kind: &str) -> Option<&'static Kind> {
        self.by_kind.get(kind).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::DbSettings;

    struct Double;

    impl Handler for Double {
        const KIND: &'static str = "double";
        const VERSION: i16 = 2;
        type Payload = i64;
        type Output = i64;

        fn upgrade(_: i16, payload: Value) -> Result<Value, JobError> {
            payload["number"].as_i64().map(Value::from).ok_or_else(|| JobError::discard("no number", "none"))
        }

        async fn run(&self, payload: i64, job: JobContext) -> Result<Outcome<i64>, JobError> {
            job.progress.set(1, 2);
            Ok(Outcome::Done(payload * 2))
        }
    }

    async fn check(version: i16, payload: Value) -> Result<Outcome<Value>, (String, bool)> {
        let kind = Handlers::default().with(Double).get("double").unwrap();
        let db = Db::new(DbSettings::parse("postgres://nobody@127.0.0.1:1/none", &[]).unwrap());
        let job = Claimed { version, payload, ..Claimed::sample() };
        let context = JobContext {
            id: 1,
            attempt: 1,
            attempts_max: 1,
            owner: None,
            position: None,
            progress: Progress::default(),
            db,
            kind,
        };
        kind.run(job, context, None).await.map_err(|error| (error.message, error.is_final))
    }

    #[tokio::test]
    async fn a_handler_is_found_by_its_kind_and_given_its_typed_payload() {
        assert_eq!(check(2, 21.into()).await, Ok(Outcome::Done(42.into())));
        assert!(Handlers::default().with(Double).get("triple").is_none());
    }

    #[tokio::test]
    async fn a_payload_of_an_earlier_version_is_brought_into_shape() {
        assert_eq!(check(1, serde_json::json!({"number": 4})).await, Ok(Outcome::Done(8.into())));
        assert_eq!(check(1, 21.into()).await, Err(("no number".to_owned(), true)));
    }

    #[tokio::test]
    async fn a_payload_that_can_not_be_read_is_not_tried_again() {
        assert_eq!(check(2, "x".into()).await, Err(("the job's order can't be read".to_owned(), true)));
    }

    #[test]
    fn progress_is_a_share_of_the_total() {
        let progress = Progress::default();
        for (done, total, share) in [(0, 0, 0.0), (1, 4, 0.25), (4, 4, 1.0), (5, 4, 1.0)] {
            progress.set(done, total);
            assert!((progress.share() - share).abs() < f64::EPSILON, "{done} of {total}");
        }
    }
}
