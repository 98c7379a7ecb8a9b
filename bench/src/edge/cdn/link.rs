//! What distance does to bytes: a round trip for each request, and so many bits a second
//! for what comes back. Moments are told as the time since any beginning.

use std::time::Duration;

/// A link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// To the other end and back.
    pub(super) round_trip: Duration,
    /// What comes back; `None` where there is no limit.
    pub(super) bits_per_second: Option<u64>,
}

impl Link {
    /// Changes nothing.
    pub(super) const NONE: Self = Self { round_trip: Duration::ZERO, bits_per_second: None };

    /// Time that so many bytes take to come through.
    fn time_of(self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        match self.bits_per_second {
            Some(rate) => Duration::from_nanos(bits.saturating_mul(1_000_000_000) / rate.max(1)),
            None => Duration::ZERO,
        }
    }
}

/// What comes back over a link, on all of its connections: one byte after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Downstream {
    link: Link,
    free_at: Duration,
}

impl Downstream {
    pub(super) fn new(link: Link) -> Self {
        Self { link, free_at: Duration::ZERO }
    }

    /// When so many bytes have come through that were sent `now`.
    pub(super) fn pass(&mut self, now: Duration, bytes: usize) -> Duration {
        self.free_at = self.free_at.max(now) + self.link.time_of(bytes);
        self.free_at
    }
}

/// Whose turn it is on a connection: what begins a request is delayed by a round trip, the rest
/// of it comes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    round_trip: Duration,
    is_asked: bool,
}

impl Turns {
    pub(super) fn new(link: Link) -> Self {
        Self { round_trip: link.round_trip, is_asked: false }
    }

    /// Something of a request has come: how long it is held.
    pub(super) fn asked(&mut self) -> Duration {
        if std::mem::replace(&mut self.is_asked, true) { Duration::ZERO } else { self.round_trip }
    }

    /// Something of an answer has come.
    pub(super) fn answered(&mut self) {
        self.is_asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Link = Link { round_trip: ms(200), bits_per_second: Some(2_000_000) };

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn half_a_megabyte_takes_two_seconds_at_two_megabits() {
        assert_eq!(Downstream::new(FAR).pass(ms(0), 500_000), ms(2_000));
        assert_eq!(Downstream::new(Link::NONE).pass(ms(7), 500_000), ms(7));
    }

    #[test]
    fn what_comes_at_the_same_time_comes_through_one_after_the_other() {
        let mut downstream = Downstream::new(FAR);
        let through: Vec<_> = [(0, 250), (0, 250), (1, 500), (100, 250)]
            .map(|(now, bytes)| downstream.pass(ms(now), bytes))
            .into();
        assert_eq!(through, [ms(1), ms(2), ms(4), ms(101)]);
    }

    #[test]
    fn cutting_it_up_makes_nothing_slower() {
        let mut downstream = Downstream::new(FAR);
        let last = (0..500).map(|_| downstream.pass(ms(0), 1_000)).last();
        assert_eq!(last, Some(ms(2_000)));
    }

    #[test]
    fn a_round_trip_is_added_once_for_a_request_and_its_answer() {
        let mut turns = Turns::new(FAR);
        assert_eq!([turns.asked(), turns.asked()], [ms(200), ms(0)]);
        turns.answered();
        turns.answered();
        assert_eq!([turns.asked(), turns.asked()], [ms(200), ms(0)]);
    }
}
