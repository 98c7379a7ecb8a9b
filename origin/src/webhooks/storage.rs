//! Every SQL statement over webhooks.

use tokio_postgres::Row;

use super::{EndpointRow, Event};
use crate::db::{Connection, DbError, HotStatement, Params, Transaction};

const PUT_ENDPOINT: &str = "
    INSERT INTO webhook_endpoints (url, secret, events) VALUES ($1, $2, $3)
    ON CONFLICT (url) DO UPDATE SET secret = excluded.secret, events = excluded.events
    RETURNING xmax = 0";

/// Adds an endpoint, or replaces what is known of it; whether it is new.
pub(super) async fn put_endpoint(
    transaction: &Transaction,
    url: &str,
    sealed: &[u8],
    events: &[Event],
) -> Result<bool, DbError> {
    let mut events: Vec<_> = events.iter().map(|event| event.name()).collect();
    events.sort_unstable();
    events.dedup();
    let params: Params<'_> = &[&url, &sealed, &events];
    let row = transaction.query_one(PUT_ENDPOINT, params).await?;
    row.try_get(0).map_err(|error| transaction.failed(error))
}

const REMOVE_ENDPOINT: &str = "DELETE FROM webhook_endpoints WHERE url = $1 RETURNING id";

/// Removes an endpoint; its id.
pub(super) async fn remove_endpoint(transaction: &Transaction, url: &str) -> Result<Option<i64>, DbError> {
    let row = transaction.query_opt(REMOVE_ENDPOINT, &[&url]).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| transaction.failed(error))
}

const FIND_ENDPOINT: &str = "SELECT id FROM webhook_endpoints WHERE url = $1";

/// The id of the endpoint with this URL.
pub(super) async fn find_endpoint(transaction: &Transaction, url: &str) -> Result<Option<i64>, DbError> {
    let row = transaction.query_opt(FIND_ENDPOINT, &[&url]).await?;
    row.map(|row| row.try_get(0)).transpose().map_err(|error| transaction.failed(error))
}

/// Reads all jobs of the kind, which those who look after endpoints can wait for.
const ENDPOINTS: &str = "
    SELECT url, events, created_at, coalesce(waiting, 0), coalesce(discarded, 0)
    FROM webhook_endpoints LEFT JOIN (
        SELECT payload->>'endpoint' AS endpoint, count(*) FILTER (WHERE finished_at IS NULL) AS waiting,
            count(*) FILTER (WHERE state = 'discarded') AS discarded
        FROM jobs WHERE kind = $1 GROUP BY 1
    ) AS messages ON endpoint = webhook_endpoints.id::text
    ORDER BY url";

/// All endpoints, and how many messages wait and were discarded, which are jobs of this kind.
pub(super) async fn endpoints(connection: &Connection, kind: &str) -> Result<Vec<EndpointRow>, DbError> {
    let read = |row: &Row| {
        Ok(EndpointRow {
            url: row.try_get(0)?,
            events: row.try_get(1)?,
            created_at: row.try_get(2)?,
            waiting: row.try_get(3)?,
            discarded: row.try_get(4)?,
        })
    };
    let rows = connection.query(ENDPOINTS, &[&kind]).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const WAITING: &str = "
    SELECT id FROM jobs
    WHERE kind = $1 AND run_at IS NOT NULL AND payload->>'endpoint' = $2::bigint::text ORDER BY id";

/// The jobs of this kind that have not ended and tell this endpoint.
pub(super) async fn waiting(connection: &Connection, kind: &str, endpoint: i64) -> Result<Vec<i64>, DbError> {
    let rows = connection.query(WAITING, &[&kind, &endpoint]).await?;
    rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(|error| connection.failed(error))
}

const SUBSCRIBED: &str = "SELECT id FROM webhook_endpoints WHERE events @> ARRAY[$1] ORDER BY id";

/// The endpoints that are told of `event`.
pub(super) async fn subscribed(transaction: &Transaction, event: Event) -> Result<Vec<i64>, DbError> {
    let rows = transaction.query(SUBSCRIBED, &[&event.name()]).await?;
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
