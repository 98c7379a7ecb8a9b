//! Connections as callers hold them. Every statement is prepared once for each
//! connection, counted, and noted while it runs.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deadpool::managed::Object;
use deadpool_postgres::ClientWrapper;
use prometheus_client::metrics::counter::Counter;
use tidewall_api::postgres::Encryption;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{PgLsn, ToSql, Type};
use tokio_postgres::{CopyInSink, Notification, Row, RowStream, SimpleQueryMessage, Statement};

use super::error::DbError;
use super::gate::Permit;
use super::link::{CloseReason, Connector, Link};
use super::lsn::Lsn;
use super::server::{Lease, Purpose, Server};
use super::shared::Shared;

/// Values for a statement's `$1`, `$2` ….
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The same with their types, for a statement that isn't prepared.
pub type TypedParams<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Longest wait for a server to stop a statement that was given up.
const CANCEL_MAX: Duration = Duration::from_secs(2);
/// Time it has before it is asked again.
const CANCEL_AGAIN: Duration = Duration::from_millis(100);

/// What both doors lead to.
pub struct Connection {
    /// `None` once given back.
    link: Option<Object<Connector>>,
    server: Arc<Server>,
    shared: Arc<Shared>,
    queries: Counter,
    purpose: Purpose,
    /// Statements whose end was not seen. A caller that gives one up, by dropping
    /// its future, leaves a connection that nobody else could use.
    in_flight: AtomicU32,
    /// A transaction has begun and not ended.
    pub(super) in_transaction: AtomicBool,
    /// Rows are read that are not all read yet.
    in_rows: AtomicBool,
    /// The server has declined to do what this connection is for.
    is_spoiled: AtomicBool,
    /// Given back after the connection itself.
    permits: [Option<Permit>; 2],
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

/// A connection of [`super::Db::writer`]: each statement is a transaction of its own.
pub struct WriteConnection {
    pub(super) connection: Connection,
}

impl Connection {
    pub(super) fn new(lease: Lease, server: &Arc<Server>, shared: &Arc<Shared>, purpose: Purpose) -> Self {
        let queries = if purpose == Purpose::Write { &server.metrics.writes } else { &server.metrics.reads };
        Self {
            purpose,
            link: Some(lease.link),
            server: Arc::clone(server),
            shared: Arc::clone(shared),
            queries: queries.clone(),
            in_flight: AtomicU32::new(0),
            in_transaction: AtomicBool::new(false),
            in_rows: AtomicBool::new(false),
            is_spoiled: AtomicBool::new(false),
            permits: lease.permits,
        }
    }

    pub(super) fn link(&self) -> &Link {
        self.link.as_ref().unwrap_or_else(|| unreachable!("a connection has its link until it is dropped"))
    }

    pub(super) fn client(&self) -> &ClientWrapper {
        &self.link().client
    }

    /// For libraries that want a client of their own to change.
    pub(super) fn client_mut(&mut self) -> &mut tokio_postgres::Client {
        let link = self.link.as_mut();
        &mut link.unwrap_or_else(|| unreachable!("a connection has its link until it is dropped")).client
    }

    /// What the server says of channels that any of its connections listens to.
    pub(super) fn heard(&self) -> broadcast::Receiver<Notification> {
        self.server.pool().manager().heard()
    }

    pub(super) fn server_name(&self) -> &str {
        &self.server.name
    }

    /// The server is the primary still, and was when this connection was made.
    pub(super) fn is_of_the_primary(&self) -> bool {
        let is_primary = self.shared.view.borrow().primary == Some(self.server.index);
        is_primary && self.server.pool().manager().is_of_this_term(self.link())
    }

    /// All rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.run(sql, async |client, statement| client.query(&statement, params).await).await
    }

    /// The row, if there is one.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.run(sql, async |client, statement| client.query_opt(&statement, params).await).await
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, DbError> {
        self.run(sql, async |client, statement| client.query_one(&statement, params).await).await
    }

    /// See [`super::Transaction::query_planned`].
    pub(super) async fn query_planned(
        &self,
        sql: &str,
        params: TypedParams<'_>,
    ) -> Result<Vec<Row>, DbError> {
        self.noted(sql, self.client().query_typed(sql, params)).await
    }

    pub(super) async fn query_raw(&self, sql: &str, params: Params<'_>) -> Result<RowStream, DbError> {
        let params = params.iter().copied();
        self.run(sql, async |client, statement| client.query_raw(&statement, params).await).await
    }

    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.run(sql, async |client, statement| client.execute(&statement, params).await).await
    }

    /// Statements without parameters or rows.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.noted(sql, self.client().batch_execute(sql)).await
    }

    /// A statement that can't be prepared; its answer as text.
    pub(super) async fn simple(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, DbError> {
        self.noted(sql, self.client().simple_query(sql)).await
    }

    pub(super) async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, DbError> {
        let sink = self.noted(sql, self.client().copy_in(sql)).await?;
        // It goes on until the next statement.
        self.link().slot.begin(sql, Instant::now());
        Ok(sink)
    }

    /// Asks a prepared statement.
    async fn run<T>(
        &self,
        sql: &str,
        ask: impl AsyncFnOnce(&ClientWrapper, Statement) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, DbError> {
        let client = self.client();
        self.noted(sql, async { ask(client, client.prepare_cached(sql).await?).await }).await
    }

    /// Counts a statement, and notes it while it runs.
    async fn noted<T>(
        &self,
        sql: &str,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DbError> {
        self.queries.inc();
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let slot = &self.link().slot;
        slot.begin(sql, Instant::now());
        let answered = asked.await;
        slot.end(Instant::now());
        // Not reached where the statement was given up.
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        answered.map_err(|error| self.failed(error))
    }

    /// A position at which everything committed so far can be seen. To be asked
    /// *after* the commit has returned, and only for waiting: it can lie past a
    /// later writer's commit.
    pub(super) async fn flushed(&self) -> Result<Lsn, DbError> {
        let row = self.query_one(FLUSHED, &[]).await?;
        row.try_get::<_, PgLsn>(0).map(Lsn::from).map_err(|error| self.failed(error))
    }

    /// Sorts an error of this connection. A server that went away is passed over
    /// from now on, until it was looked at again.
    pub fn failed(&self, error: tokio_postgres::Error) -> DbError {
        if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) {
            // "cached plan must not change result type": the schema has changed.
            self.client().statement_cache.clear();
        }
        if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
            if self.purpose == Purpose::ReplicaRead {
                // A write through the wrong door: no other server would do it either.
                return DbError::Statement { server: self.server.name.clone(), source: error };
            }
            // The primary is none any more.
            self.is_spoiled.store(true, Ordering::Relaxed);
        }
        let error = DbError::of_statement(&self.server.name, error);
        if error.is_disconnect() {
            self.shared.doubt(&self.server);
        }
        error
    }

    /// Rows of a statement are read one by one from here on: it is in flight until their end.
    pub(super) fn begin_rows(&self, sql: &str) {
        self.in_rows.store(true, Ordering::Relaxed);
        self.link().slot.begin(sql, Instant::now());
    }

    /// The last row was read.
    pub(super) fn end_rows(&self) {
        self.in_rows.store(false, Ordering::Relaxed);
        self.link().slot.end(Instant::now());
    }

    /// The server works on something that nobody waits for any more.
    fn is_under_way(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0 || self.in_rows.load(Ordering::Relaxed)
    }
}

/// See [`Connection::flushed`].
pub(super) const FLUSHED: &str = "SELECT pg_current_wal_flush_lsn()";

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        if self.is_under_way() {
            abandon(Arc::clone(&self.server), link, std::mem::take(&mut self.permits));
        } else if self.in_transaction.load(Ordering::Relaxed) {
            self.server.close(link, CloseReason::Abandoned);
        } else if self.is_spoiled.load(Ordering::Relaxed) {
            self.server.close(link, CloseReason::RoleChanged);
        } else {
            self.server.give_back(link);
        }
    }
}

/// Tells the server to stop what nobody waits for any more: closing the connection
/// alone would let it go on to the statement's end. Until it was told, the
/// connection is in use, and counts.
fn abandon(server: Arc<Server>, link: Object<Connector>, permits: [Option<Permit>; 2]) {
    let Ok(runtime) = Handle::try_current() else { return server.close(link, CloseReason::Abandoned) };
    runtime.spawn(async move {
        // It is closed in any case, once the server had time to hear.
        let _ = timeout(CANCEL_MAX, cancel(&link, server.pool().manager().encryption())).await;
        server.close(link, CloseReason::Abandoned);
        drop(permits);
    });
}

/// Stops the statement under way, and returns when it has ended. A request to stop
/// that arrives before the statement has begun finds nothing to stop, so it is
/// repeated until an empty statement behind it was answered.
async fn cancel(link: &Link, encryption: Encryption) {
    let token = link.client.cancel_token();
    let mut ended = pin!(link.client.simple_query(""));
    loop {
        let _ = token.cancel_query(encryption.clone()).await;
        if timeout(CANCEL_AGAIN, &mut ended).await.is_ok() {
            return;
        }
    }
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
        self.connection.execute(sql, params).await
    }

    /// Statements without parameters or rows, such as DDL and `VACUUM`.
    pub async fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.connection.batch(sql).await
    }

    /// See [`super::Transaction::query_planned`].
    pub async fn query_planned(&self, sql: &str, params: TypedParams<'_>) -> Result<Vec<Row>, DbError> {
        self.connection.query_planned(sql, params).await
    }

    /// The same, of a statement that changes rows; their number.
    pub async fn execute_planned(&self, sql: &str, params: TypedParams<'_>) -> Result<u64, DbError> {
        let client = self.connection.client();
        self.connection.noted(sql, client.execute_typed(sql, params)).await
    }

    /// A position at which everything committed so far can be seen: for waiting,
    /// and to be asked *after* the statement has returned.
    pub async fn flushed(&self) -> Result<Lsn, DbError> {
        self.connection.flushed().await
    }
}
