//! What the loads of the contestants say about the pool. Pure.

use super::{PER_REQUEST, SHARED, TIDEWALL};
use crate::contest::Outcome;
use crate::error::{BenchError, Reason};
use crate::load::Load;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// The article: a request took 55 ms with a connection of its own, 6 ms with the pool.
const ARTICLE_LATENCY_MS: f64 = 6.0;
/// The article: so many times the requests.
const ARTICLE_RATIO: f64 = 9.0;

/// What one request takes.
pub(super) fn latency(outcome: &Outcome) -> Result<Measurement, BenchError> {
    let ours = outcome.sample(TIDEWALL, Load::latency_ms)?;
    let measurement = Measurement::new("pool/latency-per-request", "ms", Better::Lower, &ours);
    Ok(outcome.beside(measurement.article(ARTICLE_LATENCY_MS), &[TIDEWALL], Load::latency_ms))
}

/// How many times the requests of one connection each are answered in the same time.
pub(super) fn requests_ratio(outcome: &Outcome) -> Result<Measurement, BenchError> {
    let ratio = ratio(outcome, PER_REQUEST)?;
    let measurement = Measurement::new("pool/requests-ratio", "times", Better::Higher, &ratio);
    Ok(measurement.article(ARTICLE_RATIO))
}

/// How many requests are answered.
pub(super) fn select(outcome: &Outcome) -> Result<Measurement, BenchError> {
    let ours = outcome.sample(TIDEWALL, Load::rate)?;
    let limit = outcome.sample(SHARED, Load::rate)?;
    let measurement = Measurement::new("pool/select", "requests/s", Better::Higher, &ours);
    Ok(outcome.beside(measurement.limit(limit.median()), &[TIDEWALL, SHARED], Load::rate))
}

/// What is left of the throughput of the pool that ours is built on.
pub(super) fn overhead(outcome: &Outcome, deadpool: &str) -> Result<Measurement, BenchError> {
    let percent = ratio(outcome, deadpool)?.times(100.0);
    let unit = "percent of deadpool's throughput";
    Ok(Measurement::new("pool/overhead", unit, Better::Higher, &percent).limit(100.0))
}

fn ratio(outcome: &Outcome, other: &str) -> Result<Sample, BenchError> {
    let ours = outcome.sample(TIDEWALL, Load::rate)?;
    let theirs = outcome.sample(other, Load::rate)?;
    ours.over(&theirs).ok_or_else(|| BenchError::Contestant {
        name: other.to_owned(),
        reason: Reason::new("its rounds are not those of tidewall"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    /// Rounds of a second with so many requests, each of which took `latency_ms`.
    fn loads(latency_ms: u64, requests: &[u32]) -> Vec<Load> {
        let load = |&requests| Load {
            requests,
            elapsed: Duration::from_secs(1),
            waited: Duration::from_millis(latency_ms) * requests,
        };
        requests.iter().map(load).collect()
    }

    fn outcome(loads: Vec<(&str, Vec<Load>)>, missing: &[(&str, &str)]) -> Outcome {
        Outcome {
            loads: loads.into_iter().map(|(name, loads)| (name.to_owned(), loads)).collect(),
            missing: missing.iter().map(|(name, why)| ((*name).to_owned(), Reason::new(why))).collect(),
        }
    }

    fn check(measurement: Result<Measurement, BenchError>, expected: &Value) {
        assert_eq!(&serde_json::to_value(measurement.unwrap()).unwrap(), expected);
    }

    #[test]
    fn against_a_connection_per_request() {
        let outcome = outcome(
            vec![
                (TIDEWALL, loads(3, &[20_000, 18_000, 22_000])),
                (PER_REQUEST, loads(80, &[1_000, 600, 1_000])),
            ],
            &[],
        );
        check(
            latency(&outcome),
            &json!({
                "name": "pool/latency-per-request", "unit": "ms", "better": "lower",
                "tidewall": 3, "spread": [3, 3], "article": 6, "limit": null,
                "peers": {"connection per request": 80},
            }),
        );
        check(
            requests_ratio(&outcome),
            &json!({
                "name": "pool/requests-ratio", "unit": "times", "better": "higher",
                "tidewall": 22, "spread": [20, 30], "article": 9, "limit": null, "peers": {},
            }),
        );
    }

    #[test]
    fn against_other_pools() {
        let outcome = outcome(
            vec![
                (TIDEWALL, loads(3, &[19_000, 9_500])),
                ("deadpool 1", loads(3, &[20_000, 10_000])),
                (SHARED, loads(2, &[30_000, 20_000])),
            ],
            &[("node pg 8", "there is no node to run it")],
        );
        check(
            select(&outcome),
            &json!({
                "name": "pool/select", "unit": "requests/s", "better": "higher",
                "tidewall": 14250, "spread": [9500, 19000], "article": null, "limit": 25000,
                "peers": {"deadpool 1": 15000},
                "missing": {"node pg 8": "there is no node to run it"},
            }),
        );
        // Half as fast in the second round, as deadpool was: the same share.
        check(
            overhead(&outcome, "deadpool 1"),
            &json!({
                "name": "pool/overhead", "unit": "percent of deadpool's throughput", "better": "higher",
                "tidewall": 95, "spread": [95, 95], "article": null, "limit": 100, "peers": {},
            }),
        );
    }

    #[test]
    fn without_the_one_that_is_compared_with_there_is_no_ratio() {
        let outcome = outcome(vec![(TIDEWALL, loads(3, &[19_000]))], &[]);
        let error = overhead(&outcome, "deadpool 1").unwrap_err().to_string();
        assert_eq!(error, "deadpool 1 can't be measured: its rounds came to no figure");
    }
}
