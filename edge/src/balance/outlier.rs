//! Origins that stand out: they fail far more often than the others, or are far slower.
//!
//! `max_fails` ([`health`](crate::balance::health)) finds an origin that doesn't work. This
//! finds one that works badly: whose every other answer is an error of its own, which one by one
//! say nothing, or which takes ten times as long since its disk or its neighbour is busy. Both
//! are told by comparison: where all are slow, or all fail, the trouble lies behind them, and who
//! is left alone would be missed. (Envoy calls it outlier detection.)
//!
//! - Errors: at least half of the last requests, and several times what it is with the others.
//! - Slowness: a median of several times that of the pool, and noticeable at all. Medians, as a
//!   few slow reports make no slow origin. Half of its answers must be slower than nearly all of
//!   the others', too: when all slow down at once, the median of one is the first to turn. Where
//!   the policy itself goes by how long origins take, their slowness is its business: it sends
//!   them little, and by that learns when they are well.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Timestamp;

/// What is longer ago says nothing of how an origin is now.
const WINDOW: Duration = Duration::from_secs(10);
/// Most requests that are remembered of each origin: with more in the time the last ones do.
const SAMPLES_MAX: usize = 128;
/// Fewest requests in the window by which an origin is judged.
const SAMPLES_MIN: usize = 20;
/// Share of requests that must have failed.
const FAILING_MIN: f64 = 0.5;
/// So many times as often as with the others: when all begin to fail, one is ahead of them.
const FAILING_TIMES: f64 = 4.0;
/// So many times the pool's median is too slow.
const SLOW_TIMES: f64 = 5.0;
/// So many times what nine of ten answers of the others take it must be as well.
const APART_TIMES: f64 = 2.0;
/// Below nobody notices, and between 2 ms and 20 ms is a cache that is cold.
const SLOW_MIN_MS: f64 = 100.0;
/// An origin is judged no more often: a judgement sorts what is remembered of all.
const JUDGED_EVERY: Duration = Duration::from_millis(250);

/// The last requests of all origins.
#[derive(Clone, Debug)]
pub struct Outliers(Vec<Window>);

#[derive(Clone, Debug, Default)]
struct Window {
    /// The oldest first.
    samples: VecDeque<Sample>,
    judged: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    has_failed: bool,
    /// Time to the head of the answer, where that says how fast the origin is.
    took_ms: Option<f64>,
}

impl Outliers {
    /// Of so many origins.
    pub fn new(origins: usize) -> Self {
        Self(vec![Window::default(); origins])
    }

    /// A request has ended: it failed, or was answered after `took`, where that counts.
    pub fn ended(&mut self, origin: usize, has_failed: bool, took: Option<Duration>, now: Timestamp) {
        let samples = &mut self.0[origin].samples;
        while samples.len() >= SAMPLES_MAX || samples.front().is_some_and(|oldest| oldest.is_over(now)) {
            samples.pop_front();
        }
        let took_ms = took.map(|took| took.as_secs_f64() * 1_000.0);
        samples.push_back(Sample { at: now, has_failed, took_ms });
    }

    /// What was seen of an origin counts no longer, as when it is left alone.
    pub fn forget(&mut self, origin: usize) {
        self.0[origin] = Window::default();
    }

    /// In what an origin stands out, if it does.
    pub fn apart(&mut self, origin: usize, now: Timestamp) -> Option<Apart> {
        let judged = self.0[origin].judged;
        if self.0.len() < 2 || judged.is_some_and(|judged| now.since(judged) < JUDGED_EVERY) {
            return None;
        }
        self.0[origin].judged = Some(now);
        if self.fails_more(origin, now) {
            Some(Apart::Failing)
        } else {
            self.is_slower(origin, now).then_some(Apart::Slow)
        }
    }

    fn fails_more(&self, origin: usize, now: Timestamp) -> bool {
        let Some(own) = self.0[origin].failing(now).filter(|own| *own >= FAILING_MIN) else { return false };
        let shares: Vec<f64> = self.0.iter().filter_map(|window| window.failing(now)).collect();
        shares.len() > 1 && own >= FAILING_TIMES * lower_median(shares)
    }

    fn is_slower(&self, origin: usize, now: Timestamp) -> bool {
        let Some((own, _)) = self.0[origin].took_ms(now).filter(|(own, _)| *own >= SLOW_MIN_MS) else {
            return false;
        };
        let (medians, most): (Vec<f64>, Vec<f64>) =
            self.0.iter().filter_map(|window| window.took_ms(now)).unzip();
        medians.len() > 1
            && own >= SLOW_TIMES * lower_median(medians)
            && own >= APART_TIMES * lower_median(most)
    }
}

/// In what an origin stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// It fails more often than the others.
    Failing,
    /// It takes longer.
    Slow,
}

impl Window {
    fn current(&self, now: Timestamp) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| !sample.is_over(now))
    }

    /// The share of requests that failed, where there were enough.
    fn failing(&self, now: Timestamp) -> Option<f64> {
        let (all, failed) = self
            .current(now)
            .fold((0, 0), |(all, failed), sample| (all + 1, failed + usize::from(sample.has_failed)));
        (all >= SAMPLES_MIN).then(|| failed as f64 / all as f64)
    }

    /// What half of the answers took at most, and nine of ten, where there were enough.
    fn took_ms(&self, now: Timestamp) -> Option<(f64, f64)> {
        let mut took: Vec<f64> = self.current(now).filter_map(|sample| sample.took_ms).collect();
        took.sort_unstable_by(f64::total_cmp);
        let last = took.len().checked_sub(1).filter(|last| *last + 1 >= SAMPLES_MIN)?;
        Some((took[last / 2], took[last * 9 / 10]))
    }
}

impl Sample {
    fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.at) >= WINDOW
    }
}

/// The middle one; the lower of two, so that of two origins the bad one is not its own measure.
fn lower_median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    /// Origins with so many requests each, of which so many failed, answered in so many ms.
    fn outliers(origins: &[(usize, usize, u64)]) -> Outliers {
        let mut outliers = Outliers::new(origins.len());
        for (origin, (requests, failed, took_ms)) in origins.iter().enumerate() {
            for n in 0..*requests {
                outliers.ended(origin, n < *failed, Some(Duration::from_millis(*took_ms)), at(0));
            }
        }
        outliers
    }

    fn check(origins: &[(usize, usize, u64)], expected: &[usize]) {
        let mut outliers = outliers(origins);
        let found: Vec<_> =
            (0..origins.len()).filter(|origin| outliers.apart(*origin, at(1)).is_some()).collect();
        assert_eq!(found, expected, "{origins:?}");
    }

    #[test]
    fn who_fails_every_other_time_stands_out_where_the_others_do_not() {
        check(&[(40, 0, 20), (40, 20, 20), (40, 0, 20)], &[1]);
        check(&[(40, 0, 20), (40, 19, 20), (40, 0, 20)], &[]);
        check(&[(40, 5, 20), (40, 20, 20), (40, 5, 20)], &[1]);
        check(&[(40, 40, 20), (40, 40, 20), (40, 0, 20), (40, 0, 20)], &[0, 1]);
        check(&[(40, 0, 20), (40, 40, 20)], &[1]);
    }

    #[test]
    fn where_all_fail_nobody_stands_out() {
        check(&[(40, 40, 20), (40, 40, 20), (40, 40, 20)], &[]);
        check(&[(40, 30, 20), (40, 25, 20)], &[]);
        check(&[(40, 40, 20), (40, 40, 20), (40, 0, 20)], &[]);
    }

    #[test]
    fn who_is_five_times_slower_stands_out() {
        check(&[(40, 0, 40), (40, 0, 40), (40, 0, 200)], &[2]);
        check(&[(40, 0, 40), (40, 0, 40), (40, 0, 199)], &[]);
        check(&[(40, 0, 40), (40, 0, 200)], &[1]);
        check(&[(40, 0, 40), (40, 0, 40), (40, 0, 900), (40, 0, 800)], &[2, 3]);
    }

    #[test]
    fn where_all_are_slow_nobody_stands_out() {
        check(&[(40, 0, 4_000), (40, 0, 4_000), (40, 0, 9_000)], &[]);
        check(&[(40, 0, 4_000), (40, 0, 4_000)], &[]);
    }

    #[test]
    fn what_nobody_notices_is_not_slow() {
        check(&[(40, 0, 1), (40, 0, 1), (40, 0, 99)], &[]);
        check(&[(40, 0, 0), (40, 0, 0), (40, 0, 100)], &[2]);
    }

    #[test]
    fn a_few_requests_say_nothing() {
        check(&[(40, 0, 20), (19, 19, 20)], &[]);
        check(&[(40, 0, 20), (19, 0, 2_000)], &[]);
        check(&[(19, 0, 20), (40, 40, 2_000)], &[]);
        check(&[(40, 40, 2_000)], &[]);
        check(&[], &[]);
    }

    #[test]
    fn a_few_slow_answers_make_no_slow_origin() {
        let mut outliers = outliers(&[(40, 0, 20), (40, 0, 20)]);
        for _ in 0..39 {
            outliers.ended(1, false, Some(Duration::from_secs(25)), at(0));
        }
        assert!(outliers.apart(1, at(1)).is_none());
    }

    #[test]
    fn when_all_slow_down_at_once_the_first_does_not_stand_out() {
        let mut outliers = Outliers::new(3);
        // More than half of its last answers are of the new kind, with the others one in four.
        for (origin, slow) in [(0, 15), (1, 7), (2, 7)] {
            for n in 0..28 {
                let ms = if n < slow { 1_500 } else { 20 };
                outliers.ended(origin, false, Some(Duration::from_millis(ms)), at(0));
            }
        }
        assert!(outliers.apart(0, at(1)).is_none());
    }

    #[test]
    fn where_time_does_not_count_nobody_is_slow() {
        let mut outliers = outliers(&[(40, 0, 20), (0, 0, 0)]);
        for _ in 0..40 {
            outliers.ended(1, false, None, at(0));
        }
        assert!(outliers.apart(1, at(1)).is_none());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let origins = [(40, 0, 20), (40, 40, 2_000), (40, 0, 20)];
        assert!(outliers(&origins).apart(1, at(9_999)).is_some());
        assert!(outliers(&origins).apart(1, at(10_000)).is_none());
        let mut forgotten = outliers(&origins);
        forgotten.forget(1);
        assert!(forgotten.apart(1, at(1)).is_none());
    }

    #[test]
    fn an_origin_is_judged_four_times_a_second() {
        let mut outliers = outliers(&[(40, 0, 20), (0, 0, 0)]);
        assert!(outliers.apart(1, at(0)).is_none());
        (0..40).for_each(|_| outliers.ended(1, true, None, at(1)));
        assert!(outliers.apart(1, at(249)).is_none());
        assert!(outliers.apart(1, at(250)).is_some());
    }

    proptest! {
        #[test]
        fn within_five_times_of_each_other_none_is_slow(
            took in prop::collection::vec((0_usize..4, 100_u64..499, 0_u64..50), 0..400),
        ) {
            let mut outliers = Outliers::new(4);
            let mut now = 0;
            for (origin, ms, pause) in took {
                now += pause;
                outliers.ended(origin, false, Some(Duration::from_millis(ms)), at(now));
                prop_assert!(outliers.apart(origin, at(now)).is_none());
                prop_assert!(outliers.0[origin].samples.len() <= SAMPLES_MAX);
            }
        }
    }
}
