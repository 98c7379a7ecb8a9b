//! The Lab's statements. Its tables are its own, and made when it is first used.

use serde_json::Value;
use tidewall_api::lab::Reckoned;

use crate::db::{Connection, Db, DbError, Lsn, Transaction};

/// Rows that are written to: so many at a time don't wait for each other.
pub(super) const COUNTERS: i64 = 64;
/// The calculation looks at each order, and takes one of so many.
const SHARES: i64 = 997;

/// Makes the tables, once. Where in the log they are.
pub(super) async fn prepare(db: &Db) -> Result<Option<Lsn>, DbError> {
    let made = db.write(async |transaction| {
        // Origins do this at the same time.
        transaction
            .batch(&format!(
                "SELECT pg_advisory_xact_lock(hashtext('tidewall_lab'));
                 CREATE SCHEMA IF NOT EXISTS tidewall_lab;
                 CREATE TABLE IF NOT EXISTS tidewall_lab.versions (
                     strategy text NOT NULL,
                     number bigint NOT NULL,
                     version bigint NOT NULL,
                     PRIMARY KEY (strategy, number)
                 );
                 CREATE TABLE IF NOT EXISTS tidewall_lab.counters (
                     id bigint PRIMARY KEY,
                     count bigint NOT NULL
                 );
                 INSERT INTO tidewall_lab.counters
                 SELECT id, 0 FROM generate_series(0, {COUNTERS} - 1) AS id
                 ON CONFLICT DO NOTHING;
                 CREATE TABLE IF NOT EXISTS tidewall_lab.lag (
                     id boolean PRIMARY KEY DEFAULT true CHECK (id),
                     ends_at timestamptz NOT NULL
                 );
                 CREATE TABLE IF NOT EXISTS tidewall_lab.kills (
                     id boolean PRIMARY KEY DEFAULT true CHECK (id),
                     at timestamptz NOT NULL
                 )"
            ))
            .await
    });
    Ok(made.await?.position)
}

/// Where in the log the tables are, if somebody has made them.
pub(super) async fn find(db: &Db) -> Result<Option<Lsn>, DbError> {
    let connection = db.writer().await?;
    let there = "SELECT to_regclass('tidewall_lab.kills') IS NOT NULL";
    match connection.query_one(there, &[]).await?.get(0) {
        true => connection.flushed().await.map(Some),
        false => Ok(None),
    }
}

/// Whether an origin may be killed now: none was for so many seconds. This one counts.
pub(super) async fn may_kill(db: &Db, seconds: u32) -> Result<bool, DbError> {
    let sql = "INSERT INTO tidewall_lab.kills (at) VALUES (now())
        ON CONFLICT (id) DO UPDATE SET at = excluded.at
            WHERE kills.at < now() - $1 * interval '1 second'";
    let written = db.write(async |transaction| transaction.execute(sql, &[&f64::from(seconds)]).await);
    Ok(written.await?.value == 1)
}

/// A calculation over all orders, and how often its number was written.
pub(super) async fn reckon(
    connection: &Connection,
    strategy: &str,
    number: u32,
) -> Result<Reckoned, DbError> {
    let sql =
        "SELECT coalesce((SELECT version FROM tidewall_lab.versions WHERE strategy = $1 AND number = $2), 0),
                   coalesce((SELECT sum(total_cents)::bigint FROM orders WHERE id % $3 = $2 % $3), 0)";
    let row = connection.query_one(sql, &[&strategy, &i64::from(number), &SHARES]).await?;
    Ok(Reckoned { number, version: row.get(0), total_cents: row.get(1) })
}

/// Writes to a number.
pub(super) async fn write(
    transaction: &Transaction,
    strategy: &str,
    number: u32,
) -> Result<Reckoned, DbError> {
    let sql = "INSERT INTO tidewall_lab.versions (strategy, number, version) VALUES ($1, $2, 1)
        ON CONFLICT (strategy, number) DO UPDATE SET version = versions.version + 1
        RETURNING version,
            coalesce((SELECT sum(total_cents)::bigint FROM orders WHERE id % $3 = $2 % $3), 0)";
    let row = transaction.query_one(sql, &[&strategy, &i64::from(number), &SHARES]).await?;
    Ok(Reckoned { number, version: row.get(0), total_cents: row.get(1) })
}

/// Counts one more.
pub(super) async fn count(transaction: &Transaction, id: i64) -> Result<i64, DbError> {
    let sql = "UPDATE tidewall_lab.counters SET count = count + 1 WHERE id = $1 RETURNING count";
    Ok(transaction.query_one(sql, &[&id]).await?.get(0))
}

/// How often was counted.
pub(super) async fn counted(connection: &Connection, id: i64) -> Result<i64, DbError> {
    let row = connection.query_one("SELECT count FROM tidewall_lab.counters WHERE id = $1", &[&id]).await?;
    Ok(row.get(0))
}

/// How a user's newest orders are found: with the indexes that there are, or as if there were none.
pub(super) async fn explain_newest(
    transaction: &Transaction,
    with_index: bool,
    user: i64,
) -> Result<Value, DbError> {
    if !with_index {
        let off = "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
            SET LOCAL enable_indexonlyscan = off; SET LOCAL max_parallel_workers_per_gather = 0";
        transaction.batch(off).await?;
    }
    // A number can't be anything but that.
    let sql = format!(
        "EXPLAIN (ANALYZE, FORMAT JSON)
         SELECT id, total_cents FROM orders WHERE user_id = {user} ORDER BY created_at DESC LIMIT 5"
    );
    Ok(transaction.query_one(&sql, &[]).await?.get(0))
}

/// Puts off until when replicas are held back. Until its transaction ends nobody else does so: who comes
/// later finds what this one did, and not the other way round.
pub(super) async fn extend_lag(transaction: &Transaction, seconds: u32) -> Result<(), DbError> {
    let sql = "INSERT INTO tidewall_lab.lag (ends_at) VALUES (clock_timestamp() + $1 * interval '1 second')
        ON CONFLICT (id) DO UPDATE SET ends_at = excluded.ends_at";
    transaction.execute(sql, &[&f64::from(seconds)]).await.map(drop)
}

/// Whether replicas may be held back now.
pub(super) async fn lag_is_wanted(db: &Db) -> Result<bool, DbError> {
    let there = "SELECT to_regclass('tidewall_lab.lag') IS NOT NULL";
    let connection = db.writer().await?;
    if !connection.query_one(there, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    let wanted = "SELECT EXISTS (SELECT FROM tidewall_lab.lag WHERE ends_at > now())";
    Ok(connection.query_one(wanted, &[]).await?.get(0))
}
