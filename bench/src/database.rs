//! The servers, before anything is measured.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::error::{BenchError, Reason};

/// Time the work below may take.
const SETTLE_MAX: Duration = Duration::from_mins(2);

/// Does now what the primary would do by itself some time after it was filled:
/// in the middle of a round it would meet one contestant only.
///
/// # Errors
/// The server can't be reached, or refuses.
pub async fn settle(primary: &str) -> Result<(), BenchError> {
    let settled = async {
        let client = connect(&primary.parse()?).await?;
        client.batch_execute("VACUUM (ANALYZE)").await?;
        client.batch_execute("CHECKPOINT").await?;
        Ok(())
    };
    let settled = timeout(SETTLE_MAX, settled).await;
    settled
        .unwrap_or_else(|_| Err(Reason::new("it took too long to tidy up")))
        .map_err(|reason| BenchError::Database { reason })
}

/// A connection, driven in the background until its client is dropped.
///
/// # Errors
/// The server can't be reached, or refuses.
pub async fn connect(config: &tokio_postgres::Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A database of a contestant's own, so that nobody's tables are in anybody's way, and a connection
/// to it. Commits are durable there.
pub struct Own {
    primary: String,
    name: &'static str,
    /// Its URL.
    pub url: String,
    /// To look at it from outside.
    pub client: Client,
}

impl Own {
    /// Creates it, empty, on the server of `primary`.
    ///
    /// # Errors
    /// The server refuses, or doesn't keep what it has committed.
    pub async fn create(primary: &str, name: &'static str) -> Result<Self, Reason> {
        let url = with_database(primary, name)
            .ok_or_else(|| Reason::new("the URL of the primary names no database"))?;
        let server = connect(&primary.parse()?).await?;
        drop_database(&server, name).await?;
        server.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        server.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = on")).await?;
        let client = connect(&url.parse()?).await?;
        // Otherwise commits aren't durable, and the figures would be of something else.
        let fsync: String = client.query_one("SELECT current_setting('fsync')", &[]).await?.try_get(0)?;
        if fsync != "on" {
            return Err(Reason::new("the server runs with fsync switched off"));
        }
        Ok(Self { primary: primary.to_owned(), name, url, client })
    }

    /// Drops it, whoever is connected.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn remove(self) -> Result<(), Reason> {
        let server = connect(&self.primary.parse()?).await?;
        drop_database(&server, self.name).await
    }
}

/// Drops a database, if it is there, whoever is connected.
pub(crate) async fn drop_database(server: &Client, database: &str) -> Result<(), Reason> {
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
