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
//!   well, but never so that fewer than half are left; so is what several isolates have found
//!   to fail ([`quorum`](crate::balance::quorum)).
//! - An origin that says it is draining gets nothing for a while, and no blame.
//! - One that is busy and says when to come again gets nothing until then, as long as half of
//!   the others aren't, and no blame.
//! - Never is more than half of the origins left alone for answers that were no good
//!   (panic threshold): then it is likely that they all have the same trouble, and few
//!   would be crushed by what all should carry. One that takes no connection at all is
//!   of no help, so it stays out as long as there is another.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cache::directives::seconds;
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
/// Longest that a busy origin is believed when it says when to come again: what one page says
/// in a mistake, or what is meant for programs that come by night, is not to empty it.
const BUSY_MAX: Duration = Duration::from_secs(10);
/// For how long an origin in probation waits for a request that can be sent again. Where there
/// are none it gets others, for it would never come back.
const UNPROVED_MAX: Duration = Duration::from_secs(15);
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
    /// An answer that says that the origin has too much to do now, and for how long. That is
    /// how one that is well keeps well: to eject it would give its load to the others.
    Busy(Duration),
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
    /// It gets no requests for a while, for something that may be between it and here alone.
    Ejected,
    /// Nor does it, for its answers are bad, which others may find as well.
    Failing,
    /// Nor does it, for it is far slower than the others, as seen from here.
    Slow,
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
    /// What the keeper has seen last, and for how long that counts.
    told: Option<Ejection>,
    draining_until: Option<Timestamp>,
    /// Until when it has too much to do.
    busy_until: Option<Timestamp>,
    /// Whether it has not answered since it was ejected or draining.
    is_unproved: bool,
    /// When it has answered again.
    proved_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Ejection {
    until: Timestamp,
    /// Whether it took no connection.
    is_unreachable: bool,
}

/// What the keeper of the control log has seen of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It takes no connection, or is about to go.
    Gone,
    /// It answers too late, or that it isn't ready.
    Unready,
    /// It answers, and says that it is about to go.
    Draining,
    /// Several isolates have ejected it (see [`quorum`](crate::balance::quorum)).
    Failing,
    /// It is well again.
    Back,
    /// What a keeper of another version has seen.
    #[serde(other)]
    Unknown,
}

impl Outcome {
    /// What an answer says of its origin: by its status, [when to come again](retry_after),
    /// and whether the origin is draining. Some answers Cloudflare makes for origins
    /// that give none: <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/>.
    pub fn of(status: u16, retry_after: Option<Duration>, is_draining: bool) -> Self {
        match (status, retry_after) {
            _ if is_draining => Self::Draining,
            (503, Some(time)) => Self::Busy(time),
            (status, _) => Self::of_status(status),
        }
    }

    fn of_status(status: u16) -> Self {
        match status {
            500 => Self::Erring,
            502..=504 | 520 | 524 | 527 => Self::Unwell,
            521..=523 | 525 | 526 | 530 => Self::Unreachable,
            _ => Self::Well,
        }
    }

    /// Whether another origin may do better.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unwell | Self::Unreachable)
    }
}

/// When an answer says to come again (RFC 9110, section 10.2.3): in so many seconds, or at a
/// time. Of what can't be read, soon.
pub fn retry_after(field: Option<&str>, now: Timestamp) -> Option<Duration> {
    let field = field?.trim();
    let date = || Timestamp::from_http_date(field).map(|date| date.since(now));
    Some(seconds(field).or_else(date).unwrap_or(Duration::from_secs(1)))
}

impl Health {
    /// Of so many origins, which are all taken to be well.
    pub fn new(origins: usize) -> Self {
        Self(vec![Record::default(); origins])
    }

    /// Notes what became of a request, and what there is to say of it.
    pub fn note(&mut self, origin: usize, outcome: Outcome, now: Timestamp) -> Option<Notice> {
        let record = &mut self.0[origin];
        let (was_up, was_ejected) = (record.state(now) == State::Up, record.state(now) == State::Ejected);
        match outcome {
            Outcome::Well | Outcome::Erring => {
                record.answered(now);
                None
            }
            Outcome::Busy(time) => {
                record.answered(now);
                record.busy_until = Some(now.after(time.min(BUSY_MAX)));
                // It may be well and have much to do, or have lost what it needs.
                counted(&mut record.busy, now).then_some(Notice::Suspect)
            }
            Outcome::Draining => {
                let is_news = record.state(now) != State::Draining;
                (record.draining_until, record.is_unproved) = (Some(now.after(DRAINING)), true);
                is_news.then_some(Notice::Suspect)
            }
            Outcome::Unwell | Outcome::Unreachable => match record.fail(outcome, now) {
                // In probation one failure is enough, which says little.
                true if outcome == Outcome::Unwell && was_up => Some(Notice::Failing),
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

    /// What the keeper of the control log has seen of an origin (see
    /// [`watch`](crate::balance::watch)).
    pub fn told(&mut self, origin: usize, seen: Seen, now: Timestamp) {
        let record = &mut self.0[origin];
        match seen {
            Seen::Gone | Seen::Unready => {
                // As long as it is told, and then a little.
                let until = now.after(FAIL_TIMEOUT);
                record.told = Some(Ejection { until, is_unreachable: seen == Seen::Gone });
                (record.draining_until, record.is_unproved) = (None, true);
            }
            Seen::Draining => {
                record.told = None;
                (record.draining_until, record.is_unproved) = (Some(now.after(DRAINING)), true);
            }
            // As if it had failed here, but that it isn't counted: they would all count the same.
            Seen::Failing => {
                if matches!(record.state(now), State::Up | State::Probation) {
                    record.failures.clear();
                    record.is_unproved = true;
                    record.ejection =
                        Some(Ejection { until: now.after(FAIL_TIMEOUT), is_unreachable: false });
                }
            }
            Seen::Back => {
                let was_told = record.told.take().is_some_and(|told| told.is_on(now));
                let was_draining = record.draining_until.take().is_some();
                // That it answers there doesn't say that its answers are any good.
                let unreachable = record.ejection.filter(|last| last.is_on(now) && last.is_unreachable);
                if let Some(last) = unreachable {
                    record.ejection = Some(Ejection { until: now, ..last });
                }
                if was_told || was_draining || unreachable.is_some() {
                    record.answered(now);
                }
            }
            Seen::Unknown => {}
        }
    }

    /// Whether an origin gets requests.
    pub fn state(&self, origin: usize, now: Timestamp) -> State {
        self.0[origin].state(now)
    }

    /// The origins that may take a request, in their order, without those that were `tried`;
    /// none only where there is none. Those in probation are among them as often as `draw`, a
    /// random number, says, and only where the request `may_retry` as long as they have not
    /// answered.
    pub fn candidates(&self, draw: u64, may_retry: bool, tried: &[usize], now: Timestamp) -> Vec<usize> {
        let count = |is_one: &dyn Fn(&Record) -> bool| self.0.iter().filter(|record| is_one(record)).count();
        // Another try is no reason to come before the time.
        let is_tried = |record: &Record| !tried.is_empty() && record.is_busy(now);
        let those = |is_one: &dyn Fn(&Record) -> bool| -> Vec<usize> {
            let found = self.0.iter().enumerate().filter(|(_, record)| is_one(record) && !is_tried(record));
            found.map(|(origin, _)| origin).filter(|origin| !tried.contains(origin)).collect()
        };
        let is_in_use = |record: &Record| matches!(record.state(now), State::Up | State::Probation);
        let is_draining = |record: &Record| record.state(now) == State::Draining;
        let (in_use, draining) = (count(&is_in_use), count(&is_draining));
        // Who drains answers well still, and is gone by intention: no sign of a common trouble, and
        // better than one that answers badly.
        let is_panic = 2 * in_use < self.0.len() - draining && (in_use > 0 || draining == 0);
        // Those in probation are to get little, and can't take what it would have had.
        let is_free = |record: &Record| record.state(now) == State::Up && !record.is_busy(now);
        let heeds_busy = 2 * count(&is_free) >= in_use;
        let is_unreachable = |record: &Record| record.is_unreachable(now);
        let gets_some = |record: &Record| match record.state(now) {
            State::Ejected => is_panic && !is_unreachable(record),
            State::Draining => false,
            State::Up | State::Probation if heeds_busy && record.is_busy(now) => false,
            State::Up => true,
            State::Probation => {
                let may_be_proved = may_retry || !record.is_unproved || record.waits_in_vain(now);
                may_be_proved && u128::from(draw % 100) < record.share(now)
            }
        };
        let takes_connections =
            |record: &Record| record.state(now) == State::Ejected && !is_unreachable(record);
        let choices: [&dyn Fn(&Record) -> bool; 5] =
            [&gets_some, &is_in_use, &is_draining, &takes_connections, &|_| true];
        choices.into_iter().map(those).find(|found| !found.is_empty()).unwrap_or_default()
    }
}

impl Record {
    fn state(&self, now: Timestamp) -> State {
        if self.draining_until.is_some_and(|until| is_ahead(until, DRAINING, now)) {
            return State::Draining;
        }
        if self.is_out(now).next().is_some() {
            return State::Ejected;
        }
        let is_slow = self.back_since(now).is_some_and(|since| now.since(since) < SLOW_START);
        if self.is_unproved || is_slow { State::Probation } else { State::Up }
    }

    /// An answer came, which is as good as any.
    fn answered(&mut self, now: Timestamp) {
        self.draining_until = None;
        if std::mem::take(&mut self.is_unproved) {
            self.proved_at = Some(now);
        }
    }

    /// What keeps it from getting requests: what was found here, and what the keeper says.
    fn is_out(&self, now: Timestamp) -> impl Iterator<Item = Ejection> {
        [self.ejection, self.told].into_iter().flatten().filter(move |out| out.is_on(now))
    }

    fn is_unreachable(&self, now: Timestamp) -> bool {
        self.is_out(now).any(|out| out.is_unreachable)
    }

    /// When the last time was over that it got nothing. What lies ahead was noted by a clock that
    /// has been put back since, and is long ago.
    fn out_until(&self, now: Timestamp) -> Option<Timestamp> {
        let out = [self.ejection, self.told].into_iter().flatten().map(|out| out.until);
        out.chain(self.draining_until).filter(|until| *until <= now).max()
    }

    /// Since when it gets requests again, if it ever got none.
    fn back_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.proved_at.filter(|at| *at <= now).max(self.out_until(now))
    }

    /// Whether it has waited for long for a request that can be sent again.
    fn waits_in_vain(&self, now: Timestamp) -> bool {
        self.out_until(now).is_none_or(|since| now.since(since) >= UNPROVED_MAX)
    }

    fn is_busy(&self, now: Timestamp) -> bool {
        self.busy_until.is_some_and(|until| is_ahead(until, BUSY_MAX, now))
    }

    /// What it gets of its turns, in percent.
    fn share(&self, now: Timestamp) -> u128 {
        if self.is_unproved {
            return FIRST_SHARE;
        }
        let Some(since) = self.back_since(now) else { return 100 };
        let grown = now.since(since).as_millis() * 100 / SLOW_START.as_millis();
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

impl Ejection {
    fn is_on(&self, now: Timestamp) -> bool {
        is_ahead(self.until, EJECTION_MAX, now)
    }
}

/// Whether a time is still to come. What lies further ahead than it could was noted by a clock
/// that has been put back since.
fn is_ahead(until: Timestamp, longest: Duration, now: Timestamp) -> bool {
    now < until && until.since(now) <= longest
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
        let second = Duration::from_secs(1);
        let check = |status, has_retry_after: bool, expected| {
            let retry_after = has_retry_after.then_some(second);
            assert_eq!(Outcome::of(status, retry_after, false), expected, "{status}");
        };
        check(200, false, Outcome::Well);
        check(404, false, Outcome::Well);
        check(500, false, Outcome::Erring);
        check(502, false, Outcome::Unwell);
        check(503, false, Outcome::Unwell);
        check(504, true, Outcome::Unwell);
        check(503, true, Outcome::Busy(second));
        // That is about the client.
        check(429, true, Outcome::Well);
        check(520, false, Outcome::Unwell);
        check(521, false, Outcome::Unreachable);
        check(530, false, Outcome::Unreachable);
        assert_eq!(Outcome::of(503, Some(second), true), Outcome::Draining);
    }

    #[test]
    fn who_has_too_much_to_do_is_not_ejected_but_looked_at() {
        let mut health = Health::new(2);
        let mut busy = || health.note(1, Outcome::Busy(Duration::from_secs(1)), at(100));
        assert_eq!([busy(), busy(), busy(), busy()], [None, None, Some(Notice::Suspect), None]);
        assert_eq!(health.state(1, at(100)), State::Up);
    }

    #[test]
    fn who_is_busy_gets_nothing_until_it_says_as_long_as_half_are_not() {
        let mut health = Health::new(3);
        health.note(1, Outcome::Busy(Duration::from_secs(3)), at(100));
        let gets = |health: &Health, s| health.candidates(0, true, &[], at(s));
        assert_eq!([gets(&health, 102), gets(&health, 103)], [vec![0, 2], vec![0, 1, 2]]);
        health.note(0, Outcome::Busy(Duration::from_secs(3_600)), at(102));
        assert_eq!(gets(&health, 102), [0, 1, 2], "they all have much to do");
        assert_eq!(
            [gets(&health, 103), gets(&health, 112)],
            [vec![1, 2], vec![0, 1, 2]],
            "ten seconds at most"
        );
    }

    #[test]
    fn when_to_come_again_is_told_in_seconds_or_as_a_date() {
        let check = |field, s: Option<u64>| {
            assert_eq!(retry_after(field, at(784_111_770)), s.map(Duration::from_secs), "{field:?}");
        };
        check(None, None);
        check(Some(" 120 "), Some(120));
        check(Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        check(Some("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        check(Some("soon"), Some(1));
    }

    #[test]
    fn who_drains_is_better_than_who_answers_badly_and_no_sign_of_trouble() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(100));
        fails(&mut health, 3, 1, Outcome::Unwell, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [0]);
        let mut health = failed(Outcome::Unwell, 3);
        health.note(0, Outcome::Draining, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [2], "one of two that stay is half");
    }

    #[test]
    fn who_was_tried_is_passed_over_and_the_next_best_taken() {
        let mut health = failed(Outcome::Unreachable, 3);
        assert_eq!(health.candidates(0, true, &[0], at(100)), [2]);
        fails(&mut health, 3, 2, Outcome::Unwell, at(100));
        assert_eq!(health.candidates(0, true, &[0], at(100)), [2], "it takes connections");
        assert_eq!(health.candidates(0, true, &[0, 2], at(100)), [1]);
        assert!(health.candidates(0, true, &[0, 1, 2], at(100)).is_empty());
    }

    #[test]
    fn what_only_answers_late_to_the_keeper_counts_for_panic() {
        let mut health = Health::new(3);
        health.told(0, Seen::Unready, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [1, 2]);
        health.told(1, Seen::Unready, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [0, 1, 2], "they all have much to do");
        health.told(1, Seen::Back, at(101));
        assert_eq!(health.state(1, at(101)), State::Probation);
    }

    #[test]
    fn the_keepers_word_ends_with_the_keepers_word_and_ejections_of_ones_own_do_not() {
        let mut health = failed(Outcome::Unwell, 3);
        health.told(1, Seen::Unready, at(101));
        health.told(1, Seen::Back, at(103));
        assert_eq!(health.state(1, at(129)), State::Ejected, "its answers were bad");
        let mut health = failed(Outcome::Unreachable, 3);
        health.told(1, Seen::Unready, at(101));
        fails(&mut health, 3, 2, Outcome::Unwell, at(101));
        assert_eq!(health.candidates(0, true, &[], at(101)), [0, 2], "no panic asks who takes no connection");
    }

    #[test]
    fn who_comes_back_is_not_crushed_because_the_other_is_busy() {
        let mut health = Health::new(2);
        fails(&mut health, 3, 1, Outcome::Unreachable, at(100));
        health.note(0, Outcome::Busy(Duration::from_secs(10)), at(130));
        let first = |draw| health.candidates(draw, true, &[], at(131));
        assert_eq!([first(5), first(50)], [vec![0, 1], vec![0]]);
        assert_eq!(
            health.candidates(50, true, &[1], at(131)),
            Vec::<usize>::new(),
            "nor is the other asked before its time"
        );
    }

    #[test]
    fn who_is_told_to_drain_is_as_if_it_had_said_so_here() {
        let mut health = Health::new(3);
        health.told(0, Seen::Draining, at(100));
        fails(&mut health, 3, 1, Outcome::Unwell, at(100));
        assert_eq!(
            (health.state(0, at(100)), health.candidates(0, true, &[], at(100))),
            (State::Draining, vec![2])
        );
        health.told(0, Seen::Gone, at(101));
        health.told(0, Seen::Back, at(103));
        assert_eq!(health.state(0, at(103)), State::Probation);
    }

    #[test]
    fn what_others_have_ejected_is_ejected_here_once() {
        let mut health = Health::new(3);
        for s in [100, 102, 104] {
            health.told(1, Seen::Failing, at(s));
        }
        assert_eq!((health.state(1, at(129)), health.state(1, at(130))), (State::Ejected, State::Probation));
        health.note(2, Outcome::Draining, at(130));
        health.told(2, Seen::Failing, at(130));
        assert_eq!(health.state(2, at(130)), State::Draining, "it is going anyway");
    }

    #[test]
    fn a_clock_that_is_put_back_keeps_nobody_out() {
        let mut health = Health::new(2);
        fails(&mut health, 3, 1, Outcome::Unwell, at(100_000));
        health.note(0, Outcome::Draining, at(100_000));
        assert_eq!((health.state(0, at(1)), health.state(1, at(1))), (State::Probation, State::Probation));
    }

    #[test]
    fn three_failures_eject_and_two_do_not() {
        for outcome in [Outcome::Unwell, Outcome::Unreachable] {
            assert_eq!(failed(outcome, 2).candidates(99, true, &[], at(100)), [0, 1, 2]);
            let health = failed(outcome, 3);
            assert_eq!(health.state(1, at(100)), State::Ejected);
            assert_eq!(health.candidates(0, true, &[], at(129)), [0, 2]);
        }
    }

    #[test]
    fn who_takes_no_connection_is_looked_at_the_first_time() {
        let mut health = Health::new(2);
        let mut fails = |outcome| health.note(1, outcome, at(100));
        assert_eq!(fails(Outcome::Unreachable), Some(Notice::Suspect));
        assert_eq!([fails(Outcome::Unwell), fails(Outcome::Unwell)], [None, Some(Notice::Failing)]);
        assert_eq!(fails(Outcome::Unreachable), None, "that is known by now");
    }

    #[test]
    fn failures_far_apart_are_accidents() {
        let mut health = Health::new(1);
        for s in [0, 20, 40, 60, 80] {
            assert_eq!(health.note(0, Outcome::Unwell, at(s)), None);
        }
        assert_eq!(health.note(0, Outcome::Unwell, at(81)), Some(Notice::Failing));
    }

    #[test]
    fn after_an_ejection_it_begins_slowly() {
        let mut health = failed(Outcome::Unreachable, 3);
        let gets = |health: &Health, s: u64, may_retry| {
            (0..100).filter(|draw| health.candidates(*draw, may_retry, &[], at(s)).contains(&1)).count()
        };
        // As long as it hasn't answered it gets a little, and nothing that can't be sent again.
        assert_eq!([129, 130, 139, 200].map(|s| gets(&health, s, true)), [0, 10, 10, 10]);
        assert_eq!([130, 144, 145].map(|s| gets(&health, s, false)), [0, 0, 10], "but for want of others");
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
        assert_eq!(
            (health.state(0, at(1)), health.candidates(0, true, &[], at(1))),
            (State::Draining, vec![1])
        );
        assert_eq!(health.state(0, at(15)), State::Probation, "there may be another by now");
        health.note(0, Outcome::Draining, at(16));
        health.note(0, Outcome::Well, at(17));
        assert_eq!(health.state(0, at(17)), State::Probation, "the next one has answered");
        assert_eq!(health.state(0, at(27)), State::Up);
        health.note(0, Outcome::Draining, at(18));
        health.told(0, Seen::Gone, at(18));
        assert_eq!(health.state(0, at(18)), State::Ejected, "as a probe says, too");
        health.told(0, Seen::Back, at(20));
        health.note(1, Outcome::Draining, at(20));
        assert_eq!(health.candidates(0, false, &[], at(21)), [0], "and then that it is back");
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
        health.told(1, Seen::Gone, at(0));
        assert_eq!(
            (health.state(1, at(29)), health.candidates(0, true, &[], at(29))),
            (State::Ejected, vec![0])
        );
        health.told(1, Seen::Gone, at(25));
        assert_eq!(health.state(1, at(50)), State::Ejected, "as long as it is told");
        health.told(1, Seen::Back, at(50));
        assert_eq!(health.state(1, at(50)), State::Probation, "it begins slowly");
        health.told(1, Seen::Back, at(55));
        assert_eq!(health.state(1, at(60)), State::Up, "what is told again changes nothing");
    }

    #[test]
    fn the_keeper_ends_what_it_has_seen_and_nothing_else() {
        let mut health = failed(Outcome::Unreachable, 3);
        health.told(1, Seen::Back, at(102));
        assert_eq!(health.state(1, at(102)), State::Probation);
        let mut health = failed(Outcome::Unwell, 3);
        health.told(1, Seen::Back, at(101));
        assert_eq!(health.state(1, at(101)), State::Ejected, "it answers, but badly");
    }

    #[test]
    fn more_than_half_are_not_left_alone_for_bad_answers() {
        let mut health = failed(Outcome::Unwell, 3);
        assert_eq!(health.candidates(0, true, &[], at(100)), [0, 2]);
        fails(&mut health, 3, 2, Outcome::Unwell, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [0, 1, 2], "two of three: panic");
    }

    #[test]
    fn who_takes_no_connection_stays_out_as_long_as_there_is_another() {
        let mut health = failed(Outcome::Unreachable, 3);
        fails(&mut health, 3, 2, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [0]);
        fails(&mut health, 3, 0, Outcome::Unreachable, at(100));
        assert_eq!(health.candidates(0, true, &[], at(100)), [0, 1, 2], "there is no other");
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
        health.told(1, Seen::Back, at(5));
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
        assert_eq!(health.candidates(99, true, &[], at(0)), [0]);
        health.note(0, Outcome::Draining, at(1));
        assert_eq!(health.candidates(99, true, &[], at(1)), [0]);
    }

    #[test]
    fn who_is_draining_is_better_than_nobody() {
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        fails(&mut health, 3, 1, Outcome::Unreachable, at(0));
        assert_eq!(health.candidates(0, true, &[], at(0)), [0], "and than one that takes no connection");
        let mut health = Health::new(2);
        health.note(0, Outcome::Draining, at(0));
        health.note(1, Outcome::Draining, at(0));
        assert_eq!(health.candidates(0, true, &[], at(0)), [0, 1]);
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
                    Outcome::Busy(Duration::from_secs(2)),
                    Outcome::Unwell,
                    Outcome::Unreachable,
                ];
                health.note(origin, outcomes[usize::from(outcome)], at(now));
                let candidates = health.candidates(draw, draw % 2 == 0, &[], at(now));
                prop_assert!(!candidates.is_empty() && candidates.is_sorted());
            }
        }

        #[test]
        fn a_time_to_come_again_is_digits_or_a_date_however_many_there_are(
            sign in "(\\+|-|)", digits in "[0-9]{1,25}", now_s in 0_u64..900_000_000,
        ) {
            let seconds = digits.parse::<u128>().map_or(u64::MAX, |n| n.min(1 << 31) as u64);
            let expected = if sign.is_empty() { seconds } else { 1 };
            let said = format!("{sign}{digits}");
            prop_assert_eq!(retry_after(Some(&said), at(now_s)), Some(Duration::from_secs(expected)));
        }

        #[test]
        fn whatever_is_said_of_coming_again_it_is_a_time(
            said in "([0-9]{1,25}|Sun, 06 Nov 9994 08:49:37 GMT|-| |é|\r|\0){0,3}", now_ms: u64,
        ) {
            prop_assert!(retry_after(Some(&said), Timestamp::from_millis(now_ms)).is_some());
        }
    }
}
