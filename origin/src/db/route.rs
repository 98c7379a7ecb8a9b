//! Which server a read goes to.
//!
//! Replicas take reads in turn. One that has not replayed up to the reader's
//! bookmark is passed over; if none has, the read waits for one to catch up, as
//! long as it may, and then goes to the primary, which is never behind.

use super::lsn::Lsn;

/// Where a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the replica with this index, which has replayed at least up to there.
    Replica(usize, Lsn),
    /// Nowhere yet: a replica may catch up.
    Wait,
    /// To the primary.
    Primary,
}

/// Routes the read whose `turn` it is, counted up by one with each read. Of each
/// replica that can serve `replayed` says how far it is at least.
pub(super) fn route(replayed: &[Option<Lsn>], bookmark: Option<Lsn>, turn: usize, may_wait: bool) -> Route {
    let in_turn = (0..replayed.len()).map(|offset| (turn % replayed.len() + offset) % replayed.len());
    let mut catching_up = false;
    for index in in_turn {
        match replayed[index] {
            Some(replayed) if bookmark.is_none_or(|bookmark| replayed >= bookmark) => {
                return Route::Replica(index, replayed);
            }
            Some(_) => catching_up = true,
            None => {}
        }
    }
    if catching_up && may_wait { Route::Wait } else { Route::Primary }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: Option<Lsn> = None;

    fn at(lsn: u64) -> Option<Lsn> {
        Some(Lsn::new(lsn))
    }

    fn replica(index: usize, lsn: u64) -> Route {
        Route::Replica(index, Lsn::new(lsn))
    }

    /// Expects `waiting` while the read may wait, and `late` past its deadline.
    fn check(replayed: &[Option<Lsn>], bookmark: Option<u64>, turn: usize, waiting: Route, late: Route) {
        let bookmark = bookmark.map(Lsn::new);
        assert_eq!(route(replayed, bookmark, turn, true), waiting, "while it may wait");
        assert_eq!(route(replayed, bookmark, turn, false), late, "past its deadline");
    }

    fn check_both(replayed: &[Option<Lsn>], bookmark: Option<u64>, turn: usize, expected: Route) {
        check(replayed, bookmark, turn, expected, expected);
    }

    #[test]
    fn without_replicas_the_primary_serves() {
        check_both(&[], None, 0, Route::Primary);
        check_both(&[], Some(5), 7, Route::Primary);
    }

    #[test]
    fn replicas_serve_in_turn() {
        for turn in [0, 1, 2, 3, 4, 5, usize::MAX] {
            check_both(&[at(10), at(10), at(10)], None, turn, replica(turn % 3, 10));
        }
    }

    #[test]
    fn a_replica_that_can_not_serve_is_passed_over() {
        check_both(&[DOWN, at(10)], None, 0, replica(1, 10));
        check_both(&[at(10), DOWN], Some(10), 1, replica(0, 10));
        check_both(&[DOWN, DOWN], None, 0, Route::Primary);
        check_both(&[DOWN, DOWN], Some(5), 0, Route::Primary);
    }

    #[test]
    fn a_replica_at_the_bookmark_serves_and_one_behind_it_does_not() {
        check_both(&[at(9), at(10)], Some(10), 0, replica(1, 10));
        check_both(&[at(11), at(9)], Some(10), 1, replica(0, 11));
    }

    #[test]
    fn the_read_waits_only_where_someone_may_catch_up() {
        check(&[at(8), at(9)], Some(10), 0, Route::Wait, Route::Primary);
        check(&[at(8), DOWN], Some(10), 0, Route::Wait, Route::Primary);
    }
}
