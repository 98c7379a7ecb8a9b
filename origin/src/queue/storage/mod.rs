//! Every SQL statement of the queue.
//!
//! Times are the database's, so that workers whose clocks differ agree on leases. A statement
//! that ends an attempt names (id, attempt) and changes nothing once another one owns the job.
//!
//! What runs all the time is planned anew each time: a queue is empty one moment and has a
//! million rows the next, and a plan that was made for the one is a catastrophe for the other.
//!
//! - `enqueue`, `claim`, `settle`: the life of a job.
//! - `worker`: leases, what they tell, who is lost, what is removed.
//! - `schedule`: what was fired.
//! - `inspect`: for those who look on, and act by hand.

pub(super) mod claim;
pub(super) mod enqueue;
pub(super) mod inspect;
pub(super) mod schedule;
pub(super) mod settle;
pub(super) mod worker;

use std::time::Duration;

use crate::db::{DbError, HotStatement, TypedParams, WriteConnection};

/// The columns of [`super::JobRow`]. A scheduled job whose time has come may be claimed.
macro_rules! row_columns {
    () => {
        "jobs.id, jobs.kind, CASE WHEN jobs.state = 'scheduled' AND jobs.run_at <= now() THEN 'available' \
         ELSE jobs.state END AS state, jobs.progress, jobs.attempt, jobs.attempts_max, jobs.result, \
         jobs.error, jobs.owner_id, jobs.created_at, jobs.run_at, jobs.finished_at"
    };
}

/// Jobs that wait. The first part is for the planner: the indexes have it. It is told nothing of
/// the second: a moment after states were counted all of them are others, and a statement that
/// was planned for no job or for one takes seconds for a thousand.
macro_rules! waiting {
    () => {
        "run_at IS NOT NULL AND CASE WHEN state IN ('available', 'scheduled', 'retryable') THEN TRUE END"
    };
}

/// Jobs that are still those of the attempts in the given list. The planner is told of the id
/// alone, for the same reason.
macro_rules! owned {
    ($list:literal) => {
        concat!(
            "jobs.id = ",
            $list,
            ".id AND CASE WHEN jobs.attempt = ",
            $list,
            ".attempt AND jobs.state = 'running' THEN TRUE END"
        )
    };
}

use {owned, row_columns, waiting};

/// Jobs freed at once, so that no statement takes long.
const FREED_MAX: i64 = 1_000;

/// Runs each of `statements`, which free up to [`FREED_MAX`] jobs, until it finds no more; how many
/// they freed.
async fn free(
    connection: &WriteConnection,
    statements: [&str; 2],
    params: TypedParams<'_>,
) -> Result<u64, DbError> {
    let mut freed = 0;
    for sql in statements {
        loop {
            let some = connection.execute_planned(sql, params).await?;
            freed += some;
            if some < FREED_MAX.unsigned_abs() {
                break;
            }
        }
    }
    Ok(freed)
}

/// Longer than anything is to be kept or put off, and no more than the server can add to a date.
const LONGEST: Duration = Duration::from_hours(24 * 365 * 100);

/// An interval, as statements take it.
fn seconds(interval: Duration) -> f64 {
    interval.min(LONGEST).as_secs_f64()
}

/// What workers run all the time, and whoever waits for a job.
pub fn hot_statements() -> Vec<HotStatement> {
    let mut all = claim::hot_statements();
    all.extend(settle::hot_statements());
    all.extend(worker::hot_statements());
    all.extend(inspect::hot_statements());
    all
}
