//! Every SQL statement of the queue.
//!
//! Times are the database's, so that workers whose clocks differ agree on
//! leases. A statement that ends or extends an attempt names (id, attempt) and
//! changes nothing once a later attempt owns the job.

use std::time::Duration;

use serde_json::Value;

use super::job::{Claimed, JobRow, NewJob};
use crate::db::{Connection, DbError, HotStatement, Params, Transaction, WriteConnection};

const ENQUEUE: &str = "
    INSERT INTO jobs (kind, payload, attempts_max, owner_id) VALUES ($1, $2, $3, $4)
    RETURNING id, kind, state, progress, attempt, attempts_max, result, error, owner_id, created_at,
        finished_at";

/// Adds a job that exists once `transaction` commits.
pub async fn enqueue(transaction: &Transaction, job: &NewJob) -> Result<JobRow, DbError> {
    let params: Params<'_> = &[&job.kind, &job.payload, &job.attempts_max, &job.owner];
    let row = transaction.query_one(ENQUEUE, params).await?;
    JobRow::read(&row).map_err(|error| transaction.failed(error))
}

const FIND: &str = "
    SELECT id, kind, state, progress, attempt, attempts_max, result, error, owner_id, created_at,
        finished_at
    FROM jobs WHERE id = $1";

/// The job with this id.
pub async fn find(connection: &Connection, id: i64) -> Result<Option<JobRow>, DbError> {
    let row = connection.query_opt(FIND, &[&id]).await?;
    row.map(|row| JobRow::read(&row)).transpose().map_err(|error| connection.failed(error))
}

const CLAIM: &str = "
    WITH due AS (
        SELECT id FROM jobs
        WHERE state IN ('available', 'scheduled', 'retryable') AND run_at <= now() AND kind = ANY($1)
        ORDER BY priority DESC, run_at, id
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs
    SET state = 'running', attempt = attempt + 1, progress = 0,
        lease_until = now() + make_interval(secs => $3)
    FROM due WHERE jobs.id = due.id
    RETURNING jobs.id, kind, payload, attempt, attempts_max";

/// Takes up to `limit` jobs that are due, of the given kinds.
pub(super) async fn claim(
    connection: &WriteConnection,
    kinds: &[&str],
    limit: usize,
    lease: Duration,
) -> Result<Vec<Claimed>, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = connection.query(CLAIM, &[&kinds, &limit, &lease.as_secs_f64()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                payload: row.try_get(2)?,
                attempt: row.try_get(3)?,
                attempts_max: row.try_get(4)?,
            })
        })
        .collect::<Result<_, _>>()
        .map_err(|error| connection.failed(error))
}

const HEARTBEAT: &str = "
    UPDATE jobs SET lease_until = now() + make_interval(secs => $3), progress = $4
    WHERE id = $1 AND attempt = $2 AND state = 'running'";

/// Extends a lease. `false`: it was lost, and the attempt must stop.
pub(super) async fn heartbeat(
    connection: &WriteConnection,
    job: &Claimed,
    lease: Duration,
    progress: f64,
) -> Result<bool, DbError> {
    Ok(connection.execute(HEARTBEAT, &[&job.id, &job.attempt, &lease.as_secs_f64(), &progress]).await? == 1)
}

const COMPLETE: &str = "
    UPDATE jobs
    SET state = 'completed', progress = 1, result = $3, error = NULL, lease_until = NULL, finished_at = now()
    WHERE id = $1 AND attempt = $2 AND state = 'running'";

/// Ends a job well. `false`: a later attempt owns it.
pub(super) async fn complete(
    connection: &WriteConnection,
    job: &Claimed,
    result: &Value,
) -> Result<bool, DbError> {
    Ok(connection.execute(COMPLETE, &[&job.id, &job.attempt, result]).await? == 1)
}

const RETRY: &str = "
    UPDATE jobs
    SET state = 'retryable', error = $3, lease_until = NULL, run_at = now() + make_interval(secs => $4)
    WHERE id = $1 AND attempt = $2 AND state = 'running'";

/// Ends a failed attempt; the next may begin after `delay`.
pub(super) async fn retry(
    connection: &WriteConnection,
    job: &Claimed,
    error: &str,
    delay: Duration,
) -> Result<bool, DbError> {
    Ok(connection.execute(RETRY, &[&job.id, &job.attempt, &error, &delay.as_secs_f64()]).await? == 1)
}

const DISCARD: &str = "
    UPDATE jobs SET state = 'discarded', error = $3, lease_until = NULL, finished_at = now()
    WHERE id = $1 AND attempt = $2 AND state = 'running'";

/// Ends a job that failed for good.
pub(super) async fn discard(
    connection: &WriteConnection,
    job: &Claimed,
    error: &str,
) -> Result<bool, DbError> {
    Ok(connection.execute(DISCARD, &[&job.id, &job.attempt, &error]).await? == 1)
}

const HAND_BACK: &str = "
    UPDATE jobs SET state = 'available', attempt = attempt - 1, progress = 0, lease_until = NULL
    WHERE id = $1 AND attempt = $2 AND state = 'running'";

/// Gives a job back that this worker will not end. That is no failure, so it
/// costs the job no attempt; the attempt must have stopped before.
pub(super) async fn hand_back(connection: &WriteConnection, job: &Claimed) -> Result<bool, DbError> {
    Ok(connection.execute(HAND_BACK, &[&job.id, &job.attempt]).await? == 1)
}

const RESCUE: &str = "
    WITH lost AS (
        SELECT id FROM jobs WHERE state = 'running' AND lease_until < now() FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs
    SET state = CASE WHEN attempt < attempts_max THEN 'retryable' ELSE 'discarded' END,
        finished_at = CASE WHEN attempt < attempts_max THEN NULL ELSE now() END,
        error = 'the worker that ran it was lost', lease_until = NULL, run_at = now()
    FROM lost WHERE jobs.id = lost.id
    RETURNING jobs.id";

/// Frees the jobs whose lease ran out; their ids.
pub(super) async fn rescue(connection: &WriteConnection) -> Result<Vec<i64>, DbError> {
    Ok(connection.query(RESCUE, &[]).await?.iter().map(|row| row.get(0)).collect())
}

const COUNTS: &str = "SELECT kind, state, count(*) FROM jobs GROUP BY kind, state";

/// Jobs by kind and state.
pub(super) async fn counts(connection: &Connection) -> Result<Vec<(String, String, i64)>, DbError> {
    let rows = connection.query(COUNTS, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

const OLDEST: &str = "
    SELECT kind, extract(epoch FROM greatest(now() - min(run_at), interval '0'))::double precision
    FROM jobs WHERE state IN ('available', 'scheduled', 'retryable') GROUP BY kind";

/// By kind, for how many seconds the job that waits longest has been due.
pub(super) async fn oldest(connection: &Connection) -> Result<Vec<(String, f64)>, DbError> {
    let rows = connection.query(OLDEST, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What workers run all the time, and whoever waits for a job.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("a job by its id", FIND, &["42"]),
        HotStatement::new("claim jobs that are due", CLAIM, &["ARRAY['report']", "10", "10"]),
        HotStatement::new("extend a lease", HEARTBEAT, &["42", "1", "10", "0.5"]),
        HotStatement::new("complete a job", COMPLETE, &["42", "1", "'{}'"]),
        HotStatement::new("try a job again", RETRY, &["42", "1", "'why'", "10"]),
        HotStatement::new("jobs whose lease ran out", RESCUE, &[]),
    ]
}
