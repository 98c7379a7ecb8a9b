//! Claims jobs and runs them, several at once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::handler::Handlers;
use super::job::Claimed;
use super::run::{self, LEASE};
use super::storage;
use crate::db::{Db, DbError, Lsn};
use crate::shutdown::{self, Shutdown};
use crate::telemetry::chain;

/// Jobs that one worker runs at the same time.
const CONCURRENCY: usize = 4;
/// Time to the next look when the last found work.
const POLL_MIN: Duration = Duration::from_millis(20);
/// Longest time to the next look: doubled from [`POLL_MIN`] while there is nothing
/// to do. Half the longest wait that people don't notice.
const POLL_MAX: Duration = Duration::from_millis(200);
/// Time to the next look when the database is out of reach.
const POLL_FAILED: Duration = Duration::from_secs(1);
/// How often lost workers' jobs are looked for.
const RESCUE_INTERVAL: Duration = Duration::from_secs(1);
/// A stopping worker's jobs have this long to end by themselves; the rest of the
/// deadline is for handing them back.
const GRACE: Duration = shutdown::DEADLINE.saturating_sub(Duration::from_secs(2));

/// Works until `shutdown` begins, and then ends or hands back what it has.
pub async fn work(db: Db, handlers: Handlers, shutdown: Shutdown) {
    let kinds = handlers.kinds();
    let mut running = JoinSet::new();
    let mut pause = POLL_MIN;
    let mut rescued_at: Option<Instant> = None;
    while !shutdown.is_stopping() {
        while running.try_join_next().is_some() {}
        let free = CONCURRENCY - running.len();
        if rescued_at.is_none_or(|at| at.elapsed() >= RESCUE_INTERVAL) {
            rescued_at = Some(Instant::now());
            rescue(&db).await;
        }
        pause = match claim(&db, &kinds, free).await {
            Ok((jobs, _)) if jobs.is_empty() => (pause * 2).min(POLL_MAX),
            Ok((jobs, position)) => {
                for job in jobs {
                    let (db, handlers) = (db.clone(), handlers.clone());
                    let give_up = run::give_up(shutdown.clone(), GRACE);
                    running.spawn(async move { run::run(&db, &handlers, job, position, give_up).await });
                }
                POLL_MIN
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no jobs could be claimed");
                POLL_FAILED
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = shutdown.begun() => {}
            // A place is free, and more may be due.
            Some(_) = running.join_next() => pause = POLL_MIN,
        }
    }
    if !running.is_empty() {
        tracing::info!(running = running.len(), "stopping: jobs may end, then they are handed back");
    }
    while running.join_next().await.is_some() {}
}

/// Claims, and asks for a position at which what was claimed can be seen.
async fn claim(db: &Db, kinds: &[&str], free: usize) -> Result<(Vec<Claimed>, Option<Lsn>), DbError> {
    if free == 0 {
        return Ok((Vec::new(), None));
    }
    let connection = db.writer().await?;
    let jobs = storage::claim(&connection, kinds, free, LEASE).await?;
    let position = if jobs.is_empty() { None } else { connection.flushed().await.ok() };
    Ok((jobs, position))
}

async fn rescue(db: &Db) {
    let rescued = async { storage::rescue(&db.writer().await?).await };
    match rescued.await {
        Ok(jobs) if jobs.is_empty() => {}
        Ok(jobs) => tracing::warn!(?jobs, "workers were lost; their jobs are free again"),
        Err(error) => tracing::debug!(error = %chain(&error), "no look at leases"),
    }
}
