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
