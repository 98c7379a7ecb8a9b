//! Whether this worker still has its jobs.
//!
//! The server's clock decides when a lease runs out. A worker can't see that clock while it
//! can't reach the server, but it knows when it sent its last heartbeat that was answered: the
//! lease runs at least [`LEASE`] from then. So it stops its attempts [`MARGIN`] before, and what
//! was its own is run by others only once it has stopped.

use std::time::{Duration, Instant};

/// How long a worker that says nothing keeps its jobs. Longer: a lost worker's jobs wait longer.
/// Shorter: a slow network looks like a lost worker.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How often a lease is extended: it survives several lost beats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// Time to stop attempts in before the lease runs out.
const MARGIN: Duration = Duration::from_secs(2);

/// How long a worker has had its lease before it finds others lost: when the server is back after
/// all leases ran out, those who live have beaten again by then, and handed back what they had.
const RETURN: Duration = Duration::from_secs(3);

/// A lease by this process' clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// When the last heartbeat that was answered was sent.
    sent_at: Instant,
}

impl Lease {
    /// A lease whose extension was sent at `sent_at`, and answered.
    pub(super) fn extended(sent_at: Instant) -> Self {
        Self { sent_at }
    }

    /// How long attempts may go on.
    pub(super) fn left(&self, now: Instant) -> Duration {
        (LEASE - MARGIN).saturating_sub(now.saturating_duration_since(self.sent_at))
    }

    /// Attempts may go on.
    pub(super) fn holds(&self, now: Instant) -> bool {
        !self.left(now).is_zero()
    }
}

/// Since when a worker has had its lease under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    worker: i64,
    since: Instant,
}

impl Held {
    /// Follows `before` when the worker's number is `worker` at `now`.
    pub(super) fn next(before: Option<Self>, worker: Option<i64>, now: Instant) -> Option<Self> {
        worker.map(|worker| match before {
            Some(held) if held.worker == worker => held,
            _ => Self { worker, since: now },
        })
    }

    /// Whether whoever hasn't beaten by now may be found lost.
    pub(super) fn may_judge(self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= RETURN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The server counts from when it took the heartbeat up, which is after it was sent.
        #[test]
        fn no_attempt_goes_on_once_the_server_may_have_ended_the_lease(
            answer_ms in 0_u64..60_000,
            later_ms in 0_u64..60_000,
        ) {
            let sent = Instant::now();
            let ends_at = sent + Duration::from_millis(answer_ms) + LEASE;
            let now = sent + Duration::from_millis(later_ms);
            let lease = Lease::extended(sent);
            prop_assert!(!lease.holds(now) || now + MARGIN <= ends_at);
            prop_assert_eq!(lease.holds(now), now < sent + LEASE - MARGIN);
            prop_assert_eq!(now + lease.left(now), now.max(sent + LEASE - MARGIN));
        }

        /// Numbers that a worker has one after the other, and when it is looked at.
        #[test]
        fn only_who_has_had_one_number_for_long_enough_finds_others_lost(
            looks in prop::collection::vec((prop::option::of(0_i64..3), 0_u64..2_000), 1..40),
        ) {
            let mut now = Instant::now();
            let mut held = None;
            let mut seen: Vec<(Option<i64>, Instant)> = Vec::new();
            for (worker, pause_ms) in looks {
                now += Duration::from_millis(pause_ms);
                held = Held::next(held, worker, now);
                seen.push((worker, now));
                let same = seen.iter().rev().take_while(|(other, _)| *other == worker);
                let since = same.map(|(_, at)| *at).last();
                let may_judge = worker.is_some() && since.is_some_and(|since| now - since >= RETURN);
                prop_assert_eq!(held.is_some_and(|held| held.may_judge(now)), may_judge);
            }
        }
    }

    #[test]
    fn attempts_stop_before_the_lease_can_have_run_out() {
        let sent = Instant::now();
        let lease = Lease::extended(sent);
        let check = |seconds: u64| lease.holds(sent + Duration::from_secs(seconds));
        assert_eq!([0, 7, 8, 10].map(check), [true, true, false, false]);
        assert!(HEARTBEAT * 3 < LEASE - MARGIN, "some beats can be lost");
    }

    #[test]
    fn others_are_found_lost_only_by_who_has_had_a_lease_for_long_enough() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let held = Held::next(None, Some(1), at(0));
        let held_on = Held::next(held, Some(1), at(2));
        assert_eq!(held_on, held);
        assert!(!held_on.unwrap().may_judge(at(2)));
        assert!(held_on.unwrap().may_judge(at(3)));
        let anew = Held::next(held_on, Some(2), at(4)).unwrap();
        assert!(!anew.may_judge(at(6)));
        assert_eq!(Held::next(held_on, None, at(4)), None);
    }
}
