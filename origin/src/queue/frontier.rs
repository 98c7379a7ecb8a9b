//! Where a claim begins to look.
//!
//! Jobs are claimed in the order of an index, so before the next one lie the entries of all that
//! were claimed already. The server passes over those quickly once it has seen that nobody can
//! see them any more; but while some transaction stays open that could, every claim would look
//! at each of them again, and a queue that works at full load would grind to a halt within
//! minutes. So a worker remembers how far it has come, and begins there.
//!
//! A job can appear before that place: its transaction took its time to commit, or it was handed
//! back. The place is therefore that of a while ago ([`OVERLAP`]), and from time to time a claim
//! begins at the beginning: a sweep. A sweep is as dear as there is much to pass over, so it is
//! made again once it is a small part of the time since ([`SWEEP_PAUSE`]). On a server that keeps
//! up that is nearly every claim, and only where a sweep is dear does what came late wait for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::priority::Priority;

/// Jobs whose commit comes so long after their turn are found by every claim.
const OVERLAP: Duration = Duration::from_millis(100);
/// Sweeps are this many times their own duration apart: at most a twentieth of one worker.
const SWEEP_PAUSE: u32 = 20;

/// However long one took: it may have waited for something else.
const SWEEP_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where a job stands among those of its priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) run_at: OffsetDateTime,
    pub(super) id: i64,
}

/// For each priority, in order; `None` is the beginning.
pub(super) type Places = [Option<Place>; Priority::ALL.len()];

/// How far a worker has come.
#[derive(Debug)]
pub(super) struct Frontier {
    /// As of each claim, the oldest first, of those not yet older than [`OVERLAP`] and the last
    /// that is.
    reached: VecDeque<(Instant, Places)>,
    /// No sweep before.
    sweep_at: Option<Instant>,
}

/// Where the next claim begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Begin {
    pub(super) places: Places,
    is_sweep: bool,
}

impl Frontier {
    pub(super) fn new() -> Self {
        Self { reached: VecDeque::new(), sweep_at: None }
    }

    /// Where a claim at `now` begins.
    pub(super) fn begin(&mut self, now: Instant) -> Begin {
        if self.sweep_at.is_none_or(|at| now >= at) {
            return Begin { places: Places::default(), is_sweep: true };
        }
        while self.reached.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= OVERLAP) {
            self.reached.pop_front();
        }
        let settled = self.reached.front().filter(|(at, _)| now.saturating_duration_since(*at) >= OVERLAP);
        Begin { places: settled.map(|(_, places)| *places).unwrap_or_default(), is_sweep: false }
    }

    /// A claim that began at `begin` took `took` until `now`, and got the jobs at `places`.
    pub(super) fn claimed(
        &mut self,
        begin: Begin,
        got: impl IntoIterator<Item = (Priority, Place)>,
        took: Duration,
        now: Instant,
    ) {
        if begin.is_sweep {
            self.sweep_at = Some(now + (took * SWEEP_PAUSE).min(SWEEP_PAUSE_MAX));
        }
        let mut places = self.reached.back().map(|(_, places)| *places).unwrap_or_default();
        let before = places;
        for (priority, place) in got {
            let reached = &mut places[priority as usize];
            *reached = (*reached).max(Some(place));
        }
        if places != before {
            self.reached.push_back((now, places));
        }
    }

    /// The next claim is a sweep: what was handed back may lie anywhere.
    pub(super) fn forget(&mut self) {
        self.sweep_at = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(seconds: i64, id: i64) -> Place {
        Place { run_at: OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds), id }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_claim_is_a_sweep_and_the_next_begins_at_the_beginning_until_the_overlap_has_passed() {
        let start = Instant::now();
        let mut frontier = Frontier::new();
        let begin = frontier.begin(start);
        assert!(begin.is_sweep);
        frontier.claimed(begin, [(Priority::Normal, place(5, 1))], 10 * MS, start + 10 * MS);
        let begin = frontier.begin(start + 11 * MS);
        assert_eq!((begin.is_sweep, begin.places), (false, Places::default()));
        let begin = frontier.begin(start + 10 * MS + OVERLAP);
        assert_eq!(begin.places, [None, None, Some(place(5, 1)), None]);
    }

    #[test]
    fn a_sweep_comes_again_when_it_is_a_small_part_of_the_time_since() {
        let start = Instant::now();
        let mut frontier = Frontier::new();
        let begin = frontier.begin(start);
        frontier.claimed(begin, [], 50 * MS, start);
        assert!(!frontier.begin(start + 999 * MS).is_sweep);
        assert!(frontier.begin(start + 1_000 * MS).is_sweep);
        let begin = frontier.begin(start);
        frontier.claimed(begin, [], MS, start);
        frontier.forget();
        assert!(frontier.begin(start).is_sweep);
    }

    #[test]
    fn each_priority_has_a_place_of_its_own_which_never_goes_back() {
        let start = Instant::now();
        let mut frontier = Frontier::new();
        let sweep = frontier.begin(start);
        frontier.claimed(sweep, [(Priority::Urgent, place(9, 2)), (Priority::Low, place(1, 1))], MS, start);
        frontier.claimed(sweep, [(Priority::Urgent, place(3, 7))], 60 * MS, start + MS);
        let begin = frontier.begin(start + OVERLAP + MS);
        assert_eq!(begin.places, [Some(place(9, 2)), None, None, Some(place(1, 1))]);
    }

    proptest! {
        /// A job that is there for [`OVERLAP`] after a claim has passed it by isn't passed by for
        /// good before the next sweep.
        #[test]
        fn no_claim_begins_past_what_was_reached_less_than_the_overlap_ago(
            claims in proptest::collection::vec((0u64..80, 0i64..50), 1..60),
        ) {
            let mut now = Instant::now();
            let mut frontier = Frontier::new();
            let mut reached: Vec<(Instant, Place)> = Vec::new();
            for (pause, second) in claims {
                now += Duration::from_millis(pause);
                let begin = frontier.begin(now);
                let settled = reached
                    .iter()
                    .filter(|(at, _)| now.duration_since(*at) >= OVERLAP)
                    .map(|(_, place)| *place)
                    .max();
                prop_assert!(begin.places[2] <= settled);
                let at = place(second, second);
                frontier.claimed(begin, [(Priority::Normal, at)], Duration::from_millis(3), now);
                reached.push((now, at));
            }
        }
    }
}
