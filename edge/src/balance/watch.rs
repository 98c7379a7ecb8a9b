//! Origins that isolates have trouble with, as the keeper of the control log watches them
//! for all: it asks each at `/readyz`.
//!
//! An isolate's word alone makes nobody else do without an origin, for its trouble may be
//! its own: it makes the keeper look. What the keeper has seen itself is told to all, and so
//! is that the origin is back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
/// For how long what was seen last is told: longer than an isolate may go by what it heard
/// last, and than any time between probes.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// What the keeper has seen of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its name in the configuration.
    pub id: String,
    /// Whether it takes no requests; else it was so, and is back.
    pub is_gone: bool,
}

/// The origins that were reported.
#[derive(Clone, Debug, Default)]
pub struct Watch(BTreeMap<String, Watched>);

#[derive(Clone, Copy, Debug)]
struct Watched {
    standing: Standing,
    /// Probes in a row that it has answered.
    answered: u8,
    /// The first report of this time.
    since: Timestamp,
    /// The last report or probe.
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It was reported, and is to be looked at.
    Suspect,
    /// A probe was not answered.
    Gone,
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
        let watched = Watched { standing: Standing::Suspect, answered: 0, since: now, at: now };
        self.0.insert(id.to_owned(), watched);
        true
    }

    /// What a probe came to.
    pub fn probed(&mut self, id: &str, is_answered: bool, now: Timestamp) {
        let Some(watched) = self.0.get_mut(id) else { return };
        watched.at = now;
        watched.answered = if is_answered { watched.answered.saturating_add(1) } else { 0 };
        let is_well = watched.answered >= RISE;
        match watched.standing {
            Standing::Suspect if is_well => drop(self.0.remove(id)),
            Standing::Gone if is_well => watched.standing = Standing::Back,
            Standing::Suspect | Standing::Gone if !is_answered => watched.standing = Standing::Gone,
            Standing::Suspect | Standing::Gone | Standing::Back => {}
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
        let verdict = |(id, watched): (&String, &Watched)| match watched.standing {
            Standing::Suspect => None,
            Standing::Gone => Some(Verdict { id: id.clone(), is_gone: true }),
            Standing::Back => Some(Verdict { id: id.clone(), is_gone: false }),
        };
        self.0.iter().filter_map(verdict).collect()
    }

    /// What nobody has looked at for long, though it should be, is forgotten as well: with the
    /// next report looking begins anew.
    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, watched| now.since(watched.at) < TOLD_FOR);
    }
}

/// Whether an answer to a probe says that requests can be sent. Whoever knows no `/readyz`
/// says at least that it is there.
pub fn is_ready(status: u16) -> bool {
    status < 500
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    fn told(watch: &mut Watch, s: u64) -> Vec<(String, bool)> {
        watch.verdicts(at(s)).into_iter().map(|verdict| (verdict.id, verdict.is_gone)).collect()
    }

    fn b(is_gone: bool) -> Vec<(String, bool)> {
        vec![("b".to_owned(), is_gone)]
    }

    #[test]
    fn one_that_a_probe_finds_gone_is_told_until_it_has_answered_twice_in_a_row() {
        let mut watch = Watch::default();
        assert_eq!(told(&mut watch, 0), []);
        assert!(watch.report("b", at(0)));
        for (is_answered, is_gone) in
            [(false, true), (true, true), (false, true), (true, true), (true, false)]
        {
            watch.probed("b", is_answered, at(1));
            assert_eq!(told(&mut watch, 1), b(is_gone));
            assert_eq!(watch.to_probe().len(), usize::from(is_gone));
        }
        assert_eq!(told(&mut watch, 60), b(false), "all are told");
        assert_eq!(told(&mut watch, 61), [], "and then it is forgotten");
    }

    #[test]
    fn the_trouble_of_one_isolate_is_its_own() {
        let mut watch = Watch::default();
        for s in [0, 10, 20] {
            assert!(watch.report("b", at(s)));
            for _ in 0..2 {
                assert_eq!((told(&mut watch, s), watch.to_probe().len()), (vec![], 1));
                watch.probed("b", true, at(s));
            }
            assert_eq!((told(&mut watch, s), watch.to_probe().len()), (vec![], 0));
        }
    }

    #[test]
    fn a_report_of_what_is_known_changes_nothing_and_a_later_one_begins_anew() {
        let mut watch = Watch::default();
        watch.report("b", at(0));
        watch.probed("b", false, at(0));
        assert!(!watch.report("b", at(1)));
        watch.probed("b", true, at(1));
        watch.probed("b", true, at(2));
        assert_eq!(told(&mut watch, 2), b(false));
        assert!(watch.report("b", at(3)));
        assert_eq!(told(&mut watch, 3), []);
        watch.probed("b", false, at(3));
        assert_eq!(told(&mut watch, 3), b(true));
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
        watch.probed("b", false, at(1));
        assert_eq!(told(&mut watch, 60), b(true));
        assert_eq!(told(&mut watch, 61), []);
        assert!(watch.report("b", at(62)));
    }

    #[test]
    fn who_knows_no_probes_is_there_all_the_same() {
        assert!(is_ready(200) && is_ready(404) && is_ready(302));
        assert!(!is_ready(503) && !is_ready(500));
    }
}
