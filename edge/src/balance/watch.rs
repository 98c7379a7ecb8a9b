//! Origins that isolates have trouble with, as the keeper of the control log watches them
//! for all: it asks each at `/readyz`.
//!
//! An isolate's word alone makes nobody else do without an origin, for its trouble may be
//! its own: it makes the keeper look. What the keeper has seen itself is told to all, and so
//! is that the origin is back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::balance::health::{Outcome, Seen};
use crate::time::Timestamp;

/// Time between two probes of an origin, at first.
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// And once it has been gone for long: what is gone for good is not to cost more than that.
const PROBE_EVERY_MAX: Duration = Duration::from_secs(15);
/// Between them the time grows with the time that it has been gone, of which it is this part.
const PROBE_PART: u32 = 60;
/// Time that an origin has to answer a probe.
pub const PROBE_MAX: Duration = Duration::from_secs(1);
/// Probes in a row that must be answered before an origin is taken to be well.
const RISE: u8 = 2;
/// Probes in a row that are answered late, or with an error, before it is taken to be unready: one
/// alone may be bad luck. Who takes no connection, or says that it is going, is gone at once.
const FALL: u8 = 2;
/// For how long what was seen last is told: longer than an isolate may go by what it heard
/// last, and than any time between probes.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// What the keeper has seen of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its name in the configuration.
    pub id: String,
    /// How it is.
    pub seen: Seen,
}

/// The origins that were reported.
#[derive(Clone, Debug, Default)]
pub struct Watch(BTreeMap<String, Watched>);

#[derive(Clone, Copy, Debug)]
struct Watched {
    standing: Standing,
    /// Probes in a row that it has answered.
    answered: u8,
    /// Probes in a row that it has not answered well.
    failed: u8,
    /// The first report of this time.
    since: Timestamp,
    /// The last report or probe.
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It was reported, and is to be looked at.
    Suspect,
    /// Probes were not answered.
    Gone,
    /// They were, but not well.
    Unready,
    /// It is about to go.
    Draining,
    /// It was gone, and answers again.
    Back,
}

impl Watched {
    /// Whether it is still to be found out how it is.
    fn is_open(&self) -> bool {
        self.standing != Standing::Back
    }
}

impl Watch {
    /// An isolate has trouble with this origin. Whether it is to be looked at that was not.
    pub fn report(&mut self, id: &str, now: Timestamp) -> bool {
        self.forget(now);
        if self.0.get(id).is_some_and(Watched::is_open) {
            return false;
        }
        let watched = Watched { standing: Standing::Suspect, answered: 0, failed: 0, since: now, at: now };
        self.0.insert(id.to_owned(), watched);
        true
    }

    /// What a probe came to.
    pub fn probed(&mut self, id: &str, probe: Probe, now: Timestamp) {
        let Some(watched) = self.0.get_mut(id) else { return };
        watched.at = now;
        (watched.answered, watched.failed) = match probe {
            Probe::Answered => (watched.answered.saturating_add(1), 0),
            Probe::Unready | Probe::Draining | Probe::Refused => (0, watched.failed.saturating_add(1)),
        };
        let is_well = watched.answered >= RISE;
        match (watched.standing, probe) {
            (Standing::Back, _) => {}
            (Standing::Suspect, _) if is_well => drop(self.0.remove(id)),
            (_, _) if is_well => watched.standing = Standing::Back,
            (_, Probe::Refused) => watched.standing = Standing::Gone,
            (_, Probe::Draining) => watched.standing = Standing::Draining,
            (_, Probe::Unready) if watched.failed >= FALL => watched.standing = Standing::Unready,
            (_, Probe::Unready | Probe::Answered) => {}
        }
    }

    /// The origins that are to be probed.
    pub fn to_probe(&self) -> Vec<String> {
        self.0.iter().filter(|(_, watched)| watched.is_open()).map(|(id, _)| id.clone()).collect()
    }

    /// Time to the next probes; `None` where there is nothing to probe.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        let watched = self.0.values().filter(|watched| watched.is_open());
        let pause =
            |watched: &Watched| (now.since(watched.since) / PROBE_PART).clamp(PROBE_EVERY, PROBE_EVERY_MAX);
        watched.map(pause).min()
    }

    /// What isolates are told.
    pub fn verdicts(&mut self, now: Timestamp) -> Vec<Verdict> {
        self.forget(now);
        let verdict = |(id, watched): (&String, &Watched)| {
            let seen = match watched.standing {
                Standing::Suspect => return None,
                Standing::Gone => Seen::Gone,
                Standing::Unready => Seen::Unready,
                Standing::Draining => Seen::Draining,
                Standing::Back => Seen::Back,
            };
            Some(Verdict { id: id.clone(), seen })
        };
        self.0.iter().filter_map(verdict).collect()
    }

    /// What nobody has looked at for long, though it should be, is forgotten as well: with the
    /// next report looking begins anew.
    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, watched| now.since(watched.at) < TOLD_FOR);
    }
}

/// What a probe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Requests can be sent.
    Answered,
    /// They can't be just now, or nothing came in time.
    Unready,
    /// The origin says that it is going.
    Draining,
    /// There was no connection.
    Refused,
}

impl Probe {
    /// What an answer says. Whoever knows no `/readyz` says at least that it is there.
    pub fn of(status: u16, is_draining: bool) -> Self {
        match Outcome::of(status, None, is_draining) {
            Outcome::Draining => Self::Draining,
            Outcome::Unreachable => Self::Refused,
            _ if status < 500 => Self::Answered,
            _ => Self::Unready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    fn told(watch: &mut Watch, s: u64) -> Vec<(String, Seen)> {
        watch.verdicts(at(s)).into_iter().map(|verdict| (verdict.id, verdict.seen)).collect()
    }

    fn b(seen: Seen) -> Vec<(String, Seen)> {
        vec![("b".to_owned(), seen)]
    }

    #[test]
    fn one_that_a_probe_finds_gone_is_told_until_it_has_answered_twice_in_a_row() {
        let mut watch = Watch::default();
        assert_eq!(told(&mut watch, 0), []);
        assert!(watch.report("b", at(0)));
        for (probe, seen) in [
            (Probe::Refused, Seen::Gone),
            (Probe::Answered, Seen::Gone),
            (Probe::Refused, Seen::Gone),
            (Probe::Answered, Seen::Gone),
            (Probe::Answered, Seen::Back),
        ] {
            watch.probed("b", probe, at(1));
            assert_eq!(told(&mut watch, 1), b(seen));
            assert_eq!(watch.to_probe().len(), usize::from(seen == Seen::Gone));
        }
        assert_eq!(told(&mut watch, 60), b(Seen::Back), "all are told");
        assert_eq!(told(&mut watch, 61), [], "and then it is forgotten");
    }

    #[test]
    fn the_trouble_of_one_isolate_is_its_own() {
        let mut watch = Watch::default();
        for s in [0, 10, 20] {
            assert!(watch.report("b", at(s)));
            for _ in 0..2 {
                assert_eq!((told(&mut watch, s), watch.to_probe().len()), (vec![], 1));
                watch.probed("b", Probe::Answered, at(s));
            }
            assert_eq!((told(&mut watch, s), watch.to_probe().len()), (vec![], 0));
        }
    }

    #[test]
    fn a_report_of_what_is_known_changes_nothing_and_a_later_one_begins_anew() {
        let mut watch = Watch::default();
        watch.report("b", at(0));
        watch.probed("b", Probe::Refused, at(0));
        assert!(!watch.report("b", at(1)));
        watch.probed("b", Probe::Answered, at(1));
        watch.probed("b", Probe::Answered, at(2));
        assert_eq!(told(&mut watch, 2), b(Seen::Back));
        assert!(watch.report("b", at(3)));
        assert_eq!(told(&mut watch, 3), []);
        watch.probed("b", Probe::Refused, at(3));
        assert_eq!(told(&mut watch, 3), b(Seen::Gone));
    }

    #[test]
    fn what_is_gone_for_long_is_looked_at_less_often() {
        let mut watch = Watch::default();
        assert_eq!(watch.pause(at(0)), None);
        watch.report("b", at(0));
        let pause = |s| watch.pause(at(s)).unwrap().as_millis();
        assert_eq!(
            [pause(0), pause(30), pause(120), pause(600), pause(100_000)],
            [500, 500, 2_000, 10_000, 15_000]
        );
        watch.report("c", at(600));
        assert_eq!(watch.pause(at(600)).unwrap().as_millis(), 500, "the one that needs it most");
    }

    #[test]
    fn what_is_not_looked_at_any_more_is_reported_anew() {
        let mut watch = Watch::default();
        watch.report("b", at(0));
        watch.probed("b", Probe::Refused, at(1));
        assert_eq!(told(&mut watch, 60), b(Seen::Gone));
        assert_eq!(told(&mut watch, 61), []);
        assert!(watch.report("b", at(62)));
    }

    #[test]
    fn one_late_answer_is_bad_luck_and_two_are_not() {
        let mut watch = Watch::default();
        watch.report("b", at(0));
        for (probe, expected) in [
            (Probe::Unready, vec![]),
            (Probe::Answered, vec![]),
            (Probe::Unready, vec![]),
            (Probe::Unready, b(Seen::Unready)),
            (Probe::Refused, b(Seen::Gone)),
            (Probe::Answered, b(Seen::Gone)),
            (Probe::Answered, b(Seen::Back)),
        ] {
            watch.probed("b", probe, at(1));
            assert_eq!(told(&mut watch, 1), expected, "{probe:?}");
        }
    }

    #[test]
    fn who_knows_no_probes_is_there_all_the_same() {
        for status in [200, 404, 302] {
            assert_eq!(Probe::of(status, false), Probe::Answered);
        }
        assert_eq!([Probe::of(503, false), Probe::of(500, false)], [Probe::Unready; 2]);
        assert_eq!(Probe::of(503, true), Probe::Draining);
        // What Cloudflare answers in the place of one that takes no connection.
        assert_eq!([Probe::of(521, false), Probe::of(530, false)], [Probe::Refused; 2]);
    }
}
