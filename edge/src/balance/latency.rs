//! What an isolate sees of each origin: how long it takes, how often it fails.

use std::time::Duration;

use crate::time::Timestamp;

/// The weight of a new observation is one in so many, as in RFC 6298, section 2.
const SMOOTHING: f64 = 8.0;
/// After so long without an observation half of what was seen is believed: an origin
/// that nobody asks would otherwise stay slow for ever.
const FORGETTING: Duration = Duration::from_secs(5);
/// Up to so many times what the others take is no difference: routes differ as well.
const SLOW_FROM: f64 = 2.0;
/// What an origin costs that fails each time, as so many times what it costs otherwise.
const FAILING: f64 = 100.0;
/// Below, no time is told from another: the clock's ticks are milliseconds.
const LATENCY_MIN_MS: f64 = 2.0;
/// Costs are compared in parts of a request.
const PARTS: f64 = 100.0;

/// What was seen of one origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// Time to the head of an answer.
    smoothed_ms: Option<f64>,
    /// Share of requests without a proper answer.
    failing: f64,
    last: Option<Timestamp>,
}

impl Latency {
    /// An answer's head has come after `took`; nothing where that says more of the client.
    pub fn answered(&mut self, took: Option<Duration>, now: Timestamp) {
        if let Some(took) = took {
            let took_ms = took.as_secs_f64() * 1_000.0;
            let weight = self.weight(now);
            let smoothed =
                self.smoothed_ms.map_or(took_ms, |smoothed| smoothed + (took_ms - smoothed) * weight);
            self.smoothed_ms = Some(smoothed);
        }
        self.observe(0.0, now);
    }

    /// None came, or an error. How soon says nothing.
    pub fn failed(&mut self, now: Timestamp) {
        self.observe(1.0, now);
    }

    fn observe(&mut self, failing: f64, now: Timestamp) {
        self.failing += (failing - self.failing) * self.weight(now);
        self.last = Some(now);
    }

    /// How much of what was seen still counts.
    fn belief(&self, now: Timestamp) -> f64 {
        let idle = self.last.map_or(Duration::ZERO, |last| now.since(last));
        1.0 / (1.0 + idle.as_secs_f64() / FORGETTING.as_secs_f64())
    }

    /// How much a new observation counts: more where the last is long ago.
    fn weight(&self, now: Timestamp) -> f64 {
        (1.0 - self.belief(now)).max(1.0 / SMOOTHING)
    }
}

/// What one more request costs at each origin: the requests it is at, more where it is
/// slower than the others are, and far more where it fails.
pub fn cost(seen: &[Latency], in_flight: impl Fn(usize) -> usize, now: Timestamp) -> Vec<u64> {
    let mut known: Vec<f64> = seen.iter().filter_map(|latency| latency.smoothed_ms).collect();
    known.sort_unstable_by(f64::total_cmp);
    // The lower one of two, so that of two origins the slow one is not its own measure.
    let median =
        known.get(known.len().saturating_sub(1) / 2).copied().unwrap_or_default().max(LATENCY_MIN_MS);
    let cost = |(origin, latency): (usize, &Latency)| {
        // What isn't believed any more is taken to be as with the others.
        let belief = latency.belief(now);
        let slowness = 1.0 + (latency.smoothed_ms.unwrap_or(median) / median - 1.0) * belief;
        let failing = 1.0 + (FAILING - 1.0) * latency.failing * belief;
        let requests = in_flight(origin) as f64 + 1.0;
        (requests * (slowness / SLOW_FROM).max(1.0) * failing * PARTS) as u64
    };
    seen.iter().enumerate().map(cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Origins that have answered in so many milliseconds, many times.
    fn seen(latencies_ms: &[u64]) -> Vec<Latency> {
        let seen = |ms: &u64| {
            let mut latency = Latency::default();
            (0..50).for_each(|_| latency.answered(Some(Duration::from_millis(*ms)), at(0)));
            latency
        };
        latencies_ms.iter().map(seen).collect()
    }

    fn costs(seen: &[Latency], in_flight: &[usize], now: u64) -> Vec<u64> {
        cost(seen, |origin| in_flight[origin], at(now))
    }

    #[test]
    fn what_is_not_known_costs_what_is_in_flight() {
        assert_eq!(costs(&[Latency::default(); 3], &[0, 1, 4], 0), [100, 200, 500]);
    }

    #[test]
    fn small_differences_are_none() {
        assert_eq!(costs(&seen(&[20, 30, 40]), &[0; 3], 0), [100; 3]);
        assert_eq!(costs(&seen(&[0, 1, 3]), &[0; 3], 0), [100; 3]);
    }

    #[test]
    fn one_that_is_ten_times_slower_costs_five_times_as_much() {
        assert_eq!(costs(&seen(&[20, 20, 200]), &[0; 3], 0), [100, 100, 500]);
        assert_eq!(costs(&seen(&[20, 200]), &[0; 2], 0), [100, 500]);
    }

    #[test]
    fn if_all_are_slow_none_is() {
        assert_eq!(costs(&seen(&[2_000; 3]), &[0, 0, 1], 0), [100, 100, 200]);
    }

    #[test]
    fn it_is_noticed_within_a_few_answers_and_forgotten_unless_seen_again() {
        let mut origins = seen(&[20, 20, 20]);
        (0..16).for_each(|_| origins[2].answered(Some(Duration::from_millis(200)), at(0)));
        assert!(costs(&origins, &[0; 3], 0)[2] > 400);
        origins[..2]
            .iter_mut()
            .for_each(|origin| origin.answered(Some(Duration::from_millis(20)), at(60_000)));
        assert_eq!(costs(&origins, &[0; 3], 60_000)[2], 100);
    }

    #[test]
    fn an_origin_that_fails_fast_attracts_nothing() {
        let mut origins = seen(&[20, 20]);
        origins[0].failed(at(0));
        assert!(costs(&origins, &[0, 9], 0)[0] > 1_000);
        (0..50).for_each(|_| origins[0].failed(at(0)));
        assert!(costs(&origins, &[0; 2], 0)[0] > 9_900);
        (0..50).for_each(|_| origins[0].answered(Some(Duration::from_millis(20)), at(0)));
        assert_eq!(costs(&origins, &[0; 2], 0)[0], 112, "{origins:?}");
    }
}
