//! The database of a contestant: its own, so that an old transaction holds up only whom it is to.

use tokio_postgres::Client;

use crate::database::{self, Own};
use crate::error::Reason;

/// What a contestant's database is called, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its name.
    pub(super) database: &'static str,
    /// Asks whether a job is not completed yet.
    pub(super) is_left: &'static str,
    /// Removes all jobs.
    pub(super) clear: &'static str,
}

/// A database, and a connection to look at it from outside.
pub(super) struct Opened {
    place: Place,
    own: Own,
}

impl Opened {
    /// Creates it, empty.
    pub(super) async fn create(primary: &str, place: &Place) -> Result<Self, Reason> {
        Ok(Self { place: *place, own: Own::create(primary, place.database).await? })
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        &self.own.url
    }

    /// Whether a job is not completed yet.
    pub(super) async fn is_left(&self) -> Result<bool, Reason> {
        Ok(self.own.client.query_one(self.place.is_left, &[]).await?.try_get(0)?)
    }

    /// Removes all jobs, and what they leave behind.
    pub(super) async fn clear(&self) -> Result<(), Reason> {
        self.own.client.batch_execute(self.place.clear).await?;
        Ok(self.own.client.batch_execute("VACUUM (ANALYZE)").await?)
    }

    /// Tells the planner now what it would learn by itself some time later.
    pub(super) async fn analyze(&self) -> Result<(), Reason> {
        Ok(self.own.client.batch_execute("ANALYZE").await?)
    }

    /// Bytes of WAL that the server has written so far.
    pub(super) async fn wal(&self) -> Result<u64, Reason> {
        let bytes = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let bytes: i64 = self.own.client.query_one(bytes, &[]).await?.try_get(0)?;
        Ok(u64::try_from(bytes)?)
    }

    /// A transaction with a snapshot and an id; it ends when the client is dropped.
    pub(super) async fn hold_snapshot(&self) -> Result<Client, Reason> {
        let client = database::connect(&self.own.url.parse()?).await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()").await?;
        Ok(client)
    }

    /// Drops it, whoever is connected.
    pub(super) async fn remove(self) -> Result<(), Reason> {
        self.own.remove().await
    }
}
