//! Every SQL statement over notifications. Times are the database's.

use std::collections::HashMap;

use serde_json::Value;
use tidewall_api::notification::Notification;
use tokio_postgres::Row;

use super::KEPT;
use crate::db::{Connection, DbError, HotStatement, Params, Transaction};
use crate::timestamp::rfc3339;

/// Notifications that are read at a time.
const READ_MAX: i64 = 100;

const INSERT: &str = "
    WITH counted AS (
        INSERT INTO notification_counters AS c (user_id, last) VALUES ($1, 1)
        ON CONFLICT (user_id) DO UPDATE SET last = c.last + 1
        RETURNING last
    ), pruned AS (
        DELETE FROM notifications WHERE user_id = $1 AND id <= (SELECT last FROM counted) - $4
    )
    INSERT INTO notifications (user_id, id, kind, body) SELECT $1, last, $2, $3 FROM counted
    RETURNING id";

/// Adds a notification, and removes what is beyond those that are kept; its number.
pub(super) async fn insert(
    transaction: &Transaction,
    user: i64,
    kind: &str,
    body: &Value,
) -> Result<i64, DbError> {
    let params: Params<'_> = &[&user, &kind, body, &KEPT];
    let row = transaction.query_one(INSERT, params).await?;
    row.try_get(0).map_err(|error| transaction.failed(error))
}

const HEADS: &str = "SELECT user_id, last FROM notification_counters WHERE user_id = ANY($1)";

/// The last number of each of these users who was told anything.
pub(crate) async fn heads(connection: &Connection, users: &[i64]) -> Result<HashMap<i64, i64>, DbError> {
    let rows = connection.query(HEADS, &[&users]).await?;
    let head = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(head).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const AFTER: &str = "
    SELECT id, kind, body, created_at FROM notifications WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3";

/// What a user was told after the number `told`, the first of it.
pub(crate) async fn after(
    connection: &Connection,
    user: i64,
    told: i64,
) -> Result<Vec<Notification>, DbError> {
    let rows = connection.query(AFTER, &[&user, &told, &READ_MAX]).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const RECENT: &str = "
    SELECT id, kind, body, created_at FROM notifications WHERE user_id = $1 ORDER BY id DESC LIMIT $2";

/// The last that a user was told, the newest at the end.
pub(crate) async fn recent(
    connection: &Connection,
    user: i64,
    count: i64,
) -> Result<Vec<Notification>, DbError> {
    let rows = connection.query(RECENT, &[&user, &count]).await?;
    let newest_first = rows.iter().rev().map(read).collect::<Result<_, _>>();
    newest_first.map_err(|error| connection.failed(error))
}

fn read(row: &Row) -> Result<Notification, tokio_postgres::Error> {
    Ok(Notification {
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        body: row.try_get("body")?,
        created_at: rfc3339(row.try_get("created_at")?),
    })
}

/// What is run for those who are told, and who tell.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("tell a user something", INSERT, &["42", "'kind'", "'{}'", "100"]),
        HotStatement::new("how much users were told", HEADS, &["ARRAY[42]::bigint[]"]),
        HotStatement::new("what a user was told since", AFTER, &["42", "7", "100"]),
        HotStatement::new("what a user was told last", RECENT, &["42", "20"]),
    ]
}
