//! Fires schedules: every worker looks, and one of them fires.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

use super::job::NewJobError;
use super::schedule::Schedule;
use super::{Queue, storage};
use crate::telemetry::chain;

const LOOK: Duration = Duration::from_secs(1);

/// Fires until it is dropped.
pub(super) async fn fire(queue: Queue, schedules: Vec<Schedule>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Before then none is due. The first look is at all of them, for what was missed.
    let mut next: Vec<Option<OffsetDateTime>> = vec![None; schedules.len()];
    loop {
        looks.tick().await;
        for (schedule, next) in schedules.iter().zip(&mut next) {
            if next.is_some_and(|at| at > OffsetDateTime::now_utc()) {
                continue;
            }
            match fire_due(&queue, schedule).await {
                Ok(after) => *next = after,
                Err(error) => {
                    tracing::warn!(schedule = schedule.name(), error = %chain(&error), "not fired yet");
                }
            }
        }
    }
}

/// Enqueues what is due, and notes it in the same transaction; when it fires next.
async fn fire_due(queue: &Queue, schedule: &Schedule) -> Result<Option<OffsetDateTime>, NewJobError> {
    let written = queue.db.write(async |transaction| {
        let name = schedule.name();
        let Some((fired, now)) = storage::schedule::lock(transaction, name).await? else { return Ok(None) };
        let due = schedule.due(fired, now);
        let jobs = due.iter().map(|at| schedule.make(*at)).collect::<Result<Vec<_>, _>>()?;
        if !jobs.is_empty() {
            queue.enqueue_all(transaction, &jobs).await?;
        }
        // Also of what was left out: it is never made up for.
        storage::schedule::fired(transaction, name, now).await?;
        Ok(schedule.next(now))
    });
    written.await.map(|written| written.value)
}
