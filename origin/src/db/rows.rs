//! Rows as they come, for results that don't fit in memory.

use std::pin::Pin;

use futures::TryStreamExt as _;
use tokio_postgres::{Row, RowStream};

use super::connection::{Params, ReadConnection};
use super::error::DbError;

/// A running statement's rows. It has its connection to itself; given up before
/// the end, the connection is closed, since whoever got it next would have to
/// wait for the rest of the rows.
pub struct Rows {
    stream: Pin<Box<RowStream>>,
    connection: ReadConnection,
}

impl ReadConnection {
    /// Starts a statement whose rows are read one by one.
    pub async fn into_rows(self, sql: &str, params: Params<'_>) -> Result<Rows, DbError> {
        let stream = Box::pin(self.query_raw(sql, params).await?);
        self.connection.begin_rows(sql);
        Ok(Rows { stream, connection: self })
    }
}

impl Rows {
    /// The next row; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Row>, DbError> {
        let connection = &self.connection.connection;
        let row = self.stream.try_next().await.map_err(|error| connection.failed(error))?;
        if row.is_none() {
            connection.end_rows();
        }
        Ok(row)
    }
}
