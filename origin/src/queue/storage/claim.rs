//! Taking jobs.

use std::time::Duration;

use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{FREED_MAX, free, seconds, waiting};
use crate::db::{DbError, HotStatement, Transaction, WriteConnection};
use crate::queue::Retention;
use crate::queue::frontier::Places;
use crate::queue::job::Claimed;
use crate::queue::limits::{LANES_MAX, Rate, Use};

/// What a claim does to the rows of `due`. Only a key that is to be held to the end stays. The
/// worker's row is locked, so that whoever finds the worker lost finds its jobs, too.
macro_rules! claim {
    () => {
        "UPDATE jobs
         SET state = 'running', worker_id = $1, attempt = attempt + 1, progress = 0,
             started_at = clock_timestamp(), running_lane = lane,
             unique_key = CASE WHEN unique_to_end THEN unique_key END
         FROM due
         WHERE jobs.id = due.id AND EXISTS (
             SELECT FROM job_workers WHERE id = $1 AND era = $7 AND lease_until > clock_timestamp()
             FOR KEY SHARE)
         RETURNING jobs.id, kind, version, payload, attempt, attempts_max, uncounted, owner_id, priority, run_at,
             lane, extract(epoch FROM clock_timestamp() - greatest(run_at, created_at))::double precision"
    };
}

/// Who claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue) struct Claimant {
    /// The worker's number.
    pub(in crate::queue) worker: i64,
    /// Raised by each [`fence`].
    pub(in crate::queue) era: i32,
}

/// From the places that are given for each priority, the most urgent first: as long as one gives
/// enough, the next ones aren't looked at.
const CLAIM: &str = concat!(
    "WITH due AS MATERIALIZED (
         SELECT waiting.id
         FROM unnest($2::timestamptz[], $3::bigint[]) WITH ORDINALITY AS begin (run_at, id, ordinality)
         CROSS JOIN LATERAL (
             SELECT id FROM jobs
             WHERE priority = begin.ordinality - 1 AND (run_at, id) >= (begin.run_at, begin.id)
                 AND run_at <= now() AND lane IS NULL AND ",
    waiting!(),
    "            AND version <= ($5::smallint[])[array_position($4::text[], kind)]
             ORDER BY run_at, id
             LIMIT $6
             FOR UPDATE SKIP LOCKED
         ) AS waiting
         LIMIT $6
     ) ",
    claim!()
);

/// Takes up to `limit` jobs without limits that are due, of the given kinds and up to the given
/// versions.
pub(in crate::queue) async fn claim(
    connection: &WriteConnection,
    Claimant { worker, era }: Claimant,
    begin: &Places,
    kinds: &[&str],
    versions: &[i16],
    limit: usize,
) -> Result<Vec<Claimed>, DbError> {
    let run_at: Vec<_> = begin.iter().map(|place| place.map_or(BEGINNING, |place| place.run_at)).collect();
    let ids: Vec<i64> = begin.iter().map(|place| place.map_or(0, |place| place.id)).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = connection
        .query_planned(
            CLAIM,
            &[
                (&worker, Type::INT8),
                (&run_at, Type::TIMESTAMPTZ_ARRAY),
                (&ids, Type::INT8_ARRAY),
                (&kinds, Type::TEXT_ARRAY),
                (&versions, Type::INT2_ARRAY),
                (&limit, Type::INT8),
                (&era, Type::INT4),
            ],
        )
        .await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

/// Before every job.
const BEGINNING: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn read(row: &Row) -> Result<Claimed, tokio_postgres::Error> {
    Ok(Claimed {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        version: row.try_get(2)?,
        payload: row.try_get(3)?,
        attempt: row.try_get(4)?,
        attempts_max: row.try_get(5)?,
        uncounted: row.try_get(6)?,
        owner: row.try_get(7)?,
        priority: row.try_get(8)?,
        run_at: row.try_get(9)?,
        lane: row.try_get(10)?,
        waited: Duration::from_secs_f64(row.try_get::<_, f64>(11)?.max(0.0)),
    })
}

/// First half of the key of the locks that kinds have; an arbitrary number.
const LOCKS: i32 = 0x7469_6465;

const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))";

/// The right to claim jobs of `kind` until the transaction ends. `false`: another worker has it.
pub(in crate::queue) async fn lock(transaction: &Transaction, kind: &str) -> Result<bool, DbError> {
    // A worker that stands still in the middle doesn't keep the others from it for long.
    transaction.batch("SET LOCAL idle_in_transaction_session_timeout = '5s'").await?;
    Ok(transaction.query_one(LOCK, &[&LOCKS, &kind]).await?.get(0))
}

const USE: &str = "
    SELECT (SELECT count(*) FROM jobs WHERE kind = $1 AND running_lane IS NOT NULL),
        coalesce((SELECT extract(epoch FROM arrival_at - now())::double precision
            FROM job_rates WHERE kind = $1), 0)";

/// What is used of a kind's limits. To be asked under its lock.
pub(in crate::queue) async fn used(transaction: &Transaction, kind: &str) -> Result<Use, DbError> {
    let rows = transaction.query_planned(USE, &[(&kind, Type::TEXT)]).await?;
    let Some(row) = rows.first() else { return Ok(Use::default()) };
    let running = u32::try_from(row.get::<_, i64>(0)).unwrap_or(u32::MAX);
    Ok(Use { running, ahead: Duration::from_secs_f64(row.get::<_, f64>(1).max(0.0)) })
}

/// Which lanes have jobs that wait, from one on, and how many jobs of each run: by a step of the
/// index for each lane, however many jobs there are.
const LANES: &str = concat!(
    "WITH RECURSIVE lanes AS (
         (SELECT lane FROM jobs WHERE kind = $1 AND lane >= $2 AND lane IS NOT NULL AND ",
    waiting!(),
    "     ORDER BY lane LIMIT 1)
         UNION ALL
         SELECT (SELECT jobs.lane FROM jobs
             WHERE kind = $1 AND jobs.lane > lanes.lane AND jobs.lane IS NOT NULL AND ",
    waiting!(),
    "         ORDER BY jobs.lane LIMIT 1)
         FROM lanes WHERE lane IS NOT NULL
     )
     SELECT lane, (SELECT count(*) FROM jobs AS other
         WHERE other.kind = $1 AND other.running_lane = lanes.lane AND other.running_lane IS NOT NULL)
     FROM lanes WHERE lane IS NOT NULL LIMIT $3"
);

/// Lanes of a kind that have jobs that wait, from `from` on, and how many run in each.
pub(in crate::queue) async fn lanes(
    transaction: &Transaction,
    kind: &str,
    from: &str,
) -> Result<Vec<(String, u32)>, DbError> {
    let limit = i64::try_from(LANES_MAX).unwrap_or(i64::MAX);
    let params = &[(&kind as _, Type::TEXT), (&from as _, Type::TEXT), (&limit as _, Type::INT8)];
    let rows = transaction.query_planned(LANES, params).await?;
    let running = |row: &Row| u32::try_from(row.get::<_, i64>(1)).unwrap_or(u32::MAX);
    Ok(rows.iter().map(|row| (row.get(0), running(row))).collect())
}

/// Of each lane as many as it has room for, as long as there is enough of all.
const CLAIM_LANES: &str = concat!(
    "WITH due AS MATERIALIZED (
         SELECT waiting.id
         FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS open (lane, room, ordinality)
         CROSS JOIN LATERAL (
             SELECT id FROM jobs
             WHERE kind = $2 AND lane = open.lane AND lane IS NOT NULL AND run_at <= now() AND version <= $5
                 AND ",
    waiting!(),
    "        ORDER BY priority, run_at, id
             LIMIT open.room
             FOR UPDATE SKIP LOCKED
         ) AS waiting
         LIMIT $6
     ) ",
    claim!()
);

/// Takes jobs of a kind with limits from the lanes that have room. To be done under its lock.
pub(in crate::queue) async fn claim_lanes(
    transaction: &Transaction,
    Claimant { worker, era }: Claimant,
    (kind, version): (&str, i16),
    rooms: &[(&str, usize)],
    limit: usize,
) -> Result<Vec<Claimed>, DbError> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let lanes: Vec<&str> = rooms.iter().map(|(lane, _)| *lane).collect();
    let room: Vec<i64> = rooms.iter().map(|(_, room)| number(*room)).collect();
    let limit = number(limit);
    let rows = transaction
        .query_planned(
            CLAIM_LANES,
            &[
                (&worker, Type::INT8),
                (&kind, Type::TEXT),
                (&lanes, Type::TEXT_ARRAY),
                (&room, Type::INT8_ARRAY),
                (&version, Type::INT2),
                (&limit, Type::INT8),
                (&era, Type::INT4),
            ],
        )
        .await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| transaction.failed(error))
}

const USE_RATE: &str = "
    INSERT INTO job_rates (kind, arrival_at) VALUES ($1, now() + make_interval(secs => $2))
    ON CONFLICT (kind) DO UPDATE SET arrival_at = excluded.arrival_at";

/// Notes that `begun` attempts of a kind were begun. To be done under its lock.
pub(in crate::queue) async fn use_rate(
    transaction: &Transaction,
    kind: &str,
    rate: Rate,
    used: Use,
    begun: usize,
) -> Result<(), DbError> {
    let ahead = rate.ahead(used.ahead, begun).as_secs_f64();
    transaction.execute(USE_RATE, &[&kind, &ahead]).await?;
    Ok(())
}

macro_rules! release {
    ($lane:literal) => {
        concat!(
            "UPDATE jobs
             SET state = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'available' END,
                 worker_id = NULL, running_lane = NULL, cancel_requested = FALSE, progress = 0,
                 attempts_max = attempts_max + 1, uncounted = uncounted + 1,
                 run_at = CASE WHEN NOT cancel_requested THEN run_at END,
                 unique_key = CASE WHEN NOT cancel_requested THEN unique_key END,
                 kept_key = CASE WHEN cancel_requested THEN unique_key END,
                 finished_at = CASE WHEN cancel_requested THEN now() END,
                 keep_until = CASE WHEN cancel_requested THEN now() + make_interval(secs => $3) END
             WHERE id IN (
                 SELECT id FROM jobs
                 WHERE worker_id = $1 AND state = 'running' AND run_at IS NOT NULL AND ",
            $lane,
            "        AND EXISTS (SELECT FROM job_workers WHERE id = $1 AND era = $6 FOR KEY SHARE)
                     AND NOT EXISTS (SELECT FROM unnest($2::bigint[], $4::integer[]) AS held (id, attempt)
                         WHERE held.id = jobs.id AND held.attempt = jobs.attempt)
                 LIMIT $5 FOR UPDATE SKIP LOCKED)"
        )
    };
}

/// What waits or runs is in one index or the other; what has ended is in neither.
const RELEASE: [&str; 2] = [release!("lane IS NULL"), release!("lane IS NOT NULL")];

/// Waits for a claim that the server still works on.
const FENCE: &str = "SELECT era FROM job_workers WHERE id = $1 FOR UPDATE";

const RAISE: &str = "UPDATE job_workers SET era = era + 1 WHERE id = $1 RETURNING era";

/// Sees to it that no claim of `worker` from before takes anything any more; the era in which it
/// claims from now on, unless it was found lost.
pub(in crate::queue) async fn fence(transaction: &Transaction, worker: i64) -> Result<Option<i32>, DbError> {
    transaction.query_opt(FENCE, &[&worker]).await?;
    Ok(transaction.query_opt(RAISE, &[&worker]).await?.map(|row| row.get(0)))
}

/// Hands back jobs that a worker has by the database and doesn't know of, `held` being the
/// attempts that it does know of: (id, attempt). How many; those that somebody holds are left.
/// Nothing in another era: the server may take this up when it was done once more already.
pub(in crate::queue) async fn release(
    connection: &WriteConnection,
    Claimant { worker, era }: Claimant,
    held: &[(i64, i32)],
) -> Result<u64, DbError> {
    let keep = seconds(Retention::DEFAULT.failed);
    let (ids, attempts): (Vec<_>, Vec<_>) = held.iter().copied().unzip();
    let params = &[
        (&worker as _, Type::INT8),
        (&ids as _, Type::INT8_ARRAY),
        (&keep as _, Type::FLOAT8),
        (&attempts as _, Type::INT4_ARRAY),
        (&FREED_MAX as _, Type::INT8),
        (&era as _, Type::INT4),
    ];
    free(connection, RELEASE, params).await
}

const ADOPT: &str = concat!(
    "UPDATE jobs SET lane = CASE WHEN kind = ANY($1) THEN '' END
     WHERE id IN (
         SELECT id FROM jobs WHERE ",
    waiting!(),
    "        AND (kind = ANY($1) AND lane IS NULL OR kind = ANY($2) AND lane IS NOT NULL)
         FOR UPDATE SKIP LOCKED)"
);

/// Brings jobs that were enqueued when their kind had no limits yet, or had them still, to where
/// this worker looks for them.
pub(in crate::queue) async fn adopt(
    connection: &WriteConnection,
    limited: &[&str],
    unlimited: &[&str],
) -> Result<u64, DbError> {
    let params = &[(&limited as _, Type::TEXT_ARRAY), (&unlimited as _, Type::TEXT_ARRAY)];
    connection.execute_planned(ADOPT, params).await
}

pub(super) fn hot_statements() -> Vec<HotStatement> {
    let beginning = "ARRAY['epoch', 'epoch', 'epoch', 'epoch']::timestamptz[]";
    vec![
        HotStatement::new(
            "claim jobs that are due",
            CLAIM,
            &["1", beginning, "ARRAY[0, 0, 0, 0]", "ARRAY['report']", "ARRAY[1]", "10", "0"],
        ),
        HotStatement::new("hand back", RELEASE[0], &["1", "ARRAY[42]", "60", "ARRAY[1]", "1000", "0"]),
        HotStatement::new(
            "hand back jobs of lanes",
            RELEASE[1],
            &["1", "ARRAY[42]", "60", "ARRAY[1]", "1000", "0"],
        ),
        HotStatement::new("what is used of a kind's limits", USE, &["'report'"]),
        HotStatement::new("lanes with jobs", LANES, &["'report'", "''", "200"]),
        HotStatement::new(
            "claim jobs of lanes",
            CLAIM_LANES,
            &["1", "'report'", "ARRAY['']", "ARRAY[1]", "1::smallint", "10", "0"],
        ),
    ]
}
