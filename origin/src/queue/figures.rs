//! What a worker has done lately, by kind.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Over which time rates are taken: long enough to be steady, short enough to show a change.
const WINDOW: Duration = Duration::from_secs(30);

/// Of one kind, of one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindFigures {
    /// Jobs that run.
    #[serde(default)]
    pub running: u32,
    /// Attempts ended in a second.
    #[serde(default)]
    pub ended_per_second: f64,
    /// Of those, the share that failed.
    #[serde(default)]
    pub failed_share: f64,
    /// How long an attempt takes.
    #[serde(default)]
    pub attempt_seconds: f64,
}

/// Sums since the worker began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    ended: u64,
    failed: u64,
    seconds: f64,
}

/// Counts what ends, and says from time to time how it went since a while ago.
#[derive(Debug, Default)]
pub(super) struct Figures {
    sums: BTreeMap<&'static str, Sums>,
    /// As of earlier times, the oldest first.
    earlier: VecDeque<(Instant, BTreeMap<&'static str, Sums>)>,
}

impl Figures {
    pub(super) fn ended(&mut self, kind: &'static str, failed: bool, took: Duration) {
        let sums = self.sums.entry(kind).or_default();
        sums.ended += 1;
        sums.failed += u64::from(failed);
        sums.seconds += took.as_secs_f64();
    }

    /// The figures at `now`, of kinds that run or have run.
    pub(super) fn take(
        &mut self,
        running: &BTreeMap<&'static str, u32>,
        now: Instant,
    ) -> BTreeMap<&'static str, KindFigures> {
        while self.earlier.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.earlier.pop_front();
        }
        let kinds = self.sums.keys().chain(running.keys()).copied();
        let figures = kinds
            .map(|kind| {
                let sums = self.sums.get(kind).copied().unwrap_or_default();
                let running = running.get(kind).copied().unwrap_or_default();
                let Some((at, earlier)) = self.earlier.front() else {
                    return (kind, KindFigures { running, ..KindFigures::default() });
                };
                let before = earlier.get(kind).copied().unwrap_or_default();
                let ended = (sums.ended - before.ended) as f64;
                let share = |part: f64| if ended > 0.0 { part / ended } else { 0.0 };
                let seconds = now.saturating_duration_since(*at).as_secs_f64().max(f64::EPSILON);
                let figures = KindFigures {
                    running,
                    ended_per_second: ended / seconds,
                    failed_share: share((sums.failed - before.failed) as f64),
                    attempt_seconds: share(sums.seconds - before.seconds),
                };
                (kind, figures)
            })
            .collect();
        self.earlier.push_back((now, self.sums.clone()));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_while() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut figures = Figures::default();
        figures.take(&BTreeMap::new(), at(0));
        for n in 0..20 {
            figures.ended("a", n % 4 == 0, Duration::from_secs(3));
        }
        let running = BTreeMap::from([("a", 2), ("b", 1)]);
        let taken = figures.take(&running, at(10));
        let expected =
            KindFigures { running: 2, ended_per_second: 2.0, failed_share: 0.25, attempt_seconds: 3.0 };
        assert_eq!(taken["a"], expected);
        assert_eq!(taken["b"], KindFigures { running: 1, ..KindFigures::default() });
        assert_eq!(figures.take(&BTreeMap::new(), at(41))["a"].ended_per_second, 0.0);
    }
}
