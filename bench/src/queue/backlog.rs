//! A backlog: jobs are added by the batch API, then workers are started. Its end
//! is when the database says that every job is completed, not when the last
//! handler returns.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::contestant::Counted;
use super::field::{Entry, Field};
use super::results;
use super::scale::Scale;
use crate::error::{BenchError, Reason};
use crate::report::Measurement;

/// How often the database is asked whether jobs are left.
const LOOK: Duration = Duration::from_millis(2);
/// Time from the last handler's call to the last completion.
const COMPLETE_MAX: Duration = Duration::from_secs(30);

/// What came of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Backlog {
    /// Adding them.
    pub(super) enqueued: Counted,
    /// From the start of the workers to the last completion.
    pub(super) done: Counted,
    /// Bytes of both.
    pub(super) wal: u64,
}

pub(super) async fn run(field: &mut Field, scale: &Scale) -> Result<Vec<Measurement>, BenchError> {
    field.rounds("warming up", 1, |_| true, async |entry| measure(entry, scale.warm_up).await).await?;
    let measure = async |entry: &mut Entry| measure(entry, scale.jobs).await;
    let outcome = field.rounds("a backlog", scale.rounds, |_| true, measure).await?;
    Ok(vec![
        results::end_to_end(&outcome)?,
        results::enqueue_batch(&outcome)?,
        results::wal_per_job(&outcome)?,
    ])
}

/// Backlogs of so many jobs each, in every round, of the only one that is there.
pub(super) async fn of_each(
    field: &mut Field,
    jobs: &[u32],
    rounds: u32,
) -> Result<Vec<Vec<Backlog>>, BenchError> {
    let warm_up = jobs.first().copied().unwrap_or_default();
    field.rounds("backlogs, warming up", 1, |_| true, async |entry| measure(entry, warm_up).await).await?;
    let all = async |entry: &mut Entry| {
        let mut backlogs = Vec::new();
        for &jobs in jobs {
            backlogs.push(measure(entry, jobs).await?);
            entry.place.clear().await?;
        }
        Ok(backlogs)
    };
    let outcome = field.rounds("backlogs", rounds, |_| true, all).await?;
    Ok(outcome.loads.into_values().next().unwrap_or_default())
}

async fn measure(entry: &mut Entry, jobs: u32) -> Result<Backlog, Reason> {
    let Entry { contestant, place, .. } = entry;
    let before = place.wal().await?;
    let begun = Instant::now();
    contestant.enqueue(jobs).await?;
    let enqueued = Counted { jobs, elapsed: begun.elapsed() };
    let enqueued_wal = place.wal().await? - before;
    place.analyze().await?;
    let before = place.wal().await?;
    let begun = Instant::now();
    contestant.work(jobs).await?;
    let completed = async {
        while place.is_left().await? {
            sleep(LOOK).await;
        }
        Ok::<_, Reason>(())
    };
    let too_long = || Reason::new("not every job was completed once handlers were called for all");
    timeout(COMPLETE_MAX, completed).await.map_err(|_| too_long())??;
    let done = Counted { jobs, elapsed: begun.elapsed() };
    let done_wal = place.wal().await? - before;
    contestant.stop().await?;
    Ok(Backlog { enqueued, done, wal: enqueued_wal + done_wal })
}
