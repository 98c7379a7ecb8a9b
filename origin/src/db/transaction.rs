//! Transactions on the primary, and the position at which they can be seen.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::future::join;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{CopyInSink, Row};

use super::connection::{Connection, FLUSHED, Params};
use super::error::DbError;
use super::lsn::Lsn;

/// A transaction of [`super::Db::write`].
pub struct Transaction {
    connection: Connection,
    /// A statement has failed: the server will not commit.
    failed: AtomicBool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<T> {
    /// What the caller made of it.
    pub value: T,
    /// A position at which it can be seen: for waiting, since it can lie past a
    /// later writer's commit. `None` if the primary was lost just after.
    pub position: Option<Lsn>,
}

impl Transaction {
    pub(super) async fn begin(connection: Connection) -> Result<Self, DbError> {
        connection.in_transaction.store(true, Ordering::Relaxed);
        connection.batch("BEGIN").await?;
        Ok(Self { connection, failed: AtomicBool::new(false) })
    }

    /// All rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.noting(self.connection.query(sql, params).await)
    }

    /// The row, if there is one.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.noting(self.connection.query_opt(sql, params).await)
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, DbError> {
        self.noting(self.connection.query_one(sql, params).await)
    }

    /// Changes rows; their number.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.noting(self.connection.execute(sql, params).await)
    }

    /// Statements without parameters or rows, such as DDL.
    pub async fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.noting(self.connection.batch(sql).await)
    }

    /// Begins a `COPY … FROM STDIN`. Map errors of the sink with [`Transaction::failed`].
    pub async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, DbError> {
        self.noting(self.connection.copy_in(sql).await)
    }

    /// Sorts an error of this transaction's connection.
    pub fn failed(&self, error: tokio_postgres::Error) -> DbError {
        self.failed.store(true, Ordering::Relaxed);
        self.connection.failed(error)
    }

    /// After any error the server only waits for the end. It answers a COMMIT then
    /// as if nothing were wrong, and rolls back.
    fn noting<T>(&self, outcome: Result<T, DbError>) -> Result<T, DbError> {
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Makes it last. The position is asked behind the commit on the same
    /// connection: the server takes it up only once the commit is done, and it
    /// costs no round trip of its own.
    pub(super) async fn commit(self) -> Result<Option<Lsn>, DbError> {
        if self.failed.load(Ordering::Relaxed) {
            let error = DbError::Aborted { server: self.connection.server_name().to_owned() };
            self.roll_back().await;
            return Err(error);
        }
        let client = self.connection.client();
        let flushed = client.prepare_cached(FLUSHED).await.map_err(|error| self.connection.failed(error))?;
        // Asked in this order: the first of the two is sent first.
        let (committed, flushed) =
            join(client.batch_execute("COMMIT"), client.query_one(&flushed, &[])).await;
        if let Err(error) = committed {
            return Err(match self.connection.failed(error) {
                DbError::Gone { server, .. } => DbError::OutcomeUnknown { server },
                error => error,
            });
        }
        self.connection.in_transaction.store(false, Ordering::Relaxed);
        Ok(flushed.and_then(|row| row.try_get::<_, PgLsn>(0)).ok().map(Lsn::from))
    }

    /// Undoes it. Where that fails the connection is closed, which undoes it as well.
    pub(super) async fn roll_back(self) {
        if self.connection.batch("ROLLBACK").await.is_ok() {
            self.connection.in_transaction.store(false, Ordering::Relaxed);
        }
    }
}
