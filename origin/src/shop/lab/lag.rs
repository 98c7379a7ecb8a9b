//! Replicas that are held back: each waits with what it replays (`recovery_min_apply_delay`). That is a
//! setting of the server, which would outlast whoever made it; so it is on lease, and each origin looks
//! whether the lease is over.

use std::time::Duration;

use futures::future::join_all;
use tidewall_api::lab::LAG_LEASE_S;
use tokio::time::{Instant, sleep, timeout};

use super::stack::{Stack, connect};
use super::storage;
use crate::db::Db;
use crate::http::error::ApiError;
use crate::telemetry::chain;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);
/// How long a lag lasts that nobody extends.
const LEASE: Duration = Duration::from_secs(LAG_LEASE_S as u64);
/// Longest that a replica takes to be told.
const TOLD_MAX: Duration = Duration::from_secs(5);

/// Ends what is over, for as long as it is polled.
pub(super) async fn keep(db: Db, stack: Stack, lags: bool) {
    if !lags {
        return;
    }
    // Whatever an earlier run left, where it could end nothing any more.
    let (mut is_held, mut asked_at) = (true, Instant::now());
    loop {
        let is_wanted = match storage::lag_is_wanted(&db).await {
            Ok(is_wanted) => {
                asked_at = Instant::now();
                is_wanted
            }
            // Without a primary nobody extends a lease: by then each is over.
            Err(_) => is_held && asked_at.elapsed() < LEASE,
        };
        if is_wanted {
            is_held = true;
        } else if is_held {
            match hold(&stack, 0).await {
                Ok(()) => is_held = false,
                Err(error) => tracing::debug!(error = %chain(&error), "replicas are still held back"),
            }
        }
        sleep(LOOK).await;
    }
}

/// Holds all replicas back by so many milliseconds; 0: not any more. Each is told, also where another
/// one doesn't answer.
pub(super) async fn hold(stack: &Stack, milliseconds: u32) -> Result<(), ApiError> {
    let replicas = stack.read().await?.replicas;
    let told = join_all(replicas.iter().map(|url| timeout(TOLD_MAX, hold_one(url, milliseconds)))).await;
    for told in told {
        told.map_err(|_| ApiError::Busy("A replica doesn't answer. Try again.".to_owned()))??;
    }
    Ok(())
}

async fn hold_one(url: &str, milliseconds: u32) -> Result<(), ApiError> {
    let client = connect(url).await?;
    let is_replica: bool =
        client.query_one("SELECT pg_is_in_recovery()", &[]).await.map_err(ApiError::internal)?.get(0);
    let set = match milliseconds {
        // One that was promoted meanwhile may be a replica again.
        0 => "ALTER SYSTEM RESET recovery_min_apply_delay".to_owned(),
        _ if is_replica => format!("ALTER SYSTEM SET recovery_min_apply_delay = '{milliseconds}ms'"),
        _ => return Ok(()),
    };
    client.batch_execute(&set).await.map_err(ApiError::internal)?;
    client.query_one("SELECT pg_reload_conf()", &[]).await.map_err(ApiError::internal).map(drop)
}
