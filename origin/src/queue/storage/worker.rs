//! Workers: their leases, and what is done about lost ones.

use std::time::Duration;

use serde_json::Value;
use tokio_postgres::types::Type;

use super::{FREED_MAX, free, owned};
use crate::db::{DbError, HotStatement, WriteConnection};

/// The log that is being written: each promotion begins another.
macro_rules! log {
    () => {
        "(SELECT system::text || '/' || timeline FROM outbox_log_now)"
    };
}

const REGISTER: &str = concat!(
    "INSERT INTO job_workers (name, concurrency, lease_until)
     VALUES ($1, $2, now() + make_interval(secs => $3)) RETURNING id, ",
    log!(),
);

/// Begins a lease; the worker's number, and the log that it was written to.
pub(in crate::queue) async fn register(
    connection: &WriteConnection,
    name: &str,
    concurrency: usize,
    lease: Duration,
) -> Result<(i64, String), DbError> {
    let concurrency = i32::try_from(concurrency).unwrap_or(i32::MAX);
    let row = connection.query_one(REGISTER, &[&name, &concurrency, &lease.as_secs_f64()]).await?;
    Ok((row.get(0), row.get(1)))
}

/// One round trip for all that a heartbeat is about. A promoted server may not have the last of
/// what this worker claimed, ended, or is: it has no lease there.
const BEAT: &str = concat!(
    "WITH beat AS (
         UPDATE job_workers SET lease_until = now() + make_interval(secs => $2), figures = $3
         WHERE id = $1 AND lease_until > now() AND $4 = ",
    log!(),
    "    RETURNING id
     )
     SELECT EXISTS (SELECT FROM beat),
         ARRAY(SELECT id FROM jobs WHERE cancel_requested AND worker_id = $1)",
);

/// Extends a lease that was begun in `log`; the jobs that are to be cancelled. `None`: it was lost.
pub(in crate::queue) async fn beat(
    connection: &WriteConnection,
    worker: i64,
    log: &str,
    lease: Duration,
    figures: &Value,
) -> Result<Option<Vec<i64>>, DbError> {
    let row = connection.query_one(BEAT, &[&worker, &lease.as_secs_f64(), figures, &log]).await?;
    Ok(row.get::<_, bool>(0).then(|| row.get(1)))
}

const PROGRESS: &str = concat!(
    "UPDATE jobs SET progress = told.progress
     FROM unnest($1::bigint[], $2::integer[], $3::double precision[]) AS told (id, attempt, progress)
     WHERE ",
    owned!("told"),
);

/// Tells how running jobs go on: (id, attempt, share).
pub(in crate::queue) async fn tell_progress(
    connection: &WriteConnection,
    told: &[(i64, i32, f64)],
) -> Result<(), DbError> {
    let ids: Vec<_> = told.iter().map(|(id, ..)| *id).collect();
    let attempts: Vec<_> = told.iter().map(|(_, attempt, _)| *attempt).collect();
    let shares: Vec<_> = told.iter().map(|(.., share)| *share).collect();
    let params = &[
        (&ids as _, Type::INT8_ARRAY),
        (&attempts as _, Type::INT4_ARRAY),
        (&shares as _, Type::FLOAT8_ARRAY),
    ];
    connection.execute_planned(PROGRESS, params).await?;
    Ok(())
}

const SIGN_OFF: &str = "DELETE FROM job_workers WHERE id = $1";

/// Ends a lease by which nothing is held any more.
pub(in crate::queue) async fn sign_off(connection: &WriteConnection, worker: i64) -> Result<(), DbError> {
    connection.execute(SIGN_OFF, &[&worker]).await?;
    Ok(())
}

const ANY_EXPIRED: &str = "SELECT EXISTS (SELECT FROM job_workers WHERE lease_until < now())";

/// A claim holds its worker's row, so it has either committed by then, and whoever looks for jobs
/// of lost workers afterwards sees it; or it claims nothing. A worker whose own lease is over
/// finds nobody lost: the server's clock has gone on for all of them.
const BURY: &str = "
    DELETE FROM job_workers WHERE lease_until < now()
        AND EXISTS (SELECT FROM job_workers AS own WHERE own.id = $1 AND own.lease_until > now())
    RETURNING name";

/// Ends leases that ran out, on behalf of `worker`; the workers' names.
pub(in crate::queue) async fn bury(
    connection: &WriteConnection,
    worker: i64,
) -> Result<Vec<String>, DbError> {
    if !connection.query_one(ANY_EXPIRED, &[]).await?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let buried = connection.query(BURY, &[&worker]).await?;
    Ok(buried.iter().map(|row| row.get(0)).collect())
}

macro_rules! lost {
    ($lane:literal) => {
        concat!(
            "SELECT DISTINCT worker_id FROM jobs
             WHERE state = 'running' AND run_at IS NOT NULL AND ",
            $lane,
            "    AND NOT EXISTS (SELECT FROM job_workers WHERE job_workers.id = worker_id)"
        )
    };
}

/// No index leads to a worker's jobs: that would cost each job more than the rare look through
/// all that wait or run, which are in one index or the other. A worker is known from before its
/// first claim, and a number never comes again.
const LOST: [&str; 2] = [lost!("lane IS NULL"), lost!("lane IS NOT NULL")];

/// The workers that have jobs and no lease.
pub(in crate::queue) async fn lost(connection: &WriteConnection) -> Result<Vec<i64>, DbError> {
    let mut workers = Vec::new();
    for sql in LOST {
        let rows = connection.query_planned(sql, &[]).await?;
        workers.extend(rows.iter().map(|row| row.get::<_, i64>(0)));
    }
    Ok(workers)
}

macro_rules! rescue {
    ($lane:literal) => {
        concat!(
            "UPDATE jobs
             SET state = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempt < attempts_max THEN 'retryable'
                     ELSE 'discarded' END,
                 worker_id = NULL, running_lane = NULL, cancel_requested = FALSE,
                 run_at = CASE WHEN NOT cancel_requested AND attempt < attempts_max THEN now() END,
                 error = 'the worker that ran it was lost',
                 failures = jsonb_path_query_array(
                     failures || jsonb_build_object('attempt', attempt, 'at', now(),
                         'error', 'the worker that ran it was lost'),
                     '$[last - 9 to last]'),
                 unique_key = CASE WHEN NOT cancel_requested AND attempt < attempts_max THEN unique_key END,
                 kept_key = CASE WHEN cancel_requested OR attempt >= attempts_max THEN unique_key END,
                 finished_at = CASE WHEN cancel_requested OR attempt >= attempts_max THEN now() END,
                 keep_until = CASE WHEN cancel_requested OR attempt >= attempts_max
                     THEN now() + make_interval(secs => $1) END
             WHERE id IN (
                 SELECT id FROM jobs
                 WHERE worker_id = ANY($2) AND state = 'running' AND run_at IS NOT NULL AND ",
            $lane,
            "    LIMIT $3 FOR UPDATE SKIP LOCKED)"
        )
    };
}

/// A job that a lost worker's transaction still holds is left for later: nobody waits for it.
const RESCUE: [&str; 2] = [rescue!("lane IS NULL"), rescue!("lane IS NOT NULL")];

/// Frees jobs of lost workers; how many.
pub(in crate::queue) async fn rescue(
    connection: &WriteConnection,
    lost: &[i64],
    keep: Duration,
) -> Result<u64, DbError> {
    let keep = keep.as_secs_f64();
    let params = &[(&keep as _, Type::FLOAT8), (&lost as _, Type::INT8_ARRAY), (&FREED_MAX as _, Type::INT8)];
    free(connection, RESCUE, params).await
}

/// Jobs removed at once, so that no statement takes long.
const PRUNE_MAX: i64 = 1_000;

const PRUNE: &str = "
    DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE keep_until < now() ORDER BY keep_until LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// Removes jobs that ended so long ago that they aren't kept any more. `true`: there may be more.
pub(in crate::queue) async fn prune(connection: &WriteConnection) -> Result<bool, DbError> {
    let removed = connection.execute_planned(PRUNE, &[(&PRUNE_MAX, Type::INT8)]).await?;
    Ok(removed >= PRUNE_MAX.unsigned_abs())
}

pub(super) fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("extend a lease", BEAT, &["1", "10", "'{}'", "'1/1'"]),
        HotStatement::new("tell of progress", PROGRESS, &["ARRAY[42]", "ARRAY[1]", "ARRAY[0.5]"]),
        HotStatement::new("who has jobs and no lease", LOST[0], &[]),
        HotStatement::new("who has jobs of lanes and no lease", LOST[1], &[]),
        HotStatement::new("free lost jobs", RESCUE[0], &["60", "ARRAY[1]", "1000"]),
        HotStatement::new("free lost jobs of lanes", RESCUE[1], &["60", "ARRAY[1]", "1000"]),
        HotStatement::new("remove jobs that ended long ago", PRUNE, &["1000"]),
    ]
}
