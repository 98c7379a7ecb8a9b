//! Every SQL statement of the outbox. Times are the database's.

use std::time::Duration;

use serde_json::Value;
use tidewall_api::purge::Purge;
use tokio_postgres::Row;

use super::delivery::Waiting;
use super::invalidation::Invalidation;
use crate::db::{Connection, DbError, HotStatement, Transaction, WriteConnection};

/// A write is named by its transaction, unless the number may have been another's in a
/// log that was left: one whose invalidation the edge knows still, and would take this
/// one for. It forgets them after ten minutes, and clocks needn't be exact.
const ENQUEUE: &str = "
    INSERT INTO outbox (write_id, purge)
    SELECT CASE WHEN EXISTS (
            SELECT FROM outbox_log JOIN outbox_log_now USING (system, timeline)
            WHERE since < now() - interval '15 minutes')
        THEN pg_current_xact_id() END, $1::jsonb
    RETURNING write_id::text";

/// Adds an invalidation that is there once `transaction` commits; the write's name.
pub(super) async fn enqueue(
    transaction: &Transaction,
    invalidation: &Invalidation,
) -> Result<Option<u64>, DbError> {
    let row = transaction.query_one(ENQUEUE, &[&json(invalidation)]).await?;
    write(&row, 0).map_err(|error| transaction.failed(error))
}

fn json(invalidation: &Invalidation) -> Value {
    // Lists of text and flags: nothing in them can fail.
    serde_json::to_value(invalidation.purge()).unwrap_or_default()
}

/// A transaction's number, which has no type of its own here.
fn write(row: &Row, column: usize) -> Result<Option<u64>, tokio_postgres::Error> {
    Ok(row.try_get::<_, Option<&str>>(column)?.and_then(|number| number.parse().ok()))
}

const LOOK: &str = "
    SELECT (SELECT extract(epoch FROM clock_timestamp() - enqueued_at)::double precision
            FROM outbox WHERE failed_at IS NULL ORDER BY id LIMIT 1),
        NOT EXISTS (SELECT FROM outbox_log JOIN outbox_log_now USING (system, timeline))";

/// How the outbox stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// For how long the first row has waited, if there is one.
    pub(super) oldest: Option<Duration>,
    /// The primary writes another log than when somebody last looked.
    pub(super) is_another_log: bool,
}

/// How the outbox stands.
pub(super) async fn look(connection: &Connection) -> Result<Look, DbError> {
    let row = connection.query_one(LOOK, &[]).await?;
    let look =
        || Ok(Look { oldest: row.try_get::<_, Option<f64>>(0)?.map(age), is_another_log: row.try_get(1)? });
    look().map_err(|error| connection.failed(error))
}

/// Clocks may be set back.
fn age(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Of several who see the same log for the first time, the others wait for the first of
/// them here, and then change nothing.
const NOTE_LOG: &str = "
    WITH another AS (
        INSERT INTO outbox_log (system, timeline) SELECT system, timeline FROM outbox_log_now
        ON CONFLICT (id) DO UPDATE
        SET system = excluded.system, timeline = excluded.timeline, since = excluded.since
        WHERE (outbox_log.system, outbox_log.timeline) <> (excluded.system, excluded.timeline)
        RETURNING timeline)
    INSERT INTO outbox (purge) SELECT $1::jsonb FROM another RETURNING (SELECT timeline FROM another)";

/// Notes which log the primary writes, and adds `invalidation` if it is another than
/// before: then its timeline.
pub(super) async fn note_log(
    connection: &WriteConnection,
    invalidation: &Invalidation,
) -> Result<Option<i32>, DbError> {
    let row = connection.query_opt(NOTE_LOG, &[&json(invalidation)]).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| connection.failed(error))
}

const WAITING: &str = "
    SELECT id, write_id::text, purge, extract(epoch FROM clock_timestamp() - enqueued_at)::double precision
    FROM outbox WHERE failed_at IS NULL ORDER BY id LIMIT $1";

/// A row, or the id of one that can't be read.
pub(super) type Read = Result<Waiting, i64>;

/// The first rows that wait.
pub(super) async fn waiting(connection: &Connection, limit: i64) -> Result<Vec<Read>, DbError> {
    let rows = connection.query(WAITING, &[&limit]).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

fn read(row: &Row) -> Result<Read, tokio_postgres::Error> {
    let id = row.try_get(0)?;
    let Ok(purge) = serde_json::from_value::<Purge>(row.try_get(2)?) else { return Ok(Err(id)) };
    Ok(Ok(Waiting { id, write: write(row, 1)?, purge, age: age(row.try_get(3)?) }))
}

const DELETE: &str = "DELETE FROM outbox WHERE id = ANY($1)";

/// Ends rows that were delivered; their number.
pub(super) async fn delete(connection: &WriteConnection, ids: &[i64]) -> Result<u64, DbError> {
    connection.execute(DELETE, &[&ids]).await
}

const SET_ASIDE: &str =
    "UPDATE outbox SET failed_at = clock_timestamp(), failure = $2 WHERE id = $1 AND failed_at IS NULL";

/// Sets a row aside that can't be delivered.
pub(super) async fn set_aside(connection: &WriteConnection, id: i64, failure: &str) -> Result<u64, DbError> {
    connection.execute(SET_ASIDE, &[&id, &failure]).await
}

const COUNTS: &str = "
    SELECT count(*) FILTER (WHERE failed_at IS NULL), count(failed_at),
        coalesce(extract(epoch FROM greatest(clock_timestamp()
            - min(enqueued_at) FILTER (WHERE failed_at IS NULL), interval '0')), 0)::double precision
    FROM outbox";

/// How many rows wait and were set aside, and for how many seconds the oldest has waited.
pub(super) async fn counts(connection: &Connection) -> Result<(i64, i64, f64), DbError> {
    let row = connection.query_one(COUNTS, &[]).await?;
    Ok((row.get(0), row.get(1), row.get(2)))
}

/// What deliverers run all the time.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("invalidations that wait", WAITING, &["100"]),
        HotStatement::new("end invalidations", DELETE, &["ARRAY[42]"]),
        HotStatement::new("set an invalidation aside", SET_ASIDE, &["42", "'why'"]),
    ]
}
