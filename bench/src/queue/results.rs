//! What the rounds say about the queues. Pure.

use super::backlog::Backlog;
use super::contestant::Counted;
use super::{BARE, TIDEWALL};
use crate::contest::Outcome;
use crate::error::BenchError;
use crate::report::{Better, Measurement};

/// What came of a round of `pickup`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pickup {
    /// Jobs a second that were added.
    pub(super) load: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// What came of a round of `snapshot`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    /// Jobs done with the old transaction.
    pub(super) with: Counted,
    /// And without.
    pub(super) without: Counted,
}

/// How fast a backlog is done.
pub(super) fn end_to_end(outcome: &Outcome<Backlog>) -> Result<Measurement, BenchError> {
    below_bare(outcome, "queue/end-to-end", "jobs/s", Better::Higher, |round| round.done.rate())
}

/// How fast it is added.
pub(super) fn enqueue_batch(outcome: &Outcome<Backlog>) -> Result<Measurement, BenchError> {
    below_bare(outcome, "queue/enqueue-batch", "jobs/s", Better::Higher, |round| round.enqueued.rate())
}

/// How much WAL a job is, from when it is added until it is completed.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
pub(super) fn wal_per_job(outcome: &Outcome<Backlog>) -> Result<Measurement, BenchError> {
    below_bare(outcome, "queue/wal-per-job", "bytes", Better::Lower, |round| {
        round.wal as f64 / f64::from(round.done.jobs)
    })
}

/// How fast jobs are added one by one.
pub(super) fn enqueue_single(outcome: &Outcome<Counted>) -> Result<Measurement, BenchError> {
    below_bare(outcome, "queue/enqueue-single", "jobs/s", Better::Higher, Counted::rate)
}

/// How long jobs wait, and under which load.
pub(super) fn pickup(outcome: &Outcome<Pickup>) -> Result<Vec<Measurement>, BenchError> {
    Ok(vec![
        beside(outcome, "queue/pickup-load", "jobs/s added", Better::Higher, |round| round.load)?,
        beside(outcome, "queue/pickup-p50", "ms", Better::Lower, |round| round.p50_ms)?,
        beside(outcome, "queue/pickup-p99", "ms", Better::Lower, |round| round.p99_ms)?,
    ])
}

/// What an old transaction leaves of the throughput.
pub(super) fn old_snapshot(outcome: &Outcome<Kept>) -> Result<Measurement, BenchError> {
    let unit = "percent of the throughput without it";
    beside(outcome, "queue/old-snapshot", unit, Better::Higher, |round| {
        100.0 * round.with.rate() / round.without.rate()
    })
}

/// Where no library is the limit.
fn below_bare<T>(
    outcome: &Outcome<T>,
    name: &'static str,
    unit: &'static str,
    better: Better,
    figure: impl Fn(&T) -> f64,
) -> Result<Measurement, BenchError> {
    let limit = outcome.sample(BARE, &figure)?.median();
    Ok(beside(outcome, name, unit, better, figure)?.limit(limit))
}

fn beside<T>(
    outcome: &Outcome<T>,
    name: &'static str,
    unit: &'static str,
    better: Better,
    figure: impl Fn(&T) -> f64,
) -> Result<Measurement, BenchError> {
    let ours = outcome.sample(TIDEWALL, &figure)?;
    let measurement = Measurement::new(name, unit, better, &ours);
    Ok(outcome.beside(measurement, &[TIDEWALL, BARE], figure))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::error::Reason;

    fn outcome<T: Clone>(loads: &[(&str, &[T])], missing: &[(&str, &str)]) -> Outcome<T> {
        Outcome {
            loads: loads.iter().map(|(name, loads)| ((*name).to_owned(), loads.to_vec())).collect(),
            missing: missing
                .iter()
                .map(|(name, why)| ((*name).to_owned(), Reason::new(why)))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    fn counted(jobs: u32, seconds: u64) -> Counted {
        Counted { jobs, elapsed: Duration::from_secs(seconds) }
    }

    fn check(measurement: &Measurement, expected: &Value) {
        assert_eq!(&serde_json::to_value(measurement).unwrap(), expected);
    }

    #[test]
    fn a_backlog_is_told_below_the_bare_loop_and_beside_the_peers() {
        let backlog =
            |seconds, wal| Backlog { enqueued: counted(1_000, 1), done: counted(1_000, seconds), wal };
        let outcome = outcome(
            &[
                (TIDEWALL, &[backlog(2, 500_000), backlog(4, 500_000), backlog(5, 500_000)]),
                (BARE, &[backlog(1, 400_000)]),
                ("theirs 1", &[backlog(10, 900_000)]),
            ],
            &[("others 2", "not here")],
        );
        check(
            &end_to_end(&outcome).unwrap(),
            &json!({
                "name": "queue/end-to-end", "unit": "jobs/s", "better": "higher",
                "tidewall": 250, "spread": [200, 500], "article": null, "limit": 1000,
                "peers": {"theirs 1": 100}, "missing": {"others 2": "not here"},
            }),
        );
        check(
            &wal_per_job(&outcome).unwrap(),
            &json!({
                "name": "queue/wal-per-job", "unit": "bytes", "better": "lower",
                "tidewall": 500, "spread": [500, 500], "article": null, "limit": 400,
                "peers": {"theirs 1": 900}, "missing": {"others 2": "not here"},
            }),
        );
    }

    #[test]
    fn what_is_kept_is_a_share_of_the_own_throughput() {
        let kept = |with| Kept { with: counted(with, 3), without: counted(1_200, 3) };
        let outcome = outcome(&[(TIDEWALL, &[kept(1_080)]), ("theirs 1", &[kept(120)])], &[]);
        check(
            &old_snapshot(&outcome).unwrap(),
            &json!({
                "name": "queue/old-snapshot", "unit": "percent of the throughput without it",
                "better": "higher", "tidewall": 90, "spread": [90, 90], "article": null,
                "limit": null, "peers": {"theirs 1": 10},
            }),
        );
    }

    #[test]
    fn the_load_is_told_with_the_waits() {
        let pickup_of = |load, p50_ms, p99_ms| Pickup { load, p50_ms, p99_ms };
        let outcome = outcome(
            &[(TIDEWALL, &[pickup_of(8_000.0, 2.0, 9.0)]), ("theirs 1", &[pickup_of(5_000.0, 3.0, 40.0)])],
            &[],
        );
        let told: Vec<Value> = pickup(&outcome)
            .unwrap()
            .iter()
            .map(|measurement| serde_json::to_value(measurement).unwrap())
            .map(|told| json!([told["name"], told["tidewall"], told["peers"]["theirs 1"]]))
            .collect();
        assert_eq!(
            told,
            [
                json!(["queue/pickup-load", 8000, 5000]),
                json!(["queue/pickup-p50", 2, 3]),
                json!(["queue/pickup-p99", 9, 40]),
            ]
        );
    }
}
