//! Replicas that are held back: each waits with what it replays (`recovery_min_apply_delay`). That is a
//! setting of the server, which would outlast whoever made it; so it is on lease, and each origin looks
//! whether the lease is over.

use std::time::Duration;

use tidewall_api::postgres::Authorities;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::stack::Stack;
use super::storage;
use crate::db::Db;
use crate::http::error::ApiError;
use crate::telemetry::chain;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);
/// Longest that a replica takes to be told.
const TOLD_MAX: Duration = Duration::from_secs(5);

/// Ends what is over, for as long as it is polled.
pub(super) async fn keep(db: Db, stack: Stack, lags: bool) {
    if !lags {
        return;
    }
    // Whatever an earlier run left, where it could end nothing any more.
    let mut is_held = true;
    loop {
        match storage::lag_is_wanted(&db).await {
            Ok(true) => is_held = true,
            Ok(false) if is_held => match hold(&stack, 0).await {
                Ok(()) => is_held = false,
                Err(error) => tracing::debug!(error = %chain(&error), "replicas are still held back"),
            },
            Ok(false) => {}
            Err(error) => tracing::debug!(error = %chain(&error), "the Lab can't look at its leases"),
        }
        sleep(LOOK).await;
    }
}

/// Holds all replicas back by so many milliseconds; 0: not any more.
pub(super) async fn hold(stack: &Stack, milliseconds: u32) -> Result<(), ApiError> {
    let set = match milliseconds {
        0 => "ALTER SYSTEM RESET recovery_min_apply_delay".to_owned(),
        _ => format!("ALTER SYSTEM SET recovery_min_apply_delay = '{milliseconds}ms'"),
    };
    for url in stack.read().await?.replicas {
        let told = timeout(TOLD_MAX, async {
            let client = connect(&url).await?;
            let is_replica = client.query_one("SELECT pg_is_in_recovery()", &[]).await;
            // One that was promoted meanwhile has nothing to wait for.
            if is_replica.map_err(ApiError::internal)?.get(0) {
                client.batch_execute(&set).await.map_err(ApiError::internal)?;
                client.query_one("SELECT pg_reload_conf()", &[]).await.map_err(ApiError::internal)?;
            }
            Ok::<(), ApiError>(())
        });
        told.await.map_err(|_| ApiError::Busy("A replica doesn't answer. Try again.".to_owned()))??;
    }
    Ok(())
}

/// A connection of its own to a server that a URL names.
pub(super) async fn connect(url: &str) -> Result<Client, ApiError> {
    let authorities = Authorities::of_environment();
    let config = authorities.read(url).map_err(|_| ApiError::Busy("The database has no URL.".to_owned()))?;
    let encryption = authorities.encryption().map_err(ApiError::internal)?;
    let (client, connection) = config.connect(encryption).await.map_err(ApiError::internal)?;
    tokio::spawn(async move {
        // Ends with the client; what fails, its statements are told.
        let _ended = connection.await;
    });
    Ok(client)
}
