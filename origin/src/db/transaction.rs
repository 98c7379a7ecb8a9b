//! Transactions on the primary, and the position at which they can be seen.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures::future::join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{CopyInSink, Row};

use super::connection::{Connection, FLUSHED, Params, TypedParams};
use super::error::{DbError, is_end_of_server};
use super::lsn::Lsn;

/// A transaction of [`super::Db::write`].
pub struct Transaction {
    connection: Connection,
    /// What is to be done once it has committed.
    after_commit: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

/// In a transaction in which a statement has failed the server answers COMMIT as if
/// nothing were wrong, and rolls back. Any other statement before it fails there.
const COMMIT: &str = "SELECT; COMMIT";

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
        Ok(Self { connection, after_commit: Mutex::default() })
    }

    /// The connection that it is on, for statements that are made in transactions and without.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// All rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, DbError> {
        self.connection.query(sql, params).await
    }

    /// The row, if there is one.
    pub async fn query_opt(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, DbError> {
        self.connection.query_opt(sql, params).await
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Row, DbError> {
        self.connection.query_one(sql, params).await
    }

    /// Changes rows; their number.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, DbError> {
        self.connection.execute(sql, params).await
    }

    /// Statements without parameters or rows, such as DDL.
    pub async fn batch(&self, sql: &str) -> Result<(), DbError> {
        self.connection.batch(sql).await
    }

    /// Begins a `COPY … FROM STDIN`. Map errors of the sink with [`Transaction::failed`].
    pub async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, DbError> {
        self.connection.copy_in(sql).await
    }

    /// All rows, of a statement that is planned anew each time: for one whose best plan changes
    /// with its values, or with a table that grows from nothing within seconds.
    pub async fn query_planned(&self, sql: &str, params: TypedParams<'_>) -> Result<Vec<Row>, DbError> {
        self.connection.query_planned(sql, params).await
    }

    /// Does `then` once this transaction has committed, or may have: what is to be told then, and
    /// is told again or found by itself if this process ends before. It must not block.
    pub fn after_commit(&self, then: impl FnOnce() + Send + 'static) {
        self.after_commit.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(then));
    }

    /// Sorts an error of this transaction's connection.
    pub fn failed(&self, error: tokio_postgres::Error) -> DbError {
        self.connection.failed(error)
    }

    /// Makes it last. The position is asked behind the commit on the same
    /// connection: the server takes it up only once the commit is done, and it
    /// costs no round trip of its own.
    pub(super) async fn commit(self) -> Result<Option<Lsn>, DbError> {
        let server = self.connection.server_name().to_owned();
        let after = std::mem::take(&mut *self.after_commit.lock().unwrap_or_else(PoisonError::into_inner));
        // A task of its own: who gives up while it waits for a synchronous replica must
        // not make the server end that wait, which would leave a commit that can be lost.
        let committing = tokio::spawn(async move {
            let outcome = self.commit_now().await;
            if matches!(outcome, Ok(_) | Err(DbError::OutcomeUnknown { .. })) {
                after.into_iter().for_each(|then| then());
            }
            outcome
        });
        committing.await.unwrap_or(Err(DbError::OutcomeUnknown { server }))
    }

    async fn commit_now(self) -> Result<Option<Lsn>, DbError> {
        let client = self.connection.client();
        let flushed = match client.prepare_cached(FLUSHED).await {
            Ok(flushed) => flushed,
            Err(error) => return Err(self.not_committed(error).await),
        };
        let slot = &self.connection.link().slot;
        slot.begin(COMMIT, Instant::now());
        // Asked in this order: the first of the two is sent first.
        let (committed, flushed) = join(client.batch_execute(COMMIT), client.query_one(&flushed, &[])).await;
        slot.end(Instant::now());
        if let Err(error) = committed {
            return Err(self.not_committed(error).await);
        }
        self.connection.in_transaction.store(false, Ordering::Relaxed);
        Ok(flushed.and_then(|row| row.try_get::<_, PgLsn>(0)).ok().map(Lsn::from))
    }

    /// Sorts an error at the end, and undoes what may be left.
    async fn not_committed(self, error: tokio_postgres::Error) -> DbError {
        let server = self.connection.server_name().to_owned();
        let is_unknown = is_end_of_server(&error);
        let is_aborted = error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
        let sorted = self.connection.failed(error);
        self.roll_back().await;
        if is_aborted {
            DbError::Aborted { server }
        } else if is_unknown {
            DbError::OutcomeUnknown { server }
        } else {
            sorted
        }
    }

    /// Undoes it. Where that fails the connection is closed, which undoes it as well.
    pub(super) async fn roll_back(self) {
        if self.connection.batch("ROLLBACK").await.is_ok() {
            self.connection.in_transaction.store(false, Ordering::Relaxed);
        }
    }
}
