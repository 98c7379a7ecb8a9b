//! The SQL statement of those who follow jobs.

use std::collections::HashMap;

use tidewall_api::job::JobState;
use tokio_postgres::Row;

use crate::db::{Connection, DbError, HotStatement};
use crate::queue::JobRow;

const FOLLOWED: &str = "
    SELECT id, kind, state, progress, attempt, attempts_max, result, error, owner_id, created_at, finished_at
    FROM jobs WHERE id = ANY($1)";

/// The jobs with these ids, as far as there are any.
pub(super) async fn followed(connection: &Connection, ids: &[i64]) -> Result<HashMap<i64, JobRow>, DbError> {
    let rows = connection.query(FOLLOWED, &[&ids]).await?;
    let jobs = rows.iter().filter_map(|row| read(row).transpose());
    jobs.map(|job| job.map(|job| (job.id, job)))
        .collect::<Result<_, _>>()
        .map_err(|error| connection.failed(error))
}

/// `None` if it is in a state that this program doesn't know.
fn read(row: &Row) -> Result<Option<JobRow>, tokio_postgres::Error> {
    let Some(state) = JobState::parse(row.try_get("state")?) else { return Ok(None) };
    Ok(Some(JobRow {
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
    }))
}

/// What is asked while anybody follows a job.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![HotStatement::new("the jobs that are followed", FOLLOWED, &["ARRAY[42]::bigint[]"])]
}
