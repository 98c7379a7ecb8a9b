//! Which server a read goes to.
//!
//! The least loaded of the replicas at or past the reader's bookmark takes it. If
//! none is, the read waits for one to catch up, as long as it may, and then goes
//! to the primary, which is never behind.

use std::time::Duration;

use super::lsn::Lsn;
use super::survey::Replica;

/// A bookmark further than this past the end of the log, as it was last seen, is
/// made up, or from before the database was restored: waiting for it would be in
/// vain. Ten seconds of a log that grows faster than most disks can write it.
pub(super) const FUTURE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Where a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To this replica.
    Replica(Replica),
    /// Nowhere yet: this replica, the furthest of all, may catch up.
    Wait(Replica),
    /// To the primary.
    Primary(Why),
}

/// Why a read goes to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// No replica can serve.
    NoReplica,
    /// None has what the reader has seen.
    Behind,
}

/// Routes the read whose `turn` it is, counted up by one with each read, so that
/// equally loaded replicas serve in turn. `load` says how many callers use or
/// await a replica.
pub(super) fn route(
    replicas: &[Replica],
    load: impl Fn(&Replica) -> usize,
    bookmark: Option<Lsn>,
    turn: usize,
    may_wait: bool,
) -> Route {
    let count = replicas.len().max(1);
    let from_turn = |position: usize| (position + count - turn % count) % count;
    let at_or_past = |replica: &Replica| bookmark.is_none_or(|bookmark| replica.replayed >= bookmark);
    let chosen = replicas
        .iter()
        .enumerate()
        .filter(|(_, replica)| at_or_past(replica))
        .min_by_key(|(position, replica)| (load(replica), from_turn(*position)));
    if let Some((_, replica)) = chosen {
        return Route::Replica(*replica);
    }
    match replicas.iter().max_by_key(|replica| replica.replayed) {
        Some(furthest) if may_wait => Route::Wait(*furthest),
        Some(_) => Route::Primary(Why::Behind),
        None => Route::Primary(Why::NoReplica),
    }
}

/// The bookmark, unless it is too far past `end`, the end of the log as far as is known.
pub(super) fn plausible(bookmark: Lsn, end: Option<Lsn>) -> Option<Lsn> {
    Some(bookmark).filter(|bookmark| end.is_none_or(|end| bookmark.bytes_since(end) <= FUTURE_BYTES_MAX))
}

/// Tells PostgreSQL 19 or later to wait until it has replayed `bookmark`, and to say
/// whether it did. It knows nothing of timelines, which were looked at before.
pub(super) fn wait_statement(bookmark: &str, wait_max: Duration) -> String {
    // 0 would be without end.
    let timeout_ms = wait_max.as_millis().max(1);
    format!("WAIT FOR LSN '{bookmark}' WITH (MODE 'standby_replay', TIMEOUT '{timeout_ms}ms', NO_THROW)")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    /// Replicas at these positions, each with a load.
    fn replicas(at: &[(u64, usize)]) -> Vec<Replica> {
        let asked_at = Instant::now();
        (at.iter().enumerate())
            .map(|(index, (lsn, _))| Replica { index, replayed: Lsn::new(*lsn), asked_at })
            .collect()
    }

    fn routed(at: &[(u64, usize)], bookmark: Option<u64>, turn: usize, may_wait: bool) -> String {
        let load = |replica: &Replica| at[replica.index].1;
        match route(&replicas(at), load, bookmark.map(Lsn::new), turn, may_wait) {
            Route::Replica(replica) => format!("replica {}", replica.index),
            Route::Wait(replica) => format!("wait for {}", replica.index),
            Route::Primary(why) => format!("primary: {why:?}"),
        }
    }

    /// Expects `waiting` while the read may wait, and `late` past its deadline.
    fn check(at: &[(u64, usize)], bookmark: Option<u64>, turn: usize, waiting: &str, late: &str) {
        assert_eq!(routed(at, bookmark, turn, true), waiting, "while it may wait");
        assert_eq!(routed(at, bookmark, turn, false), late, "past its deadline");
    }

    fn check_both(at: &[(u64, usize)], bookmark: Option<u64>, turn: usize, expected: &str) {
        check(at, bookmark, turn, expected, expected);
    }

    #[test]
    fn without_replicas_the_primary_serves() {
        check_both(&[], None, 0, "primary: NoReplica");
        check_both(&[], Some(5), usize::MAX, "primary: NoReplica");
    }

    #[test]
    fn equally_loaded_replicas_serve_in_turn() {
        for turn in [0, 1, 2, 3, 4, 5, usize::MAX] {
            let expected = format!("replica {}", turn % 3);
            check_both(&[(10, 4), (10, 4), (10, 4)], None, turn, &expected);
        }
    }

    #[test]
    fn the_least_loaded_serves_whosever_turn_it_is() {
        for turn in 0..6 {
            check_both(&[(10, 4), (10, 3), (10, 5)], None, turn, "replica 1");
        }
    }

    #[test]
    fn a_replica_at_the_bookmark_serves_and_one_behind_it_does_not() {
        check_both(&[(9, 0), (10, 7)], Some(10), 0, "replica 1");
        check_both(&[(11, 7), (9, 0)], Some(10), 1, "replica 0");
    }

    #[test]
    fn the_read_waits_for_the_furthest_and_not_for_ever() {
        check(&[(8, 0), (9, 9)], Some(10), 0, "wait for 1", "primary: Behind");
    }

    #[test]
    fn a_bookmark_past_what_can_be_is_ignored() {
        let end = Some(Lsn::new(1_000));
        assert_eq!(plausible(Lsn::new(900), end), Some(Lsn::new(900)));
        assert_eq!(
            plausible(Lsn::new(1_000 + FUTURE_BYTES_MAX), end),
            Some(Lsn::new(1_000 + FUTURE_BYTES_MAX))
        );
        assert_eq!(plausible(Lsn::new(1_001 + FUTURE_BYTES_MAX), end), None);
        assert_eq!(plausible(Lsn::new(u64::MAX), end), None);
        assert_eq!(plausible(Lsn::new(u64::MAX), None), Some(Lsn::new(u64::MAX)));
    }

    #[test]
    fn a_server_is_told_to_wait_for_a_bounded_time() {
        let wait = |ms| wait_statement("16/B374D848", Duration::from_millis(ms));
        let expected = "WAIT FOR LSN '16/B374D848' WITH (MODE 'standby_replay', TIMEOUT '50ms', NO_THROW)";
        assert_eq!(wait(50), expected);
        assert_eq!(wait(0), expected.replace("50ms", "1ms"));
    }

    type Router = fn(&[(u64, usize)], Option<u64>, usize, bool) -> Route;

    fn right(at: &[(u64, usize)], bookmark: Option<u64>, turn: usize, may_wait: bool) -> Route {
        route(&replicas(at), |replica| at[replica.index].1, bookmark.map(Lsn::new), turn, may_wait)
    }

    /// What must hold of every router; what is broken in this case.
    fn broken(
        router: Router,
        at: &[(u64, usize)],
        bookmark: Option<u64>,
        turn: usize,
        may_wait: bool,
    ) -> Option<&'static str> {
        let behind = |lsn: u64| bookmark.is_some_and(|bookmark| lsn < bookmark);
        let able: Vec<usize> = at.iter().filter(|(lsn, _)| !behind(*lsn)).map(|(_, load)| *load).collect();
        match router(at, bookmark, turn, may_wait) {
            Route::Replica(replica) if behind(at[replica.index].0) => Some("served behind the bookmark"),
            Route::Replica(replica) => (able.iter().any(|load| *load < at[replica.index].1))
                .then_some("served by a busier one than need be"),
            _ if !able.is_empty() => Some("passed a replica over that could serve"),
            Route::Wait(_) => (!may_wait).then_some("waited past the deadline"),
            Route::Primary(_) => (may_wait && !at.is_empty()).then_some("burdened the primary early"),
        }
    }

    prop_compose! {
        fn case()(
            at in prop::collection::vec((0..6_u64, 0..3_usize), 0..5),
            bookmark in prop::option::of(0..6_u64),
            turn: usize,
            may_wait: bool,
        ) -> (Vec<(u64, usize)>, Option<u64>, usize, bool) {
            (at, bookmark, turn, may_wait)
        }
    }

    proptest! {
        #[test]
        fn no_read_is_served_behind_its_bookmark_or_burdens_the_primary_early(
            (at, bookmark, turn, may_wait) in case()
        ) {
            prop_assert_eq!(broken(right, &at, bookmark, turn, may_wait), None);
        }
    }

    /// The property above can fail: it finds what is wrong with these.
    #[test]
    fn broken_routers_are_found_out() {
        let deaf: Router = |at, _bookmark, turn, may_wait| right(at, None, turn, may_wait);
        let impatient: Router = |at, bookmark, turn, _may_wait| right(at, bookmark, turn, false);
        let endless: Router = |at, bookmark, turn, _may_wait| right(at, bookmark, turn, true);
        let by_turn_alone: Router = |at, bookmark, turn, may_wait| {
            let even: Vec<_> = at.iter().map(|(lsn, _)| (*lsn, 0)).collect();
            right(&even, bookmark, turn, may_wait)
        };
        for (router, fault) in [
            (deaf, "served behind the bookmark"),
            (impatient, "burdened the primary early"),
            (endless, "waited past the deadline"),
            (by_turn_alone, "served by a busier one than need be"),
        ] {
            let mut runner = proptest::test_runner::TestRunner::deterministic();
            let found = runner.run(&case(), |(at, bookmark, turn, may_wait)| {
                let found = broken(router, &at, bookmark, turn, may_wait);
                prop_assert!(found.is_none_or(|found| found != fault));
                Ok(())
            });
            assert!(found.is_err(), "{fault} was not found");
        }
    }
}
