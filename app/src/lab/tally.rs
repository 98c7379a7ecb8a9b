//! What a load came to, second by second.

use std::collections::VecDeque;

/// Figures of a request beside its time, at most.
pub const COUNTS: usize = 3;
/// Seconds that are kept.
const SECONDS: usize = 60;
/// Times of one second that are kept: its first ones tell a quantile well enough.
const TIMES_MAX: usize = 500;

/// What came of one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Milliseconds.
    pub ms: f64,
    /// What it counts for in each of the experiment's figures.
    pub counts: [f64; COUNTS],
}

/// One second of a load.
#[derive(Clone, Debug, Default, PartialEq)]
struct Second {
    /// Which, from the load's beginning.
    number: u32,
    times: Vec<f32>,
    requests: u32,
}

/// All that came of one way of doing it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    seconds: VecDeque<Second>,
    requests: u32,
    errors: u32,
    counts: [f64; COUNTS],
}

/// A point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since the load began.
    pub at: u32,
    /// Milliseconds that half of the requests took at most.
    pub ms: f64,
}

impl Tally {
    /// A request was answered in that second of the load.
    pub fn add(&mut self, second: u32, seen: &Seen) {
        let last = self.second(second);
        last.requests += 1;
        if last.times.len() < TIMES_MAX {
            last.times.push(seen.ms as f32);
        }
        self.requests += 1;
        for (sum, count) in self.counts.iter_mut().zip(seen.counts) {
            *sum += count;
        }
    }

    /// A request failed.
    pub fn fail(&mut self) {
        self.errors += 1;
    }

    fn second(&mut self, number: u32) -> &mut Second {
        // Requests end in the order of time, or nearly.
        if self.seconds.back().is_none_or(|last| last.number < number) {
            if self.seconds.len() == SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second { number, ..Second::default() });
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }

    /// Requests that were answered.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Requests that were not.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// Sum of a figure.
    pub fn count(&self, figure: usize) -> f64 {
        self.counts.get(figure).copied().unwrap_or_default()
    }

    /// Requests that are answered in a second, over the seconds that are kept and over.
    pub fn rate(&self) -> Option<f64> {
        let whole = self.seconds.len().checked_sub(1).filter(|whole| *whole > 0)?;
        let requests: u32 = self.seconds.iter().take(whole).map(|second| second.requests).sum();
        Some(f64::from(requests) / whole as f64)
    }

    /// Milliseconds that this share of the requests took at most, of those that are kept.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let times = self.seconds.iter().flat_map(|second| second.times.iter().copied()).collect();
        quantile(times, share)
    }

    /// The line of it.
    pub fn line(&self) -> Vec<Point> {
        let point =
            |second: &Second| Some(Point { at: second.number, ms: quantile(second.times.clone(), 0.5)? });
        self.seconds.iter().filter_map(point).collect()
    }
}

/// The nearest-rank quantile.
fn quantile(mut times: Vec<f32>, share: f64) -> Option<f64> {
    let last = times.len().checked_sub(1)?;
    let rank = (share * times.len() as f64).ceil().max(1.0) as usize - 1;
    let (_, time, _) = times.select_nth_unstable_by(rank.min(last), f32::total_cmp);
    Some(f64::from(*time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(seen: &[(u32, f64)]) -> Tally {
        let mut tally = Tally::default();
        for (second, ms) in seen {
            tally.add(*second, &Seen { ms: *ms, counts: [1.0, 0.0, *ms] });
        }
        tally
    }

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let tally = tally(&[(0, 1.0), (0, 2.0), (1, 3.0), (1, 100.0)]);
        assert_eq!([0.5, 0.95, 0.0].map(|share| tally.quantile(share)), [Some(2.0), Some(100.0), Some(1.0)]);
        assert_eq!(Tally::default().quantile(0.5), None);
    }

    #[test]
    fn each_second_is_a_point_and_the_oldest_are_forgotten() {
        assert_eq!(
            tally(&[(0, 1.0), (2, 5.0), (2, 7.0)]).line(),
            [Point { at: 0, ms: 1.0 }, Point { at: 2, ms: 5.0 }]
        );
        let many: Vec<_> = (0..100).map(|second| (second, 1.0)).collect();
        let tally = tally(&many);
        assert_eq!(tally.line().len(), SECONDS);
        assert_eq!(tally.line()[0].at, 40);
        assert_eq!(tally.requests(), 100);
    }

    #[test]
    fn the_second_that_goes_on_is_not_in_the_rate() {
        assert_eq!(tally(&[(0, 1.0), (0, 1.0), (1, 1.0)]).rate(), Some(2.0));
        assert_eq!(tally(&[(0, 1.0)]).rate(), None);
    }

    #[test]
    fn figures_are_summed() {
        let tally = tally(&[(0, 1.0), (1, 4.0)]);
        assert_eq!([0, 1, 2, 3].map(|figure| tally.count(figure)), [2.0, 0.0, 5.0, 0.0]);
    }
}
