//! Which origins may take requests: an origin that fails is left alone for a while.
//!
//! ```text
//!        max_fails              time is over            ten seconds well
//!   up ────────────▶ ejected ────────────────▶ probation ────────────────▶ up
//!                       ▲                          │
//!                       └────── one failure ───────┘
//! ```
//!
//! - `max_fails` failures within `fail_timeout` eject for `fail_timeout`, in nginx's sense.
//!   Each further ejection takes longer, and good conduct is remembered as well.
//! - In probation it gets a growing share of its turns (slow start).
//! - An origin that says it is draining gets nothing for a while, and no blame.
//! - Never is more than half of the origins left alone for answers that were no good
//!   (panic threshold): then it is likely that they all have the same trouble, and few
//!   would be crushed by what all should carry. One that takes no connection at all is
//!   of no help, so it stays out as long as there is another.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use crate::time::Timestamp;

/// Failures that eject.
const MAX_FAILS: usize = 3;
/// Time within which they count, and for which the first ejection lasts.
const FAIL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest ejection.
const EJECTION_MAX: Duration = Duration::from_secs(300);
/// Time from the end of an ejection until an origin has its whole share.
const SLOW_START: Duration = Duration::from_secs(10);
/// Time without an ejection after which one fewer is remembered.
const FORGIVING: Duration = Duration::from_secs(60);
/// For how long an origin is believed that it is draining. It says so with each answer;
/// once it has stopped, what is there next is another.
const DRAINING: Duration = Duration::from_secs(5);
/// Share, in percent, that an origin begins with.
const FIRST_SHARE: u128 = 10;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A proper answer.
    Well,
    /// The origin says that it is stopping; its answer is as good as any.
    Draining,
    /// An answer that says that the origin has too much to do now. That is how one that
    /// is well keeps well: to eject it would give its load to the others.
    Busy,
    /// An answer that says that the origin can't, or none in time.
    Unwell,
    /// No connection, or one that broke.
    Unreachable,
}

/// Whether an origin gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Up,
    /// It gets some, to see whether it is well again.
    Probation,
    /// It failed, and gets none.
    Ejected,
    /// It is stopping, and gets none.
    Draining,
}

/// What is known of the origins.
#[derive(Clone, Debug)]
pub struct Health(Vec<Record>);

#[derive(Clone, Debug, Default)]
struct Record {
    /// The last failures, the oldest first; at most [`MAX_FAILS`].
    failures: VecDeque<Timestamp>,
    /// How often it was ejected lately.
    ejections: u32,
    /// The last ejection.
    ejection: Option<Ejection>,
    draining_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Ejection {
    until: Timestamp,
    /// Whether it took no connection.
    is_unreachable: bool,
    /// Whether the keeper of the control log knows of it.
    is_watched: bool,
}

impl Outcome {
    /// What an answer says of its origin: by its status, whether it says when to come
    /// again, and whether the origin is draining.
    pub fn of(status: u16, has_retry_after: bool, is_draining: bool) -> Self {
        match status {
            _ if is_draining => Self::Draining,
            503 | 429 if has_retry_after => Self::Busy,
            502..=504 => Self::Unwell,
            _ => Self::Well,
        }
    }

    /// Whether another origin may do better.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Busy | Self::Unwell | Self::Unreachable)
    }
}

impl Health {
    /// Of so many origins, which are all taken to be well.
    pub fn new(origins: usize) -> Self {
        Self(vec![Record::default(); origins])
    }

    /// Notes what became of a request; `true` if the origin is ejected for it.
    pub fn note(&mut self, origin: usize, outcome: Outcome, now: Timestamp) -> bool {
        let record = &mut self.0[origin];
        match outcome {
            Outcome::Well | Outcome::Busy => record.draining_until = None,
            Outcome::Draining => record.draining_until = Some(now.after(DRAINING)),
            Outcome::Unwell | Outcome::Unreachable => return record.fail(outcome, now),
        }
        false
    }

    /// The keeper of the control log says whether an origin takes no connection (see
    /// [`watch`](crate::balance::watch)).
    pub fn told(&mut self, origin: usize, is_gone: bool, now: Timestamp) {
        let record = &mut self.0[origin];
        let last = record.ejection.filter(|last| now < last.until);
        record.ejection = match last {
            _ if is_gone => {
                // As long as it is told, and then a little.
                let until = now.after(FAIL_TIMEOUT);
                let until = last.map_or(until, |last| last.until.max(until));
                Some(Ejection { until, is_unreachable: true, is_watched: true })
            }
            Some(last) if last.is_unreachable && last.is_watched => Some(Ejection { until: now, ..last }),
            // That it answers there doesn't say that its answers are any good.
            _ => return,
        };
    }

    /// Whether an origin gets requests.
    pub fn state(&self, origin: usize, now: Timestamp) -> State {
        self.0[origin].state(now)
    }

    /// The origins that may take a request, in their order; none only where there is none.
    /// Those in probation are among them as often as `draw`, a random number, says.
    pub fn candidates(&self, draw: u64, now: Timestamp) -> Vec<usize> {
        let those = |is_one: &dyn Fn(&Record) -> bool| -> Vec<usize> {
            self.0.iter().enumerate().filter(|(_, record)| is_one(record)).map(|(origin, _)| origin).collect()
        };
        let is_in_use = |record: &Record| matches!(record.state(now), State::Up | State::Probation);
        let is_panic = 2 * those(&is_in_use).len() < self.0.len();
        let is_ejected = |record: &Record| record.state(now) == State::Ejected;
        let is_unreachable = |record: &Record| record.ejection.is_some_and(|last| last.is_unreachable);
        let gets_some = |record: &Record| match record.state(now) {
            State::Ejected => is_panic && !is_unreachable(record),
            State::Draining => false,
            State::Up | State::Probation => u128::from(draw % 100) < record.share(now),
        };
        let choices: [&dyn Fn(&Record) -> bool; 4] = [&gets_some, &is_in_use, &is_ejected, &|_| true];
        choices.into_iter().map(those).find(|found| !found.is_empty()).unwrap_or_default()
    }
}

impl Record {
    fn state(&self, now: Timestamp) -> State {
        if self.draining_until.is_some_and(|until| now < until) {
            return State::Draining;
        }
        match self.ejection {
            Some(last) if now < last.until => State::Ejected,
            Some(last) if now < last.until.after(SLOW_START) => State::Probation,
            _ => State::Up,
        }
    }

    /// What it gets of its turns, in percent.
    fn share(&self, now: Timestamp) -> u128 {
        let Some(last) = self.ejection else { return 100 };
        let grown = now.since(last.until).as_millis() * 100 / SLOW_START.as_millis();
        grown.clamp(FIRST_SHARE, 100)
    }

    fn fail(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        let is_unreachable = outcome == Outcome::Unreachable;
        match self.state(now) {
            // Those that were under way say nothing new.
            State::Ejected => return false,
            State::Draining if is_unreachable => {}
            State::Draining => return false,
            State::Up | State::Probation => {}
        }
        self.failures.retain(|failed| now.since(*failed) < FAIL_TIMEOUT);
        self.failures.push_back(now);
        if self.state(now) != State::Probation && self.failures.len() < MAX_FAILS {
            return false;
        }
        self.failures.clear();
        self.draining_until = None;
        self.ejections = self.remembered(now) + 1;
        let time = FAIL_TIMEOUT.saturating_mul(self.ejections).min(EJECTION_MAX);
        self.ejection = Some(Ejection { until: now.after(time), is_unreachable, is_watched: false });
        true
    }

    /// Ejections that still count.
    fn remembered(&self, now: Timestamp) -> u32 {
        let well = self.ejection.map_or(Duration::ZERO, |last| now.since(last.until));
        let forgiven = u32::try_from(well.as_millis() / FORGIVING.as_millis()).unwrap_or(u32::MAX);
        self.ejections.saturating_sub(forgiven)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    fn fails(health: &mut Health, times: usize, origin: usize, outcome: Outcome, at: Timestamp) {
        for _ in 0..times {
            health.note(origin, outcome, at);
        }
    }

    /// Three origins, of which the second has failed so many times at once.
    fn failed(outcome: Outcome, times: usize) -> Health {
        let mut health = Health::new(3);
        fails(&mut health, times, 1, outcome, at(100));
        health
    }

    #[test]
    fn an_answer_tells_how_its_origin_is() {
        let check = |status, has_retry_after, expected| {
            assert_eq!(Outcome::of(status, has_retry_after, false), expected, "{status}");
        };
        check(200, false, Outcome::Well);
        check(404, false, Outcome::Well);
        check(500, false, Outcome::Well);
        check(502, false, Outcome::Unwell);
        check(503, false, Outcome::Unwell);
        check(504, true, Outcome::Unwell);
        check(503, true, Outcome::Busy);
        check(429, true, Outcome::Busy);
        check(429, false, Outcome::Well);
        assert_eq!(Outcome::of(503, true, true), Outcome::Draining);
    }

    #[test]
    fn who_has_too_much_to_do_is_not_ejected() {
        assert_eq!(failed(Outcome::Busy, 100).state(1, at(100)), State::Up);
    }

    #[test]
    fn three_failures_eject_and_two_do_not() {
        for outcome in [Outcome::Unwell, Outcome::Unreachable] {
            assert_eq!(failed(outcome, 2).candidates(99, at(100)), [0, 1, 2]);
            let health = failed(outcome, 3);
            assert_eq!(health.state(1, at(100)), State::Ejected);
            assert_eq!(health.candidates(0, at(129)), [0, 2]);
        }
    }

    #[test]
    fn failures_far_apart_are_accidents() {
        let mut health = Health::new(1);
        for s in [0, 20, 40, 60, 80] {
            assert!(!health.note(0, Outcome::Unwell, at(s)));
        }
        assert!(health.note(0, Outcome::Unwell, at(81)));
    }

    #[test]
    fn after_an_ejection_it_begins_slowly() {
        let health = failed(Outcome::Unreachable, 3);
        let gets = |s: u64| (0..100).filter(|draw| health.candidates(*draw, at(s)).contains(&1)).count();
        assert_eq!(
            [gets(129), gets(130), gets(131), gets(135), gets(139), gets(140)],
            [0, 10, 10, 50, 90, 100]
        );
        assert_eq!((health.state(1, at(130)), health.state(1, at(140))), (State::Probation, State::Up));
    }

    #[test]
    fn a_failure_in_probation_ejects_again_for_longer() {
        let mut health = failed(Outcome::Unreachable, 3);
        assert!(health.note(1, Outcome::Unreachable, at(131)));
        assert_eq!(health.state(1, at(190)), State::Ejected);
        assert_eq!(health.state(1, at(191)), State::Probation);
        assert!(health.note(1, Outcome::Unreachable, at(191)));
        assert_eq!(health.state(1, at(280)), State::Ejected);
        for s in (281..10_000).step_by(10) {
            health.note(1, Outcome::Unreachable, at(s));
        }
        let ejected = (10_000..).find(|s| health.state(1, at(*s)) != State::Ejected).unwrap();
        assert!(ejected <= 10_300, "five minutes is the longest");
    }

    #[test]
    fn what_is_long_ago_is_forgiven() {
        let mut health = failed(Outcome::Unreachable, 3);
        assert!(health.note(1, Outcome::Unreachable, at(131)), "until 191, the second");
        fails(&mut health, 3, 1, Outcome::Unreachable, at(191 + 120));
        assert_eq!(health.state(1, at(191 + 120 + 30)), State::Probation, "as the first");
    }

    #[test]
    fn who_is_draining_gets_nothing_and_no_blame() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        fails(&mut health, 9, 0, Outcome::Unwell, at(1));
        assert_eq!((health.state(0, at(1)), health.candidates(0, at(1))), (State::Draining, vec![1]));
        assert_eq!(health.state(0, at(5)), State::Up, "as far as is known, another is there");
        health.note(0, Outcome::Draining, at(6));
        health.note(0, Outcome::Well, at(7));
        assert_eq!(health.state(0, at(7)), State::Up, "the next one has answered");
    }

    #[test]
    fn who_was_draining_and_is_gone_is_ejected_like_others() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        fails(&mut health, 3, 0, Outcome::Unreachable, at(1));
        assert_eq!(health.state(0, at(1)), State::Ejected);
    }

    #[test]
    fn what_the_keeper_has_seen_counts_for_all() {
        let mut health = Health::new(2);
        health.told(1, true, at(0));
        assert_eq!((health.state(1, at(29)), health.candidates(0, at(29))), (State::Ejected, vec![0]));
        health.told(1, true, at(25));
        assert_eq!(health.state(1, at(50)), State::Ejected, "as long as it is told");
        health.told(1, false, at(50));
        assert_eq!(health.state(1, at(50)), State::Probation, "it begins slowly");
        health.told(1, false, at(55));
        assert_eq!(health.state(1, at(60)), State::Up);
    }

    #[test]
    fn the_keeper_ends_what_it_has_seen_and_nothing_else() {
        let mut health = failed(Outcome::Unreachable, 3);
        health.told(1, false, at(100));
        assert_eq!(health.state(1, at(101)), State::Ejected, "it may not have heard of it yet");
        health.told(1, true, at(101));
        health.told(1, false, at(102));
        assert_eq!(health.state(1, at(102)), State::Probation);
        let mut health = failed(Outcome::Unwell, 3);
        health.told(1, false, at(101));
        assert_eq!(health.state(1, at(101)), State::Ejected, "it answers, but badly");
    }

    #[test]
    fn more_than_half_are_not_left_alone_for_bad_answers() {
        let mut health = failed(Outcome::Unwell, 3);
        assert_eq!(health.candidates(0, at(100)), [0, 2]);
        fails(&mut health, 3, 2, Outcome::Unwell, at(100));
        assert_eq!(health.candidates(0, at(100)), [0, 1, 2], "two of three: panic");
    }

    #[test]
    fn who_takes_no_connection_stays_out_as_long_as_there_is_another() {
        let mut health = failed(Outcome::Unreachable, 3);
        fails(&mut health, 3, 2, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, at(100)), [0]);
        fails(&mut health, 3, 0, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, at(100)), [0, 1, 2], "there is no other");
    }

    #[test]
    fn a_single_origin_always_gets_its_requests() {
        let mut health = Health::new(1);
        fails(&mut health, 3, 0, Outcome::Unreachable, at(0));
        assert_eq!(health.candidates(99, at(0)), [0]);
        health.note(0, Outcome::Draining, at(1));
        assert_eq!(health.candidates(99, at(1)), [0]);
    }

    #[test]
    fn who_is_draining_is_better_than_nobody() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        health.note(1, Outcome::Draining, at(0));
        assert_eq!(health.candidates(0, at(0)), [0, 1]);
    }

    proptest! {
        #[test]
        fn there_is_always_somebody_to_ask(
            steps in prop::collection::vec((0_usize..3, 0_u8..5, 0_u64..20, any::<u64>()), 0..200),
        ) {
            let mut health = Health::new(3);
            let mut now = 0;
            for (origin, outcome, s, draw) in steps {
                now += s;
                let outcomes = [
                    Outcome::Well,
                    Outcome::Draining,
                    Outcome::Busy,
                    Outcome::Unwell,
                    Outcome::Unreachable,
                ];
                health.note(origin, outcomes[usize::from(outcome)], at(now));
                let candidates = health.candidates(draw, at(now));
                prop_assert!(!candidates.is_empty() && candidates.is_sorted());
            }
        }
    }
}
