//! New jobs.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::{row_columns, seconds};
use crate::db::{Connection, DbError, Params};
use crate::queue::job::{Enqueued, JobRow, NewJob, NewJobError};
use crate::queue::seal::{self, Seal};
use crate::queue::unique::{OnConflict, Unique};

/// A key's holder may be claimed, or end, between the insertion that meets it and the look at it.
const UNIQUE_TRIES: usize = 5;

macro_rules! insert {
    () => {
        "INSERT INTO jobs (kind, version, payload, state, priority, attempts_max, run_at, owner_id, lane,
             unique_key, unique_to_end)
         SELECT kind, version, payload, CASE WHEN at > statement_timestamp() THEN 'scheduled' ELSE 'available' END, priority,
             attempts_max, at, owner_id, lane, unique_key, unique_to_end
         FROM (
             SELECT *, greatest(least(coalesce(run_at, statement_timestamp()) + make_interval(secs => delay),
                 '9998-01-01'), 'epoch') AS at
             FROM unnest($1::text[], $2::smallint[], $3::jsonb[], $4::smallint[], $5::integer[],
                     $6::timestamptz[], $7::double precision[], $8::bigint[], $9::text[], $10::text[],
                     $11::boolean[])
                 WITH ORDINALITY AS given (kind, version, payload, priority, attempts_max, run_at, delay,
                     owner_id, lane, unique_key, unique_to_end, ordinality)
         ) AS new
         ORDER BY ordinality "
    };
}

const INSERT: &str = concat!(insert!(), "RETURNING ", row_columns!());

macro_rules! on_conflict {
    () => {
        "ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL"
    };
}

/// The holder of the key stays as it is.
const INSERT_OR_NOT: &str = concat!(
    insert!(),
    on_conflict!(),
    " DO NOTHING RETURNING TRUE AS is_new, jobs.unique_key, ",
    row_columns!()
);

/// The holder of the key, if it waits, becomes what the new one would have been.
const INSERT_OR_REPLACE: &str = concat!(
    insert!(),
    on_conflict!(),
    " DO UPDATE
         SET version = excluded.version, payload = excluded.payload, priority = excluded.priority,
             run_at = excluded.run_at, state = excluded.state, lane = excluded.lane,
             owner_id = excluded.owner_id, attempts_max = excluded.attempts_max + jobs.attempt,
             uncounted = jobs.attempt
         WHERE jobs.state IN ('available', 'scheduled', 'retryable')
     RETURNING xmax = 0 AS is_new, ",
    row_columns!()
);

const HOLDER: &str = concat!("SELECT ", row_columns!(), " FROM jobs WHERE kind = $1 AND unique_key = $2");

/// Adds jobs, in the connection's transaction if it has one; what became of each, in their order.
pub(in crate::queue) async fn enqueue(
    connection: &Connection,
    jobs: &[NewJob],
    seal: Option<&Seal>,
) -> Result<Vec<Enqueued>, NewJobError> {
    let (plain, unique): (Vec<_>, Vec<_>) =
        jobs.iter().enumerate().partition(|(_, job)| job.unique.is_none());
    let mut enqueued: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    if !plain.is_empty() {
        let rows = insert(connection, INSERT, plain.iter().map(|(_, job)| *job), seal).await?;
        for ((index, _), row) in plain.iter().zip(&rows) {
            enqueued[*index] = Some(Enqueued { job: read(connection, row)?, is_new: true });
        }
    }
    let mut unique: Vec<_> =
        unique.into_iter().filter_map(|(index, job)| Some((index, job, job.unique.as_ref()?))).collect();
    // Everybody takes keys in one order, so that nobody waits for somebody who waits for him.
    unique.sort_by_key(|(index, job, unique)| (job.kind, &*unique.key, *index));
    let mut added = add_new(connection, &unique, seal).await?;
    for (index, job, unique) in unique {
        enqueued[index] = Some(match added.remove(&index) {
            Some(job) => Enqueued { job, is_new: true },
            None => enqueue_unique(connection, job, unique, seal).await?,
        });
    }
    Ok(enqueued.into_iter().flatten().collect())
}

/// A job with its place among those that were given, and its key.
type Keyed<'a> = (usize, &'a NewJob, &'a Unique);

/// Adds, in one statement, the jobs whose keys nobody has and that replace nobody; by their places.
async fn add_new(
    connection: &Connection,
    unique: &[Keyed<'_>],
    seal: Option<&Seal>,
) -> Result<BTreeMap<usize, JobRow>, NewJobError> {
    let mut places = BTreeMap::new();
    let mut jobs = Vec::new();
    for (index, job, unique) in unique {
        // What replaces can't be added with the others, and they are to take their keys in one order.
        if unique.on_conflict == OnConflict::Replace {
            return Ok(BTreeMap::new());
        }
        // The first of a key: the others meet it.
        if let Entry::Vacant(place) = places.entry((job.kind, &*unique.key)) {
            place.insert(*index);
            jobs.push(*job);
        }
    }
    if jobs.len() < 2 {
        return Ok(BTreeMap::new());
    }
    let mut added = BTreeMap::new();
    for row in insert(connection, INSERT_OR_NOT, jobs, seal).await? {
        let key: &str = row.try_get("unique_key").map_err(|error| connection.failed(error))?;
        let job = read(connection, &row)?;
        if let Some(index) = places.get(&(&*job.kind, key)) {
            added.insert(*index, job);
        }
    }
    Ok(added)
}

async fn enqueue_unique(
    connection: &Connection,
    job: &NewJob,
    unique: &Unique,
    seal: Option<&Seal>,
) -> Result<Enqueued, NewJobError> {
    let (key, sql) = match unique.on_conflict {
        OnConflict::Replace => (&*unique.key, INSERT_OR_REPLACE),
        OnConflict::Drop | OnConflict::Keep => (&*unique.key, INSERT_OR_NOT),
    };
    for _ in 0..UNIQUE_TRIES {
        if let Some(row) = insert(connection, sql, [job], seal).await?.first() {
            let is_new = row.try_get("is_new").map_err(|error| connection.failed(error))?;
            return Ok(Enqueued { job: read(connection, row)?, is_new });
        }
        if let Some(row) = connection.query_opt(HOLDER, &[&job.kind, &key]).await? {
            return Ok(Enqueued { job: read(connection, &row)?, is_new: false });
        }
    }
    Err(NewJobError::Unique(key.to_owned()))
}

fn read(connection: &Connection, row: &Row) -> Result<JobRow, DbError> {
    JobRow::read(row).map_err(|error| connection.failed(error))
}

async fn insert(
    connection: &Connection,
    sql: &str,
    jobs: impl IntoIterator<Item = &NewJob>,
    seal: Option<&Seal>,
) -> Result<Vec<Row>, NewJobError> {
    let mut rows = Rows::default();
    for job in jobs {
        let mut payload = job.payload.clone();
        seal::seal(seal, job.kind, job.secrets, &mut payload)?;
        rows.kind.push(job.kind);
        rows.version.push(job.version);
        rows.payload.push(payload);
        rows.priority.push(job.priority.rank());
        rows.attempts_max.push(job.attempts_max);
        rows.run_at.push(job.run_at);
        rows.delay.push(seconds(job.delay));
        rows.owner.push(job.owner);
        rows.lane.push(job.lane.as_deref());
        rows.unique_key.push(job.unique.as_ref().map(|unique| &*unique.key));
        rows.unique_to_end.push(job.unique.as_ref().is_some_and(|unique| unique.to_end()));
    }
    let params: Params<'_> = &[
        &rows.kind,
        &rows.version,
        &rows.payload,
        &rows.priority,
        &rows.attempts_max,
        &rows.run_at,
        &rows.delay,
        &rows.owner,
        &rows.lane,
        &rows.unique_key,
        &rows.unique_to_end,
    ];
    Ok(connection.query(sql, params).await?)
}

/// Columns, as UNNEST takes them.
#[derive(Default)]
struct Rows<'a> {
    kind: Vec<&'a str>,
    version: Vec<i16>,
    payload: Vec<Value>,
    priority: Vec<i16>,
    attempts_max: Vec<i32>,
    run_at: Vec<Option<OffsetDateTime>>,
    delay: Vec<f64>,
    owner: Vec<Option<i64>>,
    lane: Vec<Option<&'a str>>,
    unique_key: Vec<Option<&'a str>>,
    unique_to_end: Vec<bool>,
}
