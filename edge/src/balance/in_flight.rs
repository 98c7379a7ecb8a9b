//! How many requests each origin is working on.
//!
//! A request counts from when it is sent until the response's head arrives. When a
//! client goes away the runtime drops the request without a word, so nobody takes
//! it off the count; but no head is waited for longer than the deadline, so what is
//! older than that can't be waiting any more.

use std::time::Duration;

use crate::time::Timestamp;

/// The requests that wait for an origin's answer.
#[derive(Debug)]
pub struct InFlight {
    deadline: Duration,
    waiting: Vec<(Ticket, usize, Timestamp)>,
    next: u64,
}

/// Identifies a request while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl InFlight {
    /// Requests wait no longer than `deadline`.
    pub fn new(deadline: Duration) -> Self {
        Self { deadline, waiting: Vec::new(), next: 0 }
    }

    /// A request is sent to `origin`.
    pub fn begin(&mut self, origin: usize, now: Timestamp) -> Ticket {
        self.forget_lost(now);
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.push((ticket, origin, now));
        ticket
    }

    /// It was answered, or failed.
    pub fn end(&mut self, ticket: Ticket) {
        self.waiting.retain(|(waiting, ..)| *waiting != ticket);
    }

    /// How many wait for `origin`.
    pub fn count(&mut self, origin: usize, now: Timestamp) -> usize {
        self.forget_lost(now);
        self.waiting.iter().filter(|(_, waiting_for, _)| *waiting_for == origin).count()
    }

    fn forget_lost(&mut self, now: Timestamp) {
        self.waiting.retain(|(.., begun)| now.since(*begun) <= self.deadline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_for_its_origin_until_it_ends() {
        let now = Timestamp::from_millis(0);
        let mut in_flight = InFlight::new(Duration::from_secs(30));
        let first = in_flight.begin(0, now);
        let second = in_flight.begin(0, now);
        in_flight.begin(1, now);
        assert_eq!((in_flight.count(0, now), in_flight.count(1, now)), (2, 1));
        in_flight.end(first);
        assert_eq!(in_flight.count(0, now), 1);
        in_flight.end(second);
        assert_eq!((in_flight.count(0, now), in_flight.count(1, now)), (0, 1));
    }

    #[test]
    fn a_request_that_was_dropped_is_forgotten_after_the_deadline() {
        let mut in_flight = InFlight::new(Duration::from_secs(30));
        in_flight.begin(0, Timestamp::from_millis(0));
        assert_eq!(in_flight.count(0, Timestamp::from_millis(30_000)), 1);
        assert_eq!(in_flight.count(0, Timestamp::from_millis(30_001)), 0);
    }
}
