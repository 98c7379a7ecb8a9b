//! Every SQL statement over webhooks.

use crate::db::{Connection, DbError, HotStatement, Params, Transaction};

const PUT_ENDPOINT: &str = "
    INSERT INTO webhook_endpoints (url, secret, events) VALUES ($1, $2, $3)
    ON CONFLICT (url) DO UPDATE SET secret = excluded.secret, events = excluded.events";

/// Adds an endpoint, or replaces what is known of it.
pub(super) async fn put_endpoint(
    transaction: &Transaction,
    url: &str,
    sealed: &[u8],
    events: &[&str],
) -> Result<(), DbError> {
    let params: Params<'_> = &[&url, &sealed, &events];
    transaction.execute(PUT_ENDPOINT, params).await.map(drop)
}

const SUBSCRIBED: &str = "SELECT id FROM webhook_endpoints WHERE events @> ARRAY[$1] ORDER BY id";

/// The endpoints that are told of `event`.
pub(super) async fn subscribed(transaction: &Transaction, event: &str) -> Result<Vec<i64>, DbError> {
    let rows = transaction.query(SUBSCRIBED, &[&event]).await?;
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|error| transaction.failed(error))
}

/// An endpoint as it is kept.
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) sealed: Vec<u8>,
}

const ENDPOINT: &str = "SELECT url, secret FROM webhook_endpoints WHERE id = $1";

/// The endpoint with this id.
pub(super) async fn endpoint(connection: &Connection, id: i64) -> Result<Option<Endpoint>, DbError> {
    let Some(row) = connection.query_opt(ENDPOINT, &[&id]).await? else { return Ok(None) };
    let read = || Ok(Endpoint { url: row.try_get(0)?, sealed: row.try_get(1)? });
    read().map(Some).map_err(|error| connection.failed(error))
}

/// What publishers and jobs run.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![
        HotStatement::new("who is told of an event", SUBSCRIBED, &["'event'"]),
        HotStatement::new("an endpoint by its id", ENDPOINT, &["42"]),
    ]
}
