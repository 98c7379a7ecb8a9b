//! Which origins may take requests: an origin that fails is left alone for a while.
//!
//! ```text
//!        max_fails              time is over           an answer, ten seconds
//!   up ────────────▶ ejected ────────────────▶ probation ────────────────▶ up
//!                       ▲                          │ ▲
//!                       └────── one failure ───────┘ └── draining, time is over
//! ```
//!
//! - `max_fails` failures within `fail_timeout` eject for `fail_timeout`, in nginx's sense.
//!   Each further ejection takes longer, and good conduct is remembered as well.
//! - In probation it gets a small share of its turns until it has answered, for one that
//!   hangs fails late, and then a growing one (slow start). Until it has answered it gets
//!   nothing that can't be sent again.
//! - One that does badly beside the others ([`outlier`](crate::balance::outlier)) is ejected as
//!   well, but never so that fewer than half are left.
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
/// For how long an origin is believed that it is draining, unless it is heard of before: as
/// long as one may take for what it has, and to start again.
const DRAINING: Duration = Duration::from_secs(15);
/// Share, in percent, that an origin begins with.
const FIRST_SHARE: u128 = 10;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A proper answer.
    Well,
    /// An error of the origin's own, such as a fault in one of its pages. By itself it says
    /// nothing of the others.
    Erring,
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

/// What there is to say of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It gets no requests for a while.
    Ejected,
    /// Nor does it, for it does badly beside the others.
    Outlier,
    /// Somebody should look at it.
    Suspect,
}

#[derive(Clone, Debug, Default)]
struct Record {
    /// The last failures, the oldest first; at most [`MAX_FAILS`].
    failures: VecDeque<Timestamp>,
    /// And the last times that it had too much to do.
    busy: VecDeque<Timestamp>,
    /// How often it was ejected lately.
    ejections: u32,
    /// The last ejection.
    ejection: Option<Ejection>,
    draining_until: Option<Timestamp>,
    /// Whether it has not answered since it was ejected or draining.
    is_unproved: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ejection {
    until: Timestamp,
    /// Whether it took no connection.
    is_unreachable: bool,
}

impl Outcome {
    /// What an answer says of its origin: by its status, whether it says when to come
    /// again, and whether the origin is draining. Some answers Cloudflare makes for origins
    /// that give none: <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/>.
    pub fn of(status: u16, has_retry_after: bool, is_draining: bool) -> Self {
        match status {
            _ if is_draining => Self::Draining,
            503 if has_retry_after => Self::Busy,
            500 => Self::Erring,
            502..=504 | 520 | 524 | 527 => Self::Unwell,
            521..=523 | 525 | 526 | 530 => Self::Unreachable,
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

    /// Notes what became of a request, and what there is to say of it.
    pub fn note(&mut self, origin: usize, outcome: Outcome, now: Timestamp) -> Option<Notice> {
        let record = &mut self.0[origin];
        let was_ejected = record.state(now) == State::Ejected;
        match outcome {
            Outcome::Well | Outcome::Erring => {
                (record.draining_until, record.is_unproved) = (None, false);
                None
            }
            Outcome::Busy => {
                (record.draining_until, record.is_unproved) = (None, false);
                // It may be well and have much to do, or have lost what it needs.
                counted(&mut record.busy, now).then_some(Notice::Suspect)
            }
            Outcome::Draining => {
                let is_news = record.state(now) != State::Draining;
                (record.draining_until, record.is_unproved) = (Some(now.after(DRAINING)), true);
                is_news.then_some(Notice::Suspect)
            }
            Outcome::Unwell | Outcome::Unreachable => match record.fail(outcome, now) {
                true => Some(Notice::Ejected),
                // Whether it takes connections a look from elsewhere tells at once, and an isolate
                // with little to do would take long for three.
                false if outcome == Outcome::Unreachable && !was_ejected => Some(Notice::Suspect),
                false => None,
            },
        }
    }

    /// Ejects an origin that does badly beside the others; whether it could be. At least half
    /// must be left, or they would be crushed by what all should carry.
    pub fn eject(&mut self, origin: usize, now: Timestamp) -> bool {
        let is_in_use = |record: &&Record| matches!(record.state(now), State::Up | State::Probation);
        let others = self.0.iter().filter(is_in_use).count().saturating_sub(1);
        if !is_in_use(&&self.0[origin]) || others == 0 || 2 * others < self.0.len() {
            return false;
        }
        self.0[origin].eject(false, now);
        true
    }

    /// The keeper of the control log has seen that an origin takes no requests, or that it
    /// is back (see [`watch`](crate::balance::watch)).
    pub fn told(&mut self, origin: usize, is_gone: bool, now: Timestamp) {
        let record = &mut self.0[origin];
        let last = record.ejection.filter(|last| now < last.until);
        if is_gone {
            // As long as it is told, and then a little.
            let until = now.after(FAIL_TIMEOUT);
            let until = last.map_or(until, |last| last.until.max(until));
            record.ejection = Some(Ejection { until, is_unreachable: true });
            (record.draining_until, record.is_unproved) = (None, true);
            return;
        }
        if record.draining_until.take().is_some() {
            record.is_unproved = false;
        }
        // That it answers there doesn't say that its answers are any good.
        if let Some(last) = last.filter(|last| last.is_unreachable) {
            record.ejection = Some(Ejection { until: now, ..last });
            record.is_unproved = false;
        }
    }

    /// Whether an origin gets requests.
    pub fn state(&self, origin: usize, now: Timestamp) -> State {
        self.0[origin].state(now)
    }

    /// The origins that may take a request, in their order; none only where there is none.
    /// Those in probation are among them as often as `draw`, a random number, says, and
    /// only where the request `may_retry` as long as they have not answered.
    pub fn candidates(&self, draw: u64, may_retry: bool, now: Timestamp) -> Vec<usize> {
        let those = |is_one: &dyn Fn(&Record) -> bool| -> Vec<usize> {
            self.0.iter().enumerate().filter(|(_, record)| is_one(record)).map(|(origin, _)| origin).collect()
        };
        let is_in_use = |record: &Record| matches!(record.state(now), State::Up | State::Probation);
        let is_panic = 2 * those(&is_in_use).len() < self.0.len();
        let is_unreachable = |record: &Record| record.ejection.is_some_and(|last| last.is_unreachable);
        let gets_some = |record: &Record| match record.state(now) {
            State::Ejected => is_panic && !is_unreachable(record),
            State::Draining => false,
            State::Up => true,
            State::Probation => {
                (may_retry || !record.is_unproved) && u128::from(draw % 100) < record.share(now)
            }
        };
        // Who drains takes connections still, or again.
        let takes_connections = |record: &Record| match record.state(now) {
            State::Draining => true,
            State::Ejected => !is_unreachable(record),
            State::Up | State::Probation => false,
        };
        let choices: [&dyn Fn(&Record) -> bool; 4] = [&gets_some, &is_in_use, &takes_connections, &|_| true];
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
            _ if self.is_unproved => State::Probation,
            _ => State::Up,
        }
    }

    /// What it gets of its turns, in percent.
    fn share(&self, now: Timestamp) -> u128 {
        if self.is_unproved {
            return FIRST_SHARE;
        }
        let Some(last) = self.ejection else { return 100 };
        let grown = now.since(last.until).as_millis() * 100 / SLOW_START.as_millis();
        grown.clamp(FIRST_SHARE, 100)
    }

    fn fail(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        let is_unreachable = outcome == Outcome::Unreachable;
        let is_probation = match self.state(now) {
            // Those that were under way say nothing new.
            State::Ejected => return false,
            State::Draining if !is_unreachable => return false,
            State::Draining | State::Up => false,
            State::Probation => true,
        };
        if !counted(&mut self.failures, now) && !is_probation {
            return false;
        }
        self.eject(is_unreachable, now);
        true
    }

    fn eject(&mut self, is_unreachable: bool, now: Timestamp) {
        self.failures.clear();
        (self.draining_until, self.is_unproved) = (None, true);
        self.ejections = self.remembered(now) + 1;
        let time = FAIL_TIMEOUT.saturating_mul(self.ejections).min(EJECTION_MAX);
        self.ejection = Some(Ejection { until: now.after(time), is_unreachable });
    }

    /// Ejections that still count.
    fn remembered(&self, now: Timestamp) -> u32 {
        let well = self.ejection.map_or(Duration::ZERO, |last| now.since(last.until));
        let forgiven = u32::try_from(well.as_millis() / FORGIVING.as_millis()).unwrap_or(u32::MAX);
        self.ejections.saturating_sub(forgiven)
    }
}

/// Counts one more; whether there were [`MAX_FAILS`] within [`FAIL_TIMEOUT`], which then
/// begin anew.
fn counted(times: &mut VecDeque<Timestamp>, now: Timestamp) -> bool {
    times.retain(|time| now.since(*time) < FAIL_TIMEOUT);
    times.push_back(now);
    let is_enough = times.len() >= MAX_FAILS;
    if is_enough {
        times.clear();
    }
    is_enough
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
        check(500, false, Outcome::Erring);
        check(502, false, Outcome::Unwell);
        check(503, false, Outcome::Unwell);
        check(504, true, Outcome::Unwell);
        check(503, true, Outcome::Busy);
        // That is about the client.
        check(429, true, Outcome::Well);
        check(520, false, Outcome::Unwell);
        check(521, false, Outcome::Unreachable);
        check(530, false, Outcome::Unreachable);
        assert_eq!(Outcome::of(503, true, true), Outcome::Draining);
    }

    #[test]
    fn who_has_too_much_to_do_is_not_ejected_but_looked_at() {
        let mut health = Health::new(2);
        let mut busy = || health.note(1, Outcome::Busy, at(100));
        assert_eq!([busy(), busy(), busy(), busy()], [None, None, Some(Notice::Suspect), None]);
        assert_eq!(health.state(1, at(100)), State::Up);
    }

    #[test]
    fn three_failures_eject_and_two_do_not() {
        for outcome in [Outcome::Unwell, Outcome::Unreachable] {
            assert_eq!(failed(outcome, 2).candidates(99, true, at(100)), [0, 1, 2]);
            let health = failed(outcome, 3);
            assert_eq!(health.state(1, at(100)), State::Ejected);
            assert_eq!(health.candidates(0, true, at(129)), [0, 2]);
        }
    }

    #[test]
    fn who_takes_no_connection_is_looked_at_the_first_time() {
        let mut health = Health::new(2);
        let mut fails = |outcome| health.note(1, outcome, at(100));
        assert_eq!(fails(Outcome::Unreachable), Some(Notice::Suspect));
        assert_eq!([fails(Outcome::Unwell), fails(Outcome::Unwell)], [None, Some(Notice::Ejected)]);
        assert_eq!(fails(Outcome::Unreachable), None, "that is known by now");
    }

    #[test]
    fn failures_far_apart_are_accidents() {
        let mut health = Health::new(1);
        for s in [0, 20, 40, 60, 80] {
            assert_eq!(health.note(0, Outcome::Unwell, at(s)), None);
        }
        assert_eq!(health.note(0, Outcome::Unwell, at(81)), Some(Notice::Ejected));
    }

    #[test]
    fn after_an_ejection_it_begins_slowly() {
        let mut health = failed(Outcome::Unreachable, 3);
        let gets = |health: &Health, s: u64, may_retry| {
            (0..100).filter(|draw| health.candidates(*draw, may_retry, at(s)).contains(&1)).count()
        };
        // As long as it hasn't answered it gets a little, and nothing that can't be sent again.
        assert_eq!([129, 130, 139, 200].map(|s| gets(&health, s, true)), [0, 10, 10, 10]);
        assert_eq!([130, 200].map(|s| gets(&health, s, false)), [0, 0]);
        health.note(1, Outcome::Well, at(130));
        let gets = |s: u64| gets(&health, s, false);
        assert_eq!(
            [gets(129), gets(130), gets(131), gets(135), gets(139), gets(140)],
            [0, 10, 10, 50, 90, 100]
        );
        assert_eq!((health.state(1, at(130)), health.state(1, at(140))), (State::Probation, State::Up));
    }

    #[test]
    fn a_failure_in_probation_ejects_again_for_longer() {
        let mut health = failed(Outcome::Unreachable, 3);
        assert_eq!(health.note(1, Outcome::Unreachable, at(131)), Some(Notice::Ejected));
        assert_eq!(health.state(1, at(190)), State::Ejected);
        assert_eq!(health.state(1, at(191)), State::Probation);
        assert_eq!(health.note(1, Outcome::Unreachable, at(191)), Some(Notice::Ejected));
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
        assert_eq!(
            health.note(1, Outcome::Unreachable, at(131)),
            Some(Notice::Ejected),
            "until 191, the second"
        );
        health.note(1, Outcome::Well, at(191));
        fails(&mut health, 3, 1, Outcome::Unreachable, at(191 + 120));
        assert_eq!(health.state(1, at(191 + 120 + 30)), State::Probation, "as the first");
    }

    #[test]
    fn who_is_draining_gets_nothing_and_no_blame() {
        let mut health = Health::new(2);
        let mut drains = |s| health.note(0, Outcome::Draining, at(s));
        assert_eq!([drains(0), drains(0)], [Some(Notice::Suspect), None], "others should know");
        fails(&mut health, 9, 0, Outcome::Unwell, at(1));
        assert_eq!((health.state(0, at(1)), health.candidates(0, true, at(1))), (State::Draining, vec![1]));
        assert_eq!(health.state(0, at(15)), State::Probation, "there may be another by now");
        health.note(0, Outcome::Draining, at(16));
        health.note(0, Outcome::Well, at(17));
        assert_eq!(health.state(0, at(17)), State::Up, "the next one has answered");
        health.note(0, Outcome::Draining, at(18));
        health.told(0, true, at(18));
        assert_eq!(health.state(0, at(18)), State::Ejected, "as a probe says, too");
        health.told(0, false, at(20));
        health.note(1, Outcome::Draining, at(20));
        assert_eq!(health.candidates(0, false, at(21)), [0], "and then that it is back");
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
        assert_eq!((health.state(1, at(29)), health.candidates(0, true, at(29))), (State::Ejected, vec![0]));
        health.told(1, true, at(25));
        assert_eq!(health.state(1, at(50)), State::Ejected, "as long as it is told");
        health.told(1, false, at(50));
        assert_eq!(health.state(1, at(50)), State::Probation, "it begins slowly");
        health.told(1, false, at(55));
        assert_eq!(health.state(1, at(60)), State::Up, "what is told again changes nothing");
    }

    #[test]
    fn the_keeper_ends_what_it_has_seen_and_nothing_else() {
        let mut health = failed(Outcome::Unreachable, 3);
        health.told(1, false, at(102));
        assert_eq!(health.state(1, at(102)), State::Probation);
        let mut health = failed(Outcome::Unwell, 3);
        health.told(1, false, at(101));
        assert_eq!(health.state(1, at(101)), State::Ejected, "it answers, but badly");
    }

    #[test]
    fn more_than_half_are_not_left_alone_for_bad_answers() {
        let mut health = failed(Outcome::Unwell, 3);
        assert_eq!(health.candidates(0, true, at(100)), [0, 2]);
        fails(&mut health, 3, 2, Outcome::Unwell, at(100));
        assert_eq!(health.candidates(0, true, at(100)), [0, 1, 2], "two of three: panic");
    }

    #[test]
    fn who_takes_no_connection_stays_out_as_long_as_there_is_another() {
        let mut health = failed(Outcome::Unreachable, 3);
        fails(&mut health, 3, 2, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, true, at(100)), [0]);
        fails(&mut health, 3, 0, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, true, at(100)), [0, 1, 2], "there is no other");
    }

    #[test]
    fn outliers_are_ejected_as_long_as_half_are_left() {
        for (origins, expected) in [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
            let mut health = Health::new(origins);
            let ejected = (0..origins).filter(|origin| health.eject(*origin, at(0))).count();
            assert_eq!(ejected, expected, "of {origins}");
        }
        let mut health = failed(Outcome::Unreachable, 3);
        assert!(!health.eject(0, at(101)), "another one is out already");
        assert!(!health.eject(1, at(101)), "and that one can't be twice");
    }

    #[test]
    fn an_outlier_begins_slowly_and_is_left_alone_for_longer_the_second_time() {
        let mut health = Health::new(3);
        assert!(health.eject(1, at(0)));
        assert_eq!((health.state(1, at(29)), health.state(1, at(30))), (State::Ejected, State::Probation));
        health.told(1, false, at(5));
        assert_eq!(health.state(1, at(5)), State::Ejected, "that it answers is no news");
        for outcome in [Outcome::Erring, Outcome::Well] {
            assert_eq!(health.note(1, outcome, at(31)), None, "one error is none");
        }
        assert!(health.eject(1, at(40)));
        assert_eq!((health.state(1, at(99)), health.state(1, at(100))), (State::Ejected, State::Probation));
        health.note(1, Outcome::Well, at(101));
        assert!(health.eject(1, at(300)));
        assert_eq!(health.state(1, at(330)), State::Probation, "and it is forgiven");
    }

    #[test]
    fn a_single_origin_always_gets_its_requests() {
        let mut health = Health::new(1);
        fails(&mut health, 3, 0, Outcome::Unreachable, at(0));
        assert_eq!(health.candidates(99, true, at(0)), [0]);
        health.note(0, Outcome::Draining, at(1));
        assert_eq!(health.candidates(99, true, at(1)), [0]);
    }

    #[test]
    fn who_is_draining_is_better_than_nobody() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        fails(&mut health, 3, 1, Outcome::Unreachable, at(0));
        assert_eq!(health.candidates(0, true, at(0)), [0], "and than one that takes no connection");
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        health.note(1, Outcome::Draining, at(0));
        assert_eq!(health.candidates(0, true, at(0)), [0, 1]);
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
                let candidates = health.candidates(draw, draw % 2 == 0, at(now));
                prop_assert!(!candidates.is_empty() && candidates.is_sorted());
            }
        }
    }
}
