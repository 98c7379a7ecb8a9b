//! How long a replica has been behind.
//!
//! Bytes alone mistake a busy second for trouble, and the time since the last
//! replayed transaction grows on an idle system. So the end of the primary's log
//! is remembered with the moment it was seen there: a replica has been behind
//! since the log first went past what it has replayed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::lsn::Lsn;

/// A replica that is behind by more than this (one segment of the log) *and* by
/// more than [`LAG_TIME_MAX`] serves no reads.
pub(super) const LAG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// See [`LAG_BYTES_MAX`].
pub(super) const LAG_TIME_MAX: Duration = Duration::from_secs(10);

/// Least time between two moments that are remembered.
const GRAIN: Duration = Duration::from_millis(250);
/// Moments that are remembered: a minute of them, six times what has to be told apart.
const MOMENTS_MAX: usize = 240;

/// Where the end of the primary's log was, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct LogEnd {
    /// In order of time and of position.
    moments: VecDeque<(Instant, Lsn)>,
    latest: Option<Lsn>,
}

impl LogEnd {
    /// The primary's log ended at `end`, `now`.
    pub(super) fn saw(&mut self, end: Lsn, now: Instant) {
        if self.latest.is_some_and(|latest| end <= latest) {
            return;
        }
        self.latest = Some(end);
        if self.moments.back().is_some_and(|(at, _)| now.saturating_duration_since(*at) < GRAIN) {
            return;
        }
        if self.moments.len() == MOMENTS_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back((now, end));
    }

    /// The last end that was seen.
    pub(super) fn latest(&self) -> Option<Lsn> {
        self.latest
    }

    /// Another primary's log goes on from elsewhere.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether a replica that has replayed up to `replayed` is too far behind to serve.
    pub(super) fn is_lagging(&self, replayed: Lsn, now: Instant) -> bool {
        let bytes = self.latest.map_or(0, |latest| latest.bytes_since(replayed));
        bytes > LAG_BYTES_MAX && self.behind_for(replayed, now) > LAG_TIME_MAX
    }

    /// How long ago the log went past `replayed`, to within [`GRAIN`].
    fn behind_for(&self, replayed: Lsn, now: Instant) -> Duration {
        let first_past = self.moments.partition_point(|(_, end)| *end <= replayed);
        self.moments.get(first_past).map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A log that grows by `mib_per_s` for `seconds`, looked at ten times a second.
    fn grown(start: Instant, seconds: u64, mib_per_s: u64) -> LogEnd {
        let mut log = LogEnd::default();
        for tenth in 0..=seconds * 10 {
            let now = start + Duration::from_millis(tenth * 100);
            log.saw(Lsn::new(tenth * mib_per_s * MIB / 10), now);
        }
        log
    }

    fn check(log: &LogEnd, replayed_mib: u64, now: Instant, lagging: bool) {
        assert_eq!(log.is_lagging(Lsn::new(replayed_mib * MIB), now), lagging, "at {replayed_mib} MiB");
    }

    #[test]
    fn a_replica_behind_in_bytes_and_in_time_is_lagging() {
        let start = Instant::now();
        let log = grown(start, 20, 10);
        let now = start + Duration::from_secs(20);
        check(&log, 0, now, true);
        check(&log, 90, now, true);
        check(&log, 110, now, false);
        check(&log, 200, now, false);
        check(&log, 900, now, false);
    }

    #[test]
    fn bytes_of_the_last_seconds_are_not_lag_yet() {
        let start = Instant::now();
        let log = grown(start, 5, 100);
        check(&log, 0, start + Duration::from_secs(5), false);
        check(&log, 0, start + Duration::from_secs(11), true);
    }

    #[test]
    fn time_without_bytes_is_no_lag() {
        let start = Instant::now();
        let log = grown(start, 1, 10);
        check(&log, 10, start + Duration::from_secs(3_600), false);
        check(&log, 9, start + Duration::from_secs(3_600), false);
    }

    #[test]
    fn without_a_primary_nobody_is_lagging() {
        check(&LogEnd::default(), 0, Instant::now(), false);
    }

    #[test]
    fn memory_is_bounded() {
        let log = grown(Instant::now(), 600, 1);
        assert_eq!(log.moments.len(), MOMENTS_MAX);
        assert_eq!(log.latest(), Some(Lsn::new(600 * MIB)));
    }
}
