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
    use super::*;

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
