//! Keeps an eye on one server: does it answer, is it a replica, how far is it.
//!
//! A replica's position is a lower bound of what any later read there sees,
//! which is what answers claim; so it may be old, and between reads that wait
//! for it the monitor looks rarely. A read that waits wakes it.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::PgLsn;

use super::error::DbError;
use super::server::{Health, Server};

/// How often a server is looked at when nobody waits for it. Each look costs it
/// about 0.1 ms.
const INTERVAL: Duration = Duration::from_millis(50);
/// How often one that does not answer is tried again.
const INTERVAL_LOST: Duration = Duration::from_millis(250);
/// Least time between two looks, however many reads wait.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// A server that takes longer to say where it is can't serve reads either.
const ANSWER_MAX: Duration = Duration::from_secs(1);

const LOOK: &str = "SELECT pg_is_in_recovery(),
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END";

/// Looks at `server` until dropped, and tells `moved` after each look.
pub(super) async fn monitor(server: Arc<Server>, moved: watch::Sender<()>) {
    let mut connection = None;
    loop {
        let looked = timeout(ANSWER_MAX, look(&server, &mut connection)).await;
        let health = match looked {
            Ok(Ok(health)) => health,
            Ok(Err(_)) | Err(_) => {
                // Not back to the pool: an answer may still be on its way.
                drop(connection.take().map(Object::take));
                Health { reachable: false, ..server.health() }
            }
        };
        server.set_health(health);
        moved.send_replace(());
        if health.reachable {
            sleep(INTERVAL_MIN).await;
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = server.look_now.notified() => {}
            }
        } else {
            sleep(INTERVAL_LOST).await;
        }
    }
}

/// One look, over a connection of the pool that is kept for it, so that a full
/// pool doesn't blind the monitor and every connection counts.
async fn look(server: &Server, connection: &mut Option<Object>) -> Result<Health, DbError> {
    let client = match connection {
        Some(client) => client,
        None => connection.insert(server.acquire().await?),
    };
    let error = |error| DbError::of_statement(&server.name, error);
    let statement = client.prepare_cached(LOOK).await.map_err(error)?;
    let row = client.query_one(&statement, &[]).await.map_err(error)?;
    Ok(Health {
        reachable: true,
        in_recovery: row.get(0),
        lsn: row.get::<_, Option<PgLsn>>(1).map(Into::into),
    })
}
