//! Origins whose answers are bad though they are ready: that no probe sees, only isolates do.
//!
//! What one isolate finds may be its own trouble, or what one client has provoked there. When
//! several have ejected an origin at about the same time, all others are told to, so that an
//! isolate that has just begun needn't lose requests of its own to it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::balance::health::Seen;
use crate::balance::watch::Verdict;
use crate::time::Timestamp;

/// So many isolates must agree: a client reaches one or two, and three are soon there where an
/// origin answers badly under load.
const QUORUM: usize = 3;
/// Within so long: as long as an outlier's window, after which each would judge anew.
const WITHIN: Duration = Duration::from_secs(10);
/// For how long all are told: longer than an isolate with something to do goes by what it heard
/// last, and shorter than any ejection, or it would be one more.
const TOLD_FOR: Duration = Duration::from_secs(5);

/// What isolates have ejected lately.
#[derive(Clone, Debug, Default)]
pub struct Quorum(BTreeMap<String, Ballot>);

#[derive(Clone, Debug, Default)]
struct Ballot {
    /// Which isolates, and when; at most [`QUORUM`].
    by: Vec<(u64, Timestamp)>,
    told_until: Option<Timestamp>,
}

impl Quorum {
    /// An isolate, known by a random number, has ejected this origin.
    pub fn ejected(&mut self, id: &str, isolate: u64, now: Timestamp) {
        let ballot = self.0.entry(id.to_owned()).or_default();
        ballot.by.retain(|(by, at)| *by != isolate && now.since(*at) < WITHIN);
        ballot.by.push((isolate, now));
        if ballot.by.len() >= QUORUM {
            *ballot = Ballot { by: Vec::new(), told_until: Some(now.after(TOLD_FOR)) };
        }
    }

    /// What isolates are told.
    pub fn verdicts(&mut self, now: Timestamp) -> Vec<Verdict> {
        self.0.retain(|_, ballot| {
            ballot.by.retain(|(_, at)| now.since(*at) < WITHIN);
            ballot.told_until = ballot.told_until.filter(|until| now < *until);
            ballot.told_until.is_some() || !ballot.by.is_empty()
        });
        let told = self.0.iter().filter(|(_, ballot)| ballot.told_until.is_some());
        told.map(|(id, _)| Verdict { id: id.clone(), seen: Seen::Failing }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_millis(s * 1_000)
    }

    fn check(ejected: &[(u64, u64)], asked: u64, is_told: bool) {
        let mut quorum = Quorum::default();
        for (isolate, s) in ejected {
            quorum.ejected("b", *isolate, at(*s));
        }
        let expected = is_told.then(|| Verdict { id: "b".to_owned(), seen: Seen::Failing });
        assert_eq!(quorum.verdicts(at(asked)), Vec::from_iter(expected), "{ejected:?} at {asked}");
    }

    #[test]
    fn all_are_told_when_three_isolates_agree_within_ten_seconds() {
        check(&[(1, 100), (2, 101)], 101, false);
        check(&[(1, 100), (2, 101), (3, 109)], 109, true);
        check(&[(1, 100), (2, 101), (3, 110)], 110, false);
    }

    #[test]
    fn one_isolate_counts_once() {
        check(&[(1, 100), (1, 101), (1, 102), (2, 103)], 103, false);
    }

    #[test]
    fn it_is_told_for_a_while_and_then_judged_anew() {
        let three = [(1, 100), (2, 100), (3, 100)];
        check(&three, 104, true);
        check(&three, 105, false);
        check(&[three.to_vec(), vec![(1, 101), (2, 101)]].concat(), 106, false);
        check(&[three.to_vec(), vec![(1, 140), (2, 140), (4, 141)]].concat(), 141, true);
    }

    #[test]
    fn other_origins_are_not_meant() {
        let mut quorum = Quorum::default();
        for (isolate, id) in [(1, "a"), (2, "b"), (3, "c")] {
            quorum.ejected(id, isolate, at(100));
        }
        assert_eq!(quorum.verdicts(at(100)), []);
    }
}
