//! Origins that took no connection, as the keeper of the control log watches them for all
//! isolates: it asks each at `/readyz` until it answers again.
//!
//! An isolate's word is believed at once, so that the others needn't find out by requests
//! of their own; should it have had a trouble of its own, that lasts two probes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Time between two probes of an origin.
pub const PROBE_EVERY: Duration = Duration::from_millis(500);
/// Time that an origin has to answer one.
pub const PROBE_MAX: Duration = Duration::from_secs(1);
/// Probes in a row that must be answered before an origin is told to be there again.
const RISE: u8 = 2;
/// For how long that is told: longer than an isolate may go by what it heard last.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// What the keeper knows of an origin that was reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its name in the configuration.
    pub id: String,
    /// Whether it takes no connection.
    pub is_gone: bool,
}

/// The origins that were reported.
#[derive(Clone, Debug, Default)]
pub struct Watch(BTreeMap<String, Watched>);

#[derive(Clone, Copy, Debug)]
struct Watched {
    is_gone: bool,
    /// Probes in a row that it has answered.
    answered: u8,
    /// The last report or probe.
    at: Timestamp,
}

impl Watch {
    /// An isolate could not reach this origin.
    pub fn report(&mut self, id: &str, now: Timestamp) {
        let known = self.0.entry(id.to_owned());
        let watched = known.or_insert(Watched { is_gone: false, answered: 0, at: now });
        if !watched.is_gone {
            *watched = Watched { is_gone: true, answered: 0, at: now };
        }
    }

    /// What a probe came to.
    pub fn probed(&mut self, id: &str, is_answered: bool, now: Timestamp) {
        if let Some(watched) = self.0.get_mut(id) {
            watched.answered = if is_answered { watched.answered.saturating_add(1) } else { 0 };
            watched.is_gone &= watched.answered < RISE;
            watched.at = now;
        }
    }

    /// The origins that are to be probed.
    pub fn to_probe(&self) -> Vec<String> {
        self.0.iter().filter(|(_, watched)| watched.is_gone).map(|(id, _)| id.clone()).collect()
    }

    /// What isolates are told.
    pub fn verdicts(&mut self, now: Timestamp) -> Vec<Verdict> {
        self.0.retain(|_, watched| watched.is_gone || now.since(watched.at) < TOLD_FOR);
        self.0.iter().map(|(id, watched)| Verdict { id: id.clone(), is_gone: watched.is_gone }).collect()
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

    #[test]
    fn one_that_was_reported_is_gone_until_it_has_answered_twice_in_a_row() {
        let mut watch = Watch::default();
        assert_eq!(told(&mut watch, 0), []);
        watch.report("b", at(0));
        for (is_answered, is_gone) in
            [(false, true), (true, true), (false, true), (true, true), (true, false)]
        {
            watch.probed("b", is_answered, at(1));
            assert_eq!(told(&mut watch, 1), [("b".to_owned(), is_gone)]);
            assert_eq!(watch.to_probe().len(), usize::from(is_gone));
        }
        assert_eq!(told(&mut watch, 60), [("b".to_owned(), false)], "all are told");
        assert_eq!(told(&mut watch, 61), [], "and then it is forgotten");
    }

    #[test]
    fn a_report_of_what_is_known_changes_nothing_and_a_later_one_begins_anew() {
        let mut watch = Watch::default();
        watch.report("b", at(0));
        watch.probed("b", true, at(1));
        watch.report("b", at(1));
        watch.probed("b", true, at(2));
        assert_eq!(told(&mut watch, 2), [("b".to_owned(), false)]);
        watch.report("b", at(3));
        assert_eq!(told(&mut watch, 3), [("b".to_owned(), true)]);
    }

    #[test]
    fn who_knows_no_probes_is_there_all_the_same() {
        assert!(is_ready(200) && is_ready(404) && is_ready(302));
        assert!(!is_ready(503) && !is_ready(500));
    }
}
