//! Why a primary is busy. Four causes look alike from outside, the CPU or the sessions of the
//! database, and each wants another tool: an index, a cache, nobody who holds others up, a replica.

use serde::{Deserialize, Serialize};

use super::evidence::{Activity, Database, Evidence};
use super::traffic::Traffic;
use super::verdict::Tool;

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Rows are found by reading them all.
    MissingIndex,
    /// The same is asked for again and again.
    HotKey,
    /// Sessions wait for each other.
    LockQueue,
    /// There is as much to read.
    ReadLoad,
    /// There is as much to write.
    WriteLoad,
}

impl Cause {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingIndex => "rows are found by reading them all: an index is missing",
            Self::HotKey => "the same is asked for again and again: a cache would answer",
            Self::LockQueue => "sessions wait for each other: a long transaction, or a row that all want",
            Self::ReadLoad => "there is as much to read: replicas would share it",
            Self::WriteLoad => "there is as much to write: neither cache nor replicas take that off",
        }
    }
}

/// How a database is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// Sessions wait for each other, however busy it is.
    Waits,
    /// With so many sessions at work for each CPU it has time left.
    Idle(f64),
    /// It has none left, with so many sessions for each CPU, for this cause. `None`: what is known explains too little of it.
    Busy(f64, Option<Cause>),
}

/// Sessions at work for each CPU from which on others wait (a queue's wait grows without bound as the
/// load nears one; with few servers it has doubled at about 0.7: M/M/c, Kleinrock, "Queueing
/// Systems", volume 1, section 3.5).
pub(super) const LOAD_MAX: f64 = 0.7;
/// Share of the sessions at work that wait for locks.
const LOCK_SHARE: f64 = 0.3;
/// Share of the time that reading takes where that is what there is to do.
const READ_SHARE: f64 = 0.7;
/// Share of the work that counted statements have to explain.
const EXPLAINED: f64 = 0.5;

/// Looks for it. `None`: nothing is known of what its sessions do, or of its CPUs.
pub(super) fn state(evidence: &Evidence) -> Option<State> {
    let database = evidence.database.as_ref()?;
    let activity = database.active?;
    // Sessions that wait for each other use no CPU, so it makes no difference how many there are.
    if is_lock_queue(activity) {
        return Some(State::Waits);
    }
    let load = activity.sessions() / database.cpus?.max(1.0);
    Some(match load < LOAD_MAX {
        true => State::Idle(load),
        false => State::Busy(load, cause(evidence, database, activity, load)),
    })
}

/// Whether sessions wait for each other.
pub(super) fn waits(evidence: &Evidence) -> bool {
    evidence.database.as_ref().and_then(|database| database.active).is_some_and(is_lock_queue)
}

fn is_lock_queue(activity: Activity) -> bool {
    activity.lock >= 1.0 && activity.lock / activity.sessions() >= LOCK_SHARE
}

fn cause(evidence: &Evidence, database: &Database, activity: Activity, load: f64) -> Option<Cause> {
    let (reads, writes) = (database.read_ms?, database.write_ms?);
    let missing = database.indexes.as_ref().map(|_| database.indexable_ms)?;
    let all = reads + writes;
    if all / 1_000.0 < (activity.sessions() - activity.lock) * EXPLAINED {
        return None;
    }
    if reads / all < READ_SHARE {
        return Some(Cause::WriteLoad);
    }
    let missing = (missing / all).min(1.0);
    let hot = hot_share(evidence, database);
    // What index and cache take off together, at most, before replicas share the rest.
    match load * (1.0 - (missing + hot).min(1.0)) >= LOAD_MAX {
        true => Some(Cause::ReadLoad),
        false if missing >= hot => Some(Cause::MissingIndex),
        false => Some(Cause::HotKey),
    }
}

/// Share of the database's time that is spent on what was answered before: by requests that are
/// repeated, or by a statement that asks the same each time. None where a cache is there.
fn hot_share(evidence: &Evidence, database: &Database) -> f64 {
    if evidence.in_place(Tool::Cache).is_some() {
        return 0.0;
    }
    let by_requests = evidence.traffic.as_ref().and_then(cacheable_share).unwrap_or_default();
    let same = database.statements.iter().filter(|one| one.is_constant).map(|one| one.share);
    by_requests.max(same.sum())
}

/// Of the server's time, the share that goes to answers that it gave before. Unknown without durations.
pub(super) fn cacheable_share(traffic: &Traffic) -> Option<f64> {
    let total = traffic.answers_ms()?;
    let saved: f64 = traffic.answers().map(|route| route.cacheable_ms()).sum();
    Some(if total > 0.0 { saved / total } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{Missing, Statement};
    use super::*;

    fn evidence(activity: Activity, change: impl FnOnce(&mut Database)) -> Evidence {
        let mut database = Database {
            cpus: Some(4.0),
            active: Some(activity),
            read_ms: Some(3_000.0),
            write_ms: Some(300.0),
            indexes: Some(Vec::new()),
            ..Database::default()
        };
        change(&mut database);
        Evidence { database: Some(database), ..Evidence::default() }
    }

    #[track_caller]
    fn check(activity: Activity, change: impl FnOnce(&mut Database), expected: Option<Cause>) {
        let found = match state(&evidence(activity, change)) {
            Some(State::Busy(_, cause)) => cause,
            Some(State::Waits) => Some(Cause::LockQueue),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }

    const BUSY: Activity = Activity { cpu: 3.5, io: 0.2, lock: 0.0, other: 0.1 };

    fn missing(database: &mut Database, each: f64, count: usize) {
        let one = Missing { ddl: "x".to_owned(), ms_per_s: each, slowest_ms: 200.0 };
        database.indexes = Some(vec![one; count]);
        database.indexable_ms = each * count as f64;
    }

    fn constant(database: &mut Database, share: f64) {
        database.statements = vec![Statement { is_constant: true, share, ..Statement::default() }];
    }

    #[test]
    fn the_four_causes_of_a_busy_primary_are_told_apart() {
        check(BUSY, |_| {}, Some(Cause::ReadLoad));
        check(BUSY, |database| database.write_ms = Some(3_000.0), Some(Cause::WriteLoad));
        check(BUSY, |database| missing(database, 2_000.0, 1), Some(Cause::MissingIndex));
        check(BUSY, |database| constant(database, 0.8), Some(Cause::HotKey));
        check(Activity { cpu: 0.5, lock: 6.0, ..BUSY }, |_| {}, Some(Cause::LockQueue));
    }

    #[test]
    fn several_that_take_a_little_off_are_tried_before_replicas() {
        check(BUSY, |database| missing(database, 700.0, 3), Some(Cause::MissingIndex));
        check(
            BUSY,
            |database| {
                missing(database, 700.0, 1);
                constant(database, 0.2);
            },
            Some(Cause::MissingIndex),
        );
        // Where so much is left that replicas are wanted all the same.
        check(
            Activity { cpu: 12.0, ..BUSY },
            |database| {
                missing(database, 700.0, 1);
                (database.read_ms, database.write_ms) = (Some(12_000.0), Some(100.0));
            },
            Some(Cause::ReadLoad),
        );
    }

    #[test]
    fn what_is_not_explained_has_no_cause() {
        check(BUSY, |database| database.read_ms = None, None);
        check(BUSY, |database| database.indexes = None, None);
        check(BUSY, |database| database.read_ms = Some(500.0), None);
    }

    #[test]
    fn what_is_not_busy_has_no_cause_and_what_is_not_known_no_state() {
        let idle = evidence(Activity { cpu: 1.0, ..Activity::default() }, |_| {});
        assert_eq!(state(&idle), Some(State::Idle(0.25)));
        assert_eq!(state(&Evidence::default()), None);
        assert_eq!(state(&evidence(BUSY, |database| database.cpus = None)), None);
        assert_eq!(state(&evidence(BUSY, |database| database.active = None)), None);
        // How many CPUs there are makes no difference to who waits for others.
        let waiting = evidence(Activity { cpu: 0.5, lock: 6.0, ..BUSY }, |database| database.cpus = None);
        assert_eq!(state(&waiting), Some(State::Waits));
    }
}
