//! A job as it is stored.

use std::error::Error;

use serde_json::Value;
use tidewall_api::job::JobState;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// How often a job is tried unless its kind says otherwise.
const ATTEMPTS_MAX: i32 = 5;

/// A job to be enqueued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    pub(super) kind: &'static str,
    pub(super) payload: Value,
    pub(super) attempts_max: i32,
    pub(super) owner: Option<i64>,
}

impl NewJob {
    /// A job for the handler `H`.
    pub fn of<H: super::Handler>(payload: &H::Payload) -> Result<Self, serde_json::Error> {
        let payload = serde_json::to_value(payload)?;
        Ok(Self { kind: H::KIND, payload, attempts_max: ATTEMPTS_MAX, owner: None })
    }

    /// For whom it is done.
    #[must_use]
    pub fn owned_by(self, owner: i64) -> Self {
        Self { owner: Some(owner), ..self }
    }
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
            finished_at: row.try_get("finished_at")?,
        })
    }
}

/// A state by its name in the table.
struct State(JobState);

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
    pub(super) payload: Value,
    /// Owns the job as long as no later attempt was begun.
    pub(super) attempt: i32,
    pub(super) attempts_max: i32,
}
