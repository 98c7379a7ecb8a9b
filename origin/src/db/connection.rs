//! Connections as callers hold them. Every statement is prepared once for each
//! connection and counted.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use deadpool_postgres::Object;
use prometheus_client::metrics::counter::Counter;
use tokio_postgres::types::{PgLsn, ToSql};
use tokio_postgres::{CopyInSink, Row, RowStream};

use super::error::DbError;
use super::lsn::Lsn;
use super::metrics::QueryKind;
use super::server::Server;

/// Values for a statement's `$1`, `$2` ….
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What both doors lead to.
pub struct Connection {
    pub(super) client: Object,
    server: Arc<Server>,
    queries: Counter,
}

/// From which point of the log a read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// On a replica that had replayed at least up to here before the read began.
    AtLeast(Lsn),
    /// On the primary, which is never behind.
    Primary,
}

/// A connection of [`super::Db::read`].
pub struct ReadConnection {
    pub(super) connection: Connection,
    pub(super) position: Position,
}

/// A connection of [`super::Db::write`].
pub struct WriteConnection {
    pub(super) connection: Connection,
}

/// A transaction on the primary; rolled back unless committed.
pub struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
    server: &'a Server,
    queries: &'a Counter,
}

impl Connection {
    pub(super) async fn acquire(server: &Arc<Server>, kind: QueryKind) -> Result<Self, DbError> {
        let client = server.acquire().await?;
        let queries = server.metrics.queries(&server.name, kind);
        Ok(Self { client, server: Arc::clone(server), queries })
    }

    /// All rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.queries.inc();
        let statement = self.client.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        self.client.query(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// The row, if there is one.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.queries.inc();
        let statement = self.client.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        self.client.query_opt(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, DbError> {
        self.queries.inc();
        let statement = self.client.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        self.client.query_one(&statement, params).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn query_raw(&self, sql: &str, params: Params<'_>) -> Result<RowStream, DbError> {
        self.queries.inc();
        let statement = self.client.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        let params = params.iter().copied();
        self.client.query_raw(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// Sorts an error of this connection; a server that went away is passed over from now on.
    pub fn failed(&self, error: tokio_postgres::Error) -> DbError {
        failed(&self.server, error)
    }
}

fn failed(server: &Server, error: tokio_postgres::Error) -> DbError {
    let error = DbError::of_statement(&server.name, error);
    if error.is_disconnect() {
        server.lost();
    }
    error
}

impl ReadConnection {
    /// From where this connection reads.
    pub fn position(&self) -> Position {
        self.position
    }
}

impl Deref for ReadConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Deref for WriteConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl WriteConnection {
    /// Changes rows; their number.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.connection.queries.inc();
        let client = &self.connection.client;
        let statement = client.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        client.execute(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// Begins a transaction.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DbError> {
        let Connection { client, server, queries } = &mut self.connection;
        let inner = client.transaction().await.map_err(|error| failed(server, error))?;
        Ok(Transaction { inner, server, queries })
    }

    /// A position at which everything committed so far can be seen. To be asked
    /// *after* the commit has returned, and only for waiting: it can lie past a
    /// later writer's commit.
    pub async fn flushed(&self) -> Result<Lsn, DbError> {
        let client = &self.connection.client;
        let asked = async {
            let statement = client.prepare_cached("SELECT pg_current_wal_flush_lsn()").await?;
            client.query_one(&statement, &[]).await?.try_get::<_, PgLsn>(0)
        };
        asked.await.map(Lsn::from).map_err(|error| self.failed(error))
    }
}

impl Transaction<'_> {
    /// All rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.queries.inc();
        let statement = self.inner.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        self.inner.query(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, DbError> {
        self.queries.inc();
        let statement = self.inner.prepare_cached(sql).await.map_err(|error| self.failed(error))?;
        self.inner.query_one(&statement, params).await.map_err(|error| self.failed(error))
    }

    /// Statements without parameters or rows, such as DDL.
    pub async fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.queries.inc();
        self.inner.batch_execute(sql).await.map_err(|error| self.failed(error))
    }

    /// Begins a `COPY … FROM STDIN`. Map errors of the sink with [`Transaction::failed`].
    pub async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, DbError> {
        self.queries.inc();
        self.inner.copy_in(sql).await.map_err(|error| self.failed(error))
    }

    /// Makes it last. [`WriteConnection::flushed`] then gives its position.
    pub async fn commit(self) -> Result<(), DbError> {
        let server = self.server;
        self.inner.commit().await.map_err(|error| failed(server, error))
    }

    /// Sorts an error of this transaction's connection.
    pub fn failed(&self, error: tokio_postgres::Error) -> DbError {
        failed(self.server, error)
    }
}
