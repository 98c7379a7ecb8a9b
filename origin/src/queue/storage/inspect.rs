//! For those who look on, and act by hand.

use std::time::Duration;

use tidewall_api::job::JobState;
use tokio_postgres::types::Type;

use super::{row_columns, waiting};
use crate::db::{Connection, DbError, HotStatement, WriteConnection};
use crate::queue::backlog::{Backlog, KindBacklog, WorkerFigures};
use crate::queue::handler::Retention;
use crate::queue::job::{JobDetails, JobRow};
use crate::queue::seal;

/// Which jobs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Older than this one.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

const FIND: &str = concat!("SELECT ", row_columns!(), " FROM jobs WHERE id = $1");

/// The job with this id.
pub(in crate::queue) async fn find(connection: &Connection, id: i64) -> Result<Option<JobRow>, DbError> {
    let row = connection.query_opt(FIND, &[&id]).await?;
    row.map(|row| JobRow::read(&row)).transpose().map_err(|error| connection.failed(error))
}

const FIND_ALL: &str = concat!("SELECT ", row_columns!(), " FROM jobs WHERE id = ANY($1)");

/// The jobs with these ids, as far as there are any.
pub(in crate::queue) async fn find_all(connection: &Connection, ids: &[i64]) -> Result<Vec<JobRow>, DbError> {
    let rows = connection.query(FIND_ALL, &[&ids]).await?;
    rows.iter().map(JobRow::read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const DETAILS: &str = concat!(
    "SELECT ",
    row_columns!(),
    ", priority, version, payload, nullif(lane, '') AS key, coalesce(unique_key, kept_key) AS unique_key,
         jobs.started_at, job_workers.name AS worker,
         cancel_requested, failures
     FROM jobs LEFT JOIN job_workers ON job_workers.id = worker_id WHERE jobs.id = $1"
);

/// Everything that is kept of a job, less its secrets.
pub(in crate::queue) async fn details(
    connection: &Connection,
    id: i64,
) -> Result<Option<JobDetails>, DbError> {
    let Some(row) = connection.query_opt(DETAILS, &[&id]).await? else { return Ok(None) };
    let read = || {
        let mut payload = row.try_get("payload")?;
        seal::redact(&mut payload);
        Ok(JobDetails {
            row: JobRow::read(&row)?,
            priority: row.try_get("priority")?,
            version: row.try_get("version")?,
            payload,
            key: row.try_get("key")?,
            unique_key: row.try_get("unique_key")?,
            started_at: row.try_get("started_at")?,
            worker: row.try_get("worker")?,
            cancel_requested: row.try_get("cancel_requested")?,
            failures: row.try_get("failures")?,
        })
    };
    read().map(Some).map_err(|error| connection.failed(error))
}

/// By the state that is stored: a scheduled job whose time has come is among the scheduled ones.
const LIST: &str = concat!(
    "SELECT ",
    row_columns!(),
    " FROM jobs
     WHERE ($1::text IS NULL OR state = $1)
         AND ($1 IS DISTINCT FROM 'discarded' OR error IS NOT NULL AND finished_at IS NOT NULL)
         AND ($2::text IS NULL OR kind = $2) AND ($3::bigint IS NULL OR id < $3)
     ORDER BY id DESC LIMIT $4"
);

/// The newest jobs that pass `filter`.
pub(in crate::queue) async fn list(
    connection: &WriteConnection,
    filter: &Filter,
) -> Result<Vec<JobRow>, DbError> {
    let state = filter.state.map(JobState::as_str);
    let limit = i64::from(filter.limit);
    let params = &[
        (&state as _, Type::TEXT),
        (&filter.kind as _, Type::TEXT),
        (&filter.before as _, Type::INT8),
        (&limit as _, Type::INT8),
    ];
    let rows = connection.query_planned(LIST, params).await?;
    rows.iter().map(JobRow::read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const CANCEL: &str = concat!(
    "UPDATE jobs
     SET state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
         run_at = CASE WHEN state = 'running' THEN run_at END,
         cancel_requested = state = 'running',
         unique_key = CASE WHEN state = 'running' THEN unique_key END,
         kept_key = CASE WHEN state = 'running' THEN NULL ELSE unique_key END,
         finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END,
         keep_until = CASE WHEN state = 'running' THEN NULL ELSE now() + make_interval(secs => $2) END
     WHERE id = $1 AND state IN ('available', 'scheduled', 'retryable', 'running')
     RETURNING ",
    row_columns!()
);

/// See [`crate::queue::Queue::cancel`].
pub(in crate::queue) async fn cancel(
    connection: &WriteConnection,
    id: i64,
) -> Result<Option<JobRow>, DbError> {
    let row = connection.query_opt(CANCEL, &[&id, &Retention::DEFAULT.failed.as_secs_f64()]).await?;
    row.map(|row| JobRow::read(&row)).transpose().map_err(|error| connection.failed(error))
}

/// Not while another one has its key.
const RETRY: &str = concat!(
    "UPDATE jobs
     SET state = 'available', run_at = now(), progress = 0, attempts_max = greatest(attempts_max, attempt + 1),
         unique_key = kept_key, kept_key = NULL, finished_at = NULL, keep_until = NULL
     WHERE id = $1 AND state IN ('discarded', 'cancelled') AND NOT EXISTS (
         SELECT FROM jobs AS holder
         WHERE holder.kind = jobs.kind AND holder.unique_key = jobs.kept_key)
     RETURNING ",
    row_columns!()
);

/// See [`crate::queue::Queue::retry`].
pub(in crate::queue) async fn retry(
    connection: &WriteConnection,
    id: i64,
) -> Result<Option<JobRow>, DbError> {
    let row = match connection.query_opt(RETRY, &[&id]).await {
        // Somebody else has taken its key at this moment.
        Err(error) if error.is_duplicate() => None,
        row => row?,
    };
    row.map(|row| JobRow::read(&row)).transpose().map_err(|error| connection.failed(error))
}

const COUNTS: &str = "
    SELECT kind, CASE WHEN state = 'scheduled' AND run_at <= now() THEN 'available' ELSE state END, count(*)
    FROM jobs GROUP BY 1, 2";

/// Jobs by kind and state.
pub(in crate::queue) async fn counts(connection: &Connection) -> Result<Vec<(String, String, i64)>, DbError> {
    let rows = connection.query(COUNTS, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

const OLDEST: &str = concat!(
    "SELECT kind, extract(epoch FROM greatest(now() - min(run_at), interval '0'))::double precision
     FROM jobs WHERE ",
    waiting!(),
    " GROUP BY kind"
);

/// By kind, for how many seconds the job that waits longest has been due.
pub(in crate::queue) async fn oldest(connection: &Connection) -> Result<Vec<(String, f64)>, DbError> {
    let rows = connection.query(OLDEST, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

const WORKERS: &str = "
    SELECT name, concurrency, extract(epoch FROM now() - started_at)::double precision, figures
    FROM job_workers WHERE lease_until >= now() ORDER BY name, id";

/// What waits, and what the workers say of themselves.
pub(in crate::queue) async fn backlog(connection: &Connection) -> Result<Backlog, DbError> {
    let counts = counts(connection).await?;
    let oldest = oldest(connection).await?;
    let workers = connection.query(WORKERS, &[]).await?;
    let workers = workers.iter().map(|row| WorkerFigures {
        name: row.get(0),
        concurrency: u32::try_from(row.get::<_, i32>(1)).unwrap_or_default(),
        up: Duration::from_secs_f64(row.get::<_, f64>(2).max(0.0)),
        // What another version has written may have another shape.
        kinds: serde_json::from_value(row.get(3)).unwrap_or_default(),
    });
    let workers: Vec<_> = workers.collect();
    Ok(Backlog::of(KindBacklog::collect(counts, oldest), workers))
}

pub(super) fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("a job by its id", FIND, &["42"]),
        HotStatement::new("the dead letters", LIST, &["'discarded'", "NULL", "NULL", "50"]),
        HotStatement::new("the jobs that are followed", FIND_ALL, &["ARRAY[42]::bigint[]"]),
    ]
}
