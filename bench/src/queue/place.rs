//! The database of a contestant: its own, so that nobody's tables are in
//! anybody's way and an old transaction holds up only whom it is to.

use tokio_postgres::Client;

use crate::database;
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
    primary: String,
    pub(super) url: String,
    client: Client,
}

impl Opened {
    /// Creates it, empty.
    pub(super) async fn create(primary: &str, place: &Place) -> Result<Self, Reason> {
        let url = with_database(primary, place.database)
            .ok_or_else(|| Reason::new("the URL of the primary names no database"))?;
        let Place { database, .. } = place;
        let server = database::connect(&primary.parse()?).await?;
        drop_database(&server, database).await?;
        server.batch_execute(&format!("CREATE DATABASE {database}")).await?;
        server.batch_execute(&format!("ALTER DATABASE {database} SET synchronous_commit = on")).await?;
        let client = database::connect(&url.parse()?).await?;
        // Otherwise commits aren't durable, and the figures would be of something else.
        let fsync: String = client.query_one("SELECT current_setting('fsync')", &[]).await?.try_get(0)?;
        if fsync != "on" {
            return Err(Reason::new("the server runs with fsync switched off"));
        }
        Ok(Self { place: *place, primary: primary.to_owned(), url, client })
    }

    /// Whether a job is not completed yet.
    pub(super) async fn is_left(&self) -> Result<bool, Reason> {
        Ok(self.client.query_one(self.place.is_left, &[]).await?.try_get(0)?)
    }

    /// Removes all jobs, and what they leave behind.
    pub(super) async fn clear(&self) -> Result<(), Reason> {
        self.client.batch_execute(self.place.clear).await?;
        Ok(self.client.batch_execute("VACUUM (ANALYZE)").await?)
    }

    /// Tells the planner now what it would learn by itself some time later.
    pub(super) async fn analyze(&self) -> Result<(), Reason> {
        Ok(self.client.batch_execute("ANALYZE").await?)
    }

    /// Bytes of WAL that the server has written so far.
    pub(super) async fn wal(&self) -> Result<u64, Reason> {
        let bytes = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
        let bytes: i64 = self.client.query_one(bytes, &[]).await?.try_get(0)?;
        Ok(u64::try_from(bytes)?)
    }

    /// A transaction with a snapshot and an id; it ends when the client is dropped.
    pub(super) async fn hold_snapshot(&self) -> Result<Client, Reason> {
        let client = database::connect(&self.url.parse()?).await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()").await?;
        Ok(client)
    }

    /// Drops it, whoever is connected.
    pub(super) async fn remove(self) -> Result<(), Reason> {
        let server = database::connect(&self.primary.parse()?).await?;
        drop_database(&server, self.place.database).await
    }
}

async fn drop_database(server: &Client, database: &str) -> Result<(), Reason> {
    Ok(server.batch_execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await?)
}

/// The URL of another database of the same server.
fn with_database(url: &str, database: &str) -> Option<String> {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let (scheme, rest) = base.split_once("://")?;
    let (server, _) = rest.split_once('/')?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{server}/{database}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_url_stays() {
        for (url, expected) in [
            ("postgres://u:p@h:5/db", Some("postgres://u:p@h:5/x")),
            ("postgres://u@h/db?connect_timeout=5", Some("postgres://u@h/x?connect_timeout=5")),
            ("postgres://u@h", None),
            ("host=h dbname=db", None),
        ] {
            assert_eq!(with_database(url, "x").as_deref(), expected, "{url}");
        }
    }
}
