//! What was asked during a fault, what it came to, and whether that is more than it may cost.

use std::time::Duration;

use serde::Serialize;

use super::fault::Cost;

/// Failed requests that are told as they were.
const EXAMPLES_MAX: usize = 5;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What is public, as anybody reads it.
    Read,
    /// Everything else. It needs the primary, or may: what was written a moment ago no replica may have yet.
    Write,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// What was to come.
    Done,
    /// A 503 with `Retry-After`.
    Refused,
    /// The database was lost while it committed, and the answer says that nobody knows whether it did.
    Unknown,
    /// Something else, in words.
    Failed(String),
}

/// A request, with times since the load began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) ended: Duration,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

/// All that was asked during a fault.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) asked: Vec<Asked>,
    /// Reads with the bookmark of one's own write that came without it.
    pub(super) missed: u32,
    /// Reads of what was not true any more for longer than it may be.
    pub(super) stale: u32,
}

/// What was acknowledged, and isn't so, when all is quiet again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Losses {
    /// Writes that are not there.
    pub(super) writes_lost: u64,
    /// Orders that are not there.
    pub(super) orders_lost: u64,
    /// Orders that nobody placed, or placed once only.
    pub(super) orders_doubled: u64,
    /// Pieces that went out of stock, or didn't, without an order.
    pub(super) stock_wrong: u64,
    /// Jobs that did not end well.
    pub(super) jobs_lost: u64,
    /// Jobs, and effects of jobs, that are there more than once.
    pub(super) jobs_doubled: u64,
}

/// Requests of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) asked: u32,
    pub(super) refused: u32,
    /// Told that nobody knows what became of it.
    pub(super) unknown: u32,
    pub(super) failed: u32,
}

impl Count {
    /// Requests that were not answered well.
    pub(super) fn not_done(self) -> u32 {
        self.refused + self.unknown + self.failed
    }

    fn cost(self) -> Cost {
        match (self.failed, self.refused + self.unknown) {
            (0, 0) => Cost::Nothing,
            (0, _) => Cost::Refused,
            _ => Cost::Failed,
        }
    }
}

/// What a fault cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Toll {
    pub(super) reads: Count,
    pub(super) writes: Count,
    /// Longest time to an answer.
    pub(super) slowest_seconds: f64,
    /// From the first request that was not answered well to the last.
    pub(super) outage_seconds: f64,
    /// From the end of the fault to the last such request.
    pub(super) back_after_seconds: f64,
    pub(super) own_writes_missed: u32,
    pub(super) stale_reads: u32,
    /// Requests that were not answered well before anything had failed.
    pub(super) failed_before: u32,
    /// What some of the failed were told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) examples: Vec<String>,
}

impl Ledger {
    /// What it came to, of a fault that began at `struck` and ended at `lifted`.
    pub(super) fn toll(&self, struck: Duration, lifted: Duration) -> Toll {
        let mut toll = Toll { own_writes_missed: self.missed, stale_reads: self.stale, ..Toll::default() };
        let (mut first, mut last) = (None::<Duration>, None::<Duration>);
        for Asked { kind, ended, took, outcome } in &self.asked {
            let count = match kind {
                Kind::Read => &mut toll.reads,
                Kind::Write => &mut toll.writes,
            };
            count.asked += 1;
            toll.slowest_seconds = toll.slowest_seconds.max(took.as_secs_f64());
            match outcome {
                Outcome::Done => continue,
                Outcome::Refused => count.refused += 1,
                Outcome::Unknown => count.unknown += 1,
                Outcome::Failed(words) => {
                    count.failed += 1;
                    if toll.examples.len() < EXAMPLES_MAX && !toll.examples.contains(words) {
                        toll.examples.push(words.clone());
                    }
                }
            }
            toll.failed_before += u32::from(*ended < struck);
            first = Some(first.map_or(*ended, |first| first.min(*ended)));
            last = Some(last.map_or(*ended, |last| last.max(*ended)));
        }
        if let (Some(first), Some(last)) = (first, last) {
            toll.outage_seconds = (last - first).as_secs_f64();
            toll.back_after_seconds = last.saturating_sub(lifted).as_secs_f64();
        }
        toll
    }
}

/// Longest time from the end of a fault until all is well: a server that was killed goes through what it
/// had written down, and what died of a full disk is started again after waits that grow up to ten seconds.
const BACK_MAX_SECONDS: f64 = 20.0;

/// In which way more was lost than may be, where reads and writes may cost so much; in none, where it
/// kept to that.
pub(super) fn broken([of_reads, of_writes]: [Cost; 2], toll: &Toll, losses: &Losses) -> Vec<String> {
    let mut broken = Vec::new();
    for (what, count, allowed) in [("reads", toll.reads, of_reads), ("writes", toll.writes, of_writes)] {
        if count.cost() > allowed {
            let Count { refused, unknown, failed, .. } = count;
            broken.push(format!("{what}: {failed} failed, {refused} refused, {unknown} of unknown outcome"));
        }
    }
    if toll.back_after_seconds > BACK_MAX_SECONDS {
        broken.push(format!("all was well {:.1} s after its end only", toll.back_after_seconds));
    }
    let zero = [
        ("failed before it began", u64::from(toll.failed_before)),
        ("own writes missed", u64::from(toll.own_writes_missed)),
        ("stale reads", u64::from(toll.stale_reads)),
        ("writes lost", losses.writes_lost),
        ("orders lost", losses.orders_lost),
        ("orders doubled", losses.orders_doubled),
        ("pieces of stock wrong", losses.stock_wrong),
        ("jobs lost", losses.jobs_lost),
        ("jobs doubled", losses.jobs_doubled),
    ];
    broken
        .extend(zero.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}")));
    broken
}

#[cfg(test)]
mod tests {
    use super::super::fault::chosen;
    use super::*;

    fn asked(kind: Kind, ended: u64, outcome: Outcome) -> Asked {
        Asked { kind, ended: Duration::from_secs(ended), took: Duration::from_secs(1), outcome }
    }

    fn failed() -> Outcome {
        Outcome::Failed("status 500".to_owned())
    }

    /// What a fault may cost.
    fn of(name: &str) -> [Cost; 2] {
        chosen(&[name.to_owned()]).unwrap()[0].may_cost()
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_last() {
        let asked = vec![
            asked(Kind::Read, 1, Outcome::Done),
            asked(Kind::Write, 9, Outcome::Refused),
            asked(Kind::Write, 4, failed()),
            asked(Kind::Write, 5, failed()),
            asked(Kind::Read, 12, Outcome::Done),
        ];
        let toll = Ledger { asked, missed: 0, stale: 0 }.toll(Duration::ZERO, Duration::from_secs(7));
        assert_eq!(
            (toll.reads.asked, toll.writes),
            (2, Count { asked: 3, refused: 1, unknown: 0, failed: 2 })
        );
        assert_eq!((toll.outage_seconds, toll.back_after_seconds, toll.slowest_seconds), (5.0, 2.0, 1.0));
        assert_eq!(toll.examples, ["status 500"]);
    }

    #[test]
    fn what_healed_before_the_fault_ended_took_no_time_after_it() {
        let asked = vec![asked(Kind::Read, 3, failed())];
        let toll = Ledger { asked, missed: 0, stale: 0 }.toll(Duration::ZERO, Duration::from_secs(7));
        assert_eq!((toll.outage_seconds, toll.back_after_seconds), (0.0, 0.0));
    }

    #[test]
    fn each_part_may_cost_what_is_promised_and_no_more() {
        let refused = Count { asked: 9, refused: 1, ..Count::default() };
        let unknown = Count { asked: 9, unknown: 1, ..Count::default() };
        let failed = Count { asked: 9, refused: 1, unknown: 1, failed: 1 };
        let well = Count { asked: 9, ..Count::default() };
        for (name, reads, writes, broken_ways) in [
            ("origin-a/kill", well, well, 0),
            ("origin-a/kill", refused, well, 1),
            ("origin-a/kill", well, refused, 1),
            ("replica1/kill", well, refused, 1),
            ("primary/kill", well, refused, 0),
            ("primary/kill", well, unknown, 0),
            ("worker/kill", well, unknown, 1),
            ("primary/slow", well, refused, 1),
            ("primary/kill", refused, refused, 1),
            ("primary/kill", well, failed, 1),
            ("origins/stop", refused, refused, 0),
            ("origins/stop", failed, failed, 2),
            ("edge/kill", failed, failed, 0),
        ] {
            let toll = Toll { reads, writes, ..Toll::default() };
            let broken = broken(of(name), &toll, &Losses::default());
            assert_eq!(broken.len(), broken_ways, "{name}: {broken:?}");
        }
    }

    #[test]
    fn what_is_not_well_again_in_time_is_broken() {
        let toll = Toll { back_after_seconds: 21.0, ..Toll::default() };
        assert_eq!(broken(of("primary/kill"), &toll, &Losses::default()).len(), 1);
    }

    #[test]
    fn what_was_acknowledged_may_be_lost_by_no_fault() {
        let toll = Toll { own_writes_missed: 1, stale_reads: 2, ..Toll::default() };
        let losses = Losses { jobs_doubled: 3, ..Losses::default() };
        let broken = broken(of("edge/kill"), &toll, &losses);
        assert_eq!(broken, ["own writes missed: 1", "stale reads: 2", "jobs doubled: 3"]);
    }
}
