//! How long what waits will take, and how many workers it needs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::figures::KindFigures;

/// The whole queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backlog {
    /// By kind.
    pub kinds: BTreeMap<String, KindBacklog>,
    /// The workers that are there.
    pub workers: Vec<WorkerFigures>,
}

/// Of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct KindBacklog {
    /// Jobs by state.
    pub states: BTreeMap<String, u64>,
    /// For how many seconds the job that waits longest has been due.
    pub oldest_seconds: f64,
    /// Attempts that all workers end in a second.
    pub ended_per_second: f64,
    /// Of those, the share that failed.
    pub failed_share: f64,
    /// Seconds that an attempt takes.
    pub attempt_seconds: f64,
    /// Until all that is due now is done, at the present rate. `None`: nothing is being done.
    pub eta_seconds: Option<f64>,
}

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerFigures {
    /// Its name.
    pub name: String,
    /// Jobs that it runs at the same time.
    pub concurrency: u32,
    /// For how long it has been there.
    #[serde(skip)]
    pub up: Duration,
    /// By kind.
    pub kinds: BTreeMap<String, KindFigures>,
}

impl KindBacklog {
    /// Puts counts by kind and state, and ages by kind, together.
    pub(super) fn collect(
        counts: Vec<(String, String, i64)>,
        oldest: Vec<(String, f64)>,
    ) -> BTreeMap<String, Self> {
        let mut kinds: BTreeMap<String, Self> = BTreeMap::new();
        for (kind, state, count) in counts {
            kinds.entry(kind).or_default().states.insert(state, count.unsigned_abs());
        }
        for (kind, seconds) in oldest {
            kinds.entry(kind).or_default().oldest_seconds = seconds;
        }
        kinds
    }

    /// Jobs that are due, or will be without a date of their own.
    pub fn waiting(&self) -> u64 {
        ["available", "retryable"].iter().filter_map(|state| self.states.get(*state)).sum()
    }

    /// Places at which jobs run at the same time that it takes so that what waits now is done
    /// within `target`: by Little's law what is done at a time is the rate times the time each
    /// takes. `None` as long as it isn't known how long one takes.
    pub fn places_needed(&self, target: Duration) -> Option<u64> {
        if self.attempt_seconds <= 0.0 || target.is_zero() {
            return None;
        }
        let rate = self.waiting() as f64 / target.as_secs_f64();
        Some((rate * self.attempt_seconds).ceil() as u64)
    }
}

impl Backlog {
    /// Of what waits, and of the workers.
    pub(super) fn of(mut kinds: BTreeMap<String, KindBacklog>, workers: Vec<WorkerFigures>) -> Self {
        for (name, kind) in &mut kinds {
            let figures: Vec<_> = workers.iter().filter_map(|worker| worker.kinds.get(name)).collect();
            let ended: f64 = figures.iter().map(|figures| figures.ended_per_second).sum();
            let weighed = |part: fn(&KindFigures) -> f64| {
                let sum: f64 = figures.iter().map(|figures| part(figures) * figures.ended_per_second).sum();
                if ended > 0.0 { sum / ended } else { 0.0 }
            };
            kind.ended_per_second = ended;
            kind.failed_share = weighed(|figures| figures.failed_share);
            kind.attempt_seconds = weighed(|figures| figures.attempt_seconds);
            let waiting = kind.waiting() as f64;
            kind.eta_seconds = match waiting {
                0.0 => Some(0.0),
                _ if ended > 0.0 => Some(waiting / ended),
                _ => None,
            };
        }
        Self { kinds, workers }
    }

    /// Workers of the present size that it takes so that what waits now is done within `target`.
    /// `None` as long as it isn't known how long jobs take, or there is no worker.
    pub fn workers_needed(&self, target: Duration) -> Option<u64> {
        let concurrency = self.workers.iter().map(|worker| u64::from(worker.concurrency)).max()?;
        let waiting = self.kinds.values().filter(|kind| kind.waiting() > 0);
        let places: u64 = waiting.map(|kind| kind.places_needed(target)).sum::<Option<u64>>()?;
        Some(places.div_ceil(concurrency.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(concurrency: u32, kind: &str, ended_per_second: f64, attempt_seconds: f64) -> WorkerFigures {
        let figures = KindFigures { ended_per_second, attempt_seconds, ..KindFigures::default() };
        WorkerFigures {
            name: "w".to_owned(),
            concurrency,
            up: Duration::ZERO,
            kinds: BTreeMap::from([(kind.to_owned(), figures)]),
        }
    }

    fn backlog(waiting: i64, workers: Vec<WorkerFigures>) -> Backlog {
        let counts = vec![
            ("report".to_owned(), "available".to_owned(), waiting),
            ("report".to_owned(), "completed".to_owned(), 9),
        ];
        Backlog::of(KindBacklog::collect(counts, vec![("report".to_owned(), 4.0)]), workers)
    }

    #[test]
    fn a_backlog_takes_as_long_as_all_workers_together_need() {
        let backlog = backlog(120, vec![worker(4, "report", 2.0, 1.0), worker(4, "report", 1.0, 4.0)]);
        let report = &backlog.kinds["report"];
        assert_eq!((report.ended_per_second, report.attempt_seconds), (3.0, 2.0));
        assert_eq!((report.eta_seconds, report.oldest_seconds), (Some(40.0), 4.0));
    }

    #[test]
    fn without_workers_nobody_knows_and_without_jobs_it_is_done() {
        assert_eq!(backlog(1, vec![]).kinds["report"].eta_seconds, None);
        assert_eq!(backlog(0, vec![]).kinds["report"].eta_seconds, Some(0.0));
        assert_eq!(backlog(1, vec![]).workers_needed(Duration::from_secs(1)), None);
    }

    #[test]
    fn the_workers_needed_follow_from_the_time_that_jobs_take() {
        let backlog = backlog(120, vec![worker(4, "report", 2.0, 3.0)]);
        // 120 jobs of 3 s in 60 s: 6 at a time, two workers of 4.
        assert_eq!(backlog.workers_needed(Duration::from_secs(60)), Some(2));
        assert_eq!(backlog.workers_needed(Duration::from_secs(600)), Some(1));
        assert_eq!(backlog.kinds["report"].places_needed(Duration::from_secs(60)), Some(6));
    }
}
