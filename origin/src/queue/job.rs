//! A job as it is stored.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use tidewall_api::job::JobState;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::handler::Handler;
use super::priority::Priority;
use super::seal::SealError;
use super::unique::Unique;
use crate::db::DbError;

/// A job to be enqueued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    pub(super) kind: &'static str,
    pub(super) version: i16,
    pub(super) payload: Value,
    pub(super) secrets: &'static [&'static str],
    pub(super) attempts_max: i32,
    pub(super) owner: Option<i64>,
    pub(super) priority: Priority,
    pub(super) run_at: Option<OffsetDateTime>,
    pub(super) delay: Duration,
    /// Where the kind has limits.
    pub(super) lane: Option<String>,
    pub(super) unique: Option<Unique>,
}

/// Why a job can't be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum NewJobError {
    /// The database said so.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Its payload can't be JSON.
    #[error("the job's payload can't be written as JSON")]
    Payload(#[from] serde_json::Error),
    /// Its secrets can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The one that has its key was claimed each time it was looked for.
    #[error("another job has the key `{0}`, and was gone whenever it was looked at; try again")]
    Unique(String),
}

impl NewJob {
    /// A job for the handler `H`.
    ///
    /// # Errors
    /// The payload can't be written as JSON.
    pub fn of<H: Handler>(payload: &H::Payload) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind: H::KIND,
            version: H::VERSION,
            payload: serde_json::to_value(payload)?,
            secrets: H::SECRETS,
            attempts_max: H::ATTEMPTS_MAX,
            owner: None,
            priority: Priority::default(),
            run_at: None,
            delay: Duration::ZERO,
            lane: H::LIMITS.is_any().then(String::new),
            unique: None,
        })
    }

    /// For whom it is done.
    #[must_use]
    pub fn owned_by(self, owner: i64) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Before or after others.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Not before this time.
    #[must_use]
    pub fn run_at(self, at: OffsetDateTime) -> Self {
        Self { run_at: Some(at), ..self }
    }

    /// Not before so long has passed, by the database's clock.
    #[must_use]
    pub fn run_after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// How often it is tried.
    #[must_use]
    pub fn attempts_max(self, attempts_max: i32) -> Self {
        Self { attempts_max: attempts_max.clamp(1, i32::MAX / 2), ..self }
    }

    /// What it has in common with others of its kind, of which so many may run at a time
    /// ([`super::Limits::per_key`]). Without effect where the kind has no limits.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        let lane = self.lane.as_ref().map(|_| key.into());
        Self { lane, ..self }
    }

    /// The only one of its kind with this key.
    #[must_use]
    pub fn unique(self, unique: Unique) -> Self {
        Self { unique: Some(unique), ..self }
    }
}

/// What became of a job that was to be enqueued.
#[derive(Clone, Debug, PartialEq)]
pub struct Enqueued {
    /// The job, or the one that has its unique key.
    pub job: JobRow,
    /// It was added. `false`: the other one stays as it is, or took its payload.
    pub is_new: bool,
}

/// A job's row, less its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Identifies the job.
    pub id: i64,
    /// Its handler's kind.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// Share of the work done, 0 to 1.
    pub progress: f64,
    /// Attempts begun.
    pub attempt: i32,
    /// Attempts it may use.
    pub attempts_max: i32,
    /// What its handler returned, once completed.
    pub result: Option<Value>,
    /// Why its last attempt failed, in words for its owner.
    pub error: Option<String>,
    /// For whom it is done.
    pub owner: Option<i64>,
    /// When it was enqueued.
    pub created_at: OffsetDateTime,
    /// When it may run; `None` once it has ended.
    pub run_at: Option<OffsetDateTime>,
    /// When it reached a terminal state.
    pub finished_at: Option<OffsetDateTime>,
}

impl JobRow {
    /// Reads the columns that `storage` selects.
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let State(state) = row.try_get("state")?;
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            state,
            progress: row.try_get("progress")?,
            attempt: row.try_get("attempt")?,
            attempts_max: row.try_get("attempts_max")?,
            result: row.try_get("result")?,
            error: row.try_get("error")?,
            owner: row.try_get("owner_id")?,
            created_at: row.try_get("created_at")?,
            run_at: row.try_get("run_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

/// Everything that is kept of a job, less its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDetails {
    /// Its row.
    pub row: JobRow,
    /// Before or after others: 0 goes first.
    pub priority: i16,
    /// Of the payload's shape.
    pub version: i16,
    /// What it is told.
    pub payload: Value,
    /// What it has in common with others that are limited together.
    pub key: Option<String>,
    /// The key that no other of its kind has, or that it had when it ended.
    pub unique_key: Option<String>,
    /// When its last attempt began.
    pub started_at: Option<OffsetDateTime>,
    /// The worker that has it.
    pub worker: Option<String>,
    /// Its worker was asked to stop it.
    pub cancel_requested: bool,
    /// Its last failed attempts.
    pub failures: Value,
}

/// A state by its name in the table.
pub(super) struct State(pub(super) JobState);

impl<'a> FromSql<'a> for State {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let name = <&str>::from_sql(ty, raw)?;
        JobState::parse(name).map(Self).ok_or_else(|| format!("unknown job state `{name}`").into())
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql<'_>>::accepts(ty)
    }
}

/// A job in the hands of this worker.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) version: i16,
    pub(super) payload: Value,
    /// Owns the job as long as no later attempt was begun.
    pub(super) attempt: i32,
    pub(super) attempts_max: i32,
    /// Earlier attempts that don't count.
    pub(super) uncounted: i32,
    pub(super) owner: Option<i64>,
    pub(super) priority: i16,
    pub(super) run_at: OffsetDateTime,
    pub(super) lane: Option<String>,
    /// For how long it was due.
    pub(super) waited: Duration,
}

#[cfg(test)]
impl Claimed {
    pub(super) fn sample() -> Self {
        Self {
            id: 1,
            kind: String::new(),
            version: 1,
            payload: Value::Null,
            attempt: 1,
            attempts_max: 5,
            uncounted: 0,
            owner: None,
            priority: 2,
            run_at: OffsetDateTime::UNIX_EPOCH,
            lane: None,
            waited: Duration::ZERO,
        }
    }
}
