//! Who refreshes the view for a reader that can't be answered from it as it is (S2, S3),
//! and who waits for another's refresh.
//!
//! What a reader has seen was in the log before it asked, so a refresh that is sent after
//! its request arrived shows it, whoever sends it; one that was sent before may not, and is
//! followed by another. So refreshes are numbered, and a request notes the last number
//! that there was when it arrived.
//!
//! A bookmark costs nothing to make up, and one from the future asks for a refresh each
//! time. So for bookmarks there is one in [`APART`] at most, however many ask; all that
//! arrive meanwhile wait for the next, and share it.

use std::time::Duration;

use crate::time::Timestamp;

/// Least time between two refreshes that are sent for a bookmark's sake: 20 a second of
/// each isolate, of the thousand that one object answers. Who comes right after one waits
/// no longer than a slow request takes anyway; who comes alone doesn't wait.
pub const APART: Duration = Duration::from_millis(50);

/// How long a refresh under way is waited for. Then it is given up, as the request that
/// sent it may be gone, and another is sent beside it.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often a request looks whether the refresh of another has come: it may not wait for
/// another's I/O, only for a timer of its own.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// Why a request wants the view refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is too old. That ends with any refresh that is late enough, so it can't be asked
    /// for too often.
    Younger {
        /// When the request arrived, at which a view is judged.
        arrived: Timestamp,
        /// How old a view may be then.
        max_age: Duration,
    },
    /// The reader's bookmark is past it.
    Further,
}

/// What such a request does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A refresh that was sent after it arrived is there.
    Seen,
    /// It sends one itself.
    Send,
    /// It looks again after this time.
    Wait(Duration),
}

/// The number of a refresh; 0 before the first.
pub type Number = u64;

/// The refreshes of one isolate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refreshes {
    last_sent: Number,
    last_sent_at: Option<Timestamp>,
    /// Whether the last is under way.
    is_under_way: bool,
    /// The last of those that came back.
    seen: Number,
}

impl Refreshes {
    /// The last that was sent by now: a request notes it as it arrives.
    pub fn last_sent(&self) -> Number {
        self.last_sent
    }

    /// The last of those that were answered.
    pub fn seen(&self) -> Number {
        self.seen
    }

    /// When the one that is under way was sent, if one is.
    pub fn under_way_since(&self) -> Option<Timestamp> {
        self.last_sent_at.filter(|_| self.is_under_way)
    }

    /// What a request does that noted `arrived_after`.
    pub fn step(&self, arrived_after: Number, want: Want, now: Timestamp) -> Step {
        if self.seen > arrived_after {
            return Step::Seen;
        }
        // The clocks of two requests differ by a little. Beyond one that was put back nothing
        // is remembered.
        let is_remembered = |sent_at: &Timestamp| sent_at.since(now) <= PATIENCE;
        let Some(sent_at) = self.last_sent_at.filter(is_remembered) else { return Step::Send };
        let since = now.since(sent_at);
        let is_under_way = self.is_under_way && since < PATIENCE;
        match want {
            Want::Further if is_under_way => Step::Wait(LOOK_EVERY),
            Want::Further if since < APART => Step::Wait(APART - since),
            Want::Younger { arrived, max_age }
                if is_under_way && (self.last_sent > arrived_after || arrived.since(sent_at) < max_age) =>
            {
                Step::Wait(LOOK_EVERY)
            }
            Want::Further | Want::Younger { .. } => Step::Send,
        }
    }

    /// One is sent.
    pub fn send(&mut self, now: Timestamp) -> Number {
        self.last_sent += 1;
        self.last_sent_at = Some(now);
        self.is_under_way = true;
        self.last_sent
    }

    /// One came back: with an answer, if `is_answered`.
    pub fn came_back(&mut self, number: Number, is_answered: bool) {
        if number == self.last_sent {
            self.is_under_way = false;
        }
        if is_answered {
            self.seen = self.seen.max(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn wait(ms: u64) -> Step {
        Step::Wait(Duration::from_millis(ms))
    }

    #[test]
    fn who_comes_alone_sends_one_at_once() {
        let mut refreshes = Refreshes::default();
        for (now, number) in [(1_000, 1), (1_050, 2), (5_000, 3)] {
            let arrived_after = refreshes.last_sent();
            assert_eq!(refreshes.step(arrived_after, Want::Further, ms(now)), Step::Send);
            assert_eq!(refreshes.send(ms(now)), number);
            refreshes.came_back(number, true);
            assert_eq!(refreshes.step(arrived_after, Want::Further, ms(now)), Step::Seen);
        }
    }

    #[test]
    fn one_that_was_sent_before_a_request_arrived_is_followed_by_another() {
        let mut refreshes = Refreshes::default();
        refreshes.send(ms(1_000));
        let arrived_after = refreshes.last_sent();
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_000)), wait(4));
        refreshes.came_back(1, true);
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_010)), wait(40));
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_050)), Step::Send);
    }

    #[test]
    fn who_wants_a_younger_view_waits_for_one_that_is_and_not_for_long() {
        let younger = |arrived| Want::Younger { arrived: ms(arrived), max_age: Duration::from_millis(30) };
        let mut refreshes = Refreshes::default();
        assert_eq!(refreshes.step(0, younger(1_000), ms(1_000)), Step::Send);
        refreshes.send(ms(1_000));
        assert_eq!(refreshes.step(1, younger(1_029), ms(1_029)), wait(4));
        // When it comes back, it is too old for this one.
        assert_eq!(refreshes.step(1, younger(1_030), ms(1_030)), Step::Send);
        refreshes.send(ms(1_030));
        refreshes.send(ms(1_090));
        assert_eq!(refreshes.step(1, younger(1_030), ms(1_120)), wait(4));
        // So of all who wait one sends in a hundred milliseconds, however slow the keeper is.
        assert_eq!(refreshes.step(1, younger(1_030), ms(1_189)), wait(4));
        assert_eq!(refreshes.step(1, younger(1_030), ms(1_190)), Step::Send);
        // Without a lifetime only what was sent after the request arrived is young enough.
        let at_once = Want::Younger { arrived: ms(1_091), max_age: Duration::ZERO };
        assert_eq!(refreshes.step(3, at_once, ms(1_091)), Step::Send);
        assert_eq!(refreshes.step(2, at_once, ms(1_091)), wait(4));
    }

    #[test]
    fn all_that_arrive_before_one_is_sent_share_it() {
        let mut refreshes = Refreshes::default();
        let arrived_after = refreshes.last_sent();
        refreshes.send(ms(1_000));
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_001)), wait(4));
        refreshes.came_back(1, true);
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_002)), Step::Seen);
    }

    #[test]
    fn one_that_does_not_come_back_or_fails_is_not_waited_for() {
        let mut refreshes = Refreshes::default();
        let arrived_after = refreshes.last_sent();
        refreshes.send(ms(1_000));
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_099)), wait(4));
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_100)), Step::Send);
        refreshes.send(ms(1_100));
        refreshes.came_back(2, false);
        assert_eq!(refreshes.under_way_since(), None);
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_120)), wait(30));
        // It was slow, and yet it was sent after the request had arrived.
        refreshes.came_back(1, true);
        assert_eq!(refreshes.step(arrived_after, Want::Further, ms(1_121)), Step::Seen);
    }

    #[test]
    fn a_clock_that_was_put_back_holds_nobody_up() {
        let mut refreshes = Refreshes::default();
        let number = refreshes.send(ms(1_000));
        refreshes.came_back(number, false);
        assert_eq!(refreshes.step(number, Want::Further, ms(999)), wait(50));
        assert_eq!(refreshes.step(number, Want::Further, ms(800)), Step::Send);
    }

    proptest! {
        /// Many readers with bookmarks from the future, and a keeper that takes its time.
        #[test]
        fn bookmarks_are_seen_and_cost_a_bounded_number_of_refreshes(
            arrivals in prop::collection::vec(0..500_u64, 1..60),
            takes in prop::collection::vec(1..90_u64, 64),
        ) {
            let mut refreshes = Refreshes::default();
            let mut sent: Vec<(Number, u64)> = Vec::new();
            let mut under_way: Vec<(Number, u64)> = Vec::new();
            // Each with the number it noted and when it looks next.
            let mut waiting: Vec<(Number, u64, u64)> = Vec::new();
            for now in 0..2_000_u64 {
                for &(number, _) in under_way.iter().filter(|(_, back_at)| *back_at == now) {
                    refreshes.came_back(number, true);
                }
                under_way.retain(|(_, back_at)| *back_at > now);
                let arrived = arrivals.iter().filter(|arrival| **arrival == now).count();
                waiting.extend(std::iter::repeat_n((refreshes.last_sent(), now, now), arrived));
                waiting.retain_mut(|(arrived_after, arrived_at, looks_at)| {
                    if *looks_at > now {
                        return true;
                    }
                    match refreshes.step(*arrived_after, Want::Further, ms(now)) {
                        Step::Seen => false,
                        Step::Wait(wait) => {
                            *looks_at = now + u64::try_from(wait.as_millis()).unwrap();
                            true
                        }
                        Step::Send => {
                            let number = refreshes.send(ms(now));
                            assert!(number > *arrived_after && now - *arrived_at < 400);
                            sent.push((number, now));
                            under_way.push((number, now + takes[sent.len() % takes.len()]));
                            *looks_at = now + 1;
                            true
                        }
                    }
                });
            }
            prop_assert!(waiting.is_empty(), "somebody waits for ever");
            for pair in sent.windows(2) {
                prop_assert!(pair[1].1 - pair[0].1 >= 50, "{:?}", sent);
            }
        }
    }
}
