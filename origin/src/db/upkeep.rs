//! Keeps a pool as large as it should be: some connections ready before anybody
//! asks, none idle for long beyond those, none too old.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use deadpool::managed::Timeouts;
use futures::future::join_all;
use futures::poll;
use tokio::time::sleep;

use super::link::{CloseReason, STATEMENTS_MAX};
use super::server::Server;

/// Between two looks at a pool. A connection may be idle for so much longer.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after the pool of `server` until dropped.
pub(super) async fn upkeep(server: Arc<Server>) {
    let mut reached = server.reached.subscribe();
    loop {
        if reached.wait_for(|reached| *reached).await.is_err() {
            return;
        }
        retire(&server);
        fill(&server).await;
        sleep(INTERVAL).await;
    }
}

/// Closes connections that are broken, too old, or idle beyond the least number.
fn retire(server: &Server) {
    let settings = server.settings();
    let now = Instant::now();
    let mut spare = server.pool().status().size.saturating_sub(settings.min);
    server.pool().retain(|link, metrics| {
        if link.client.statement_cache.size() > STATEMENTS_MAX {
            link.client.statement_cache.clear();
        }
        let reason = if link.client.is_closed() {
            Some(CloseReason::Broken)
        } else if link.is_old(now) {
            Some(CloseReason::Lifetime)
        } else if metrics.last_used() >= settings.idle && spare > 0 {
            Some(CloseReason::Idle)
        } else {
            None
        };
        if let Some(reason) = reason {
            spare = spare.saturating_sub(1);
            server.metrics.closed(reason);
        }
        reason.is_none()
    });
}

/// Makes the connections that are missing. The pool makes one only for a caller
/// that finds none idle, so for the moment in which this one asks, and no longer,
/// the idle ones are taken out: nobody who comes later has to connect because of it.
async fn fill(server: &Server) {
    let pool = server.pool();
    let missing = server.settings().min.saturating_sub(pool.status().size);
    if missing == 0 {
        return;
    }
    let timeouts = Timeouts { wait: Some(Duration::ZERO), create: Some(INTERVAL), recycle: None };
    let (mut idle, mut making) = (Vec::new(), Vec::new());
    while making.len() < missing {
        let mut asked = Box::pin(pool.timeout_get(&timeouts));
        match poll!(&mut asked) {
            Poll::Ready(Ok(link)) => idle.push(link),
            // The pool is full, or the server refuses.
            Poll::Ready(Err(_)) => break,
            Poll::Pending => making.push(asked),
        }
    }
    drop(idle);
    // What couldn't be made is missing at the next look, too.
    drop(join_all(making).await);
}
