//! Rows as they come, for results that don't fit in memory.

use std::pin::Pin;

use deadpool_postgres::Object;
use futures::TryStreamExt as _;
use tokio_postgres::{Row, RowStream};

use super::connection::{Params, ReadConnection};
use super::error::DbError;

/// A running statement's rows. It has its connection to itself; given up before
/// the end, the connection is closed, since whoever got it next would have to
/// wait for the rest of the rows.
pub struct Rows {
    stream: Pin<Box<RowStream>>,
    /// `None` once the last row was read.
    connection: Option<ReadConnection>,
}

impl ReadConnection {
    /// Starts a statement whose rows are read one by one.
    pub async fn into_rows(self, sql: &str, params: Params<'_>) -> Result<Rows, DbError> {
        let stream = Box::pin(self.connection.query_raw(sql, params).await?);
        Ok(Rows { stream, connection: Some(self) })
    }
}

impl Rows {
    /// The next row; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Row>, DbError> {
        let Some(connection) = &self.connection else { return Ok(None) };
        let row = self.stream.try_next().await.map_err(|error| connection.failed(error))?;
        if row.is_none() {
            self.connection = None;
        }
        Ok(row)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Some(unfinished) = self.connection.take() {
            drop(Object::take(unfinished.connection.client));
        }
    }
}
