//! Collapsing: several requests that miss the same response make one request to the
//! origins (RFC 9111, section 4; RFC 9211, section 2.6).
//!
//! A flight is what is done about one key, as the object knows that they all ask:
//!
//! - The first to join leads: it asks an origin, and lands with an outcome.
//! - Who joins while a leader's lease runs waits.
//! - *Filled*: all who wait, and all who join shortly after, get what was stored, and
//!   judge it for themselves (S7). Who refuses it says so, and joins the next flight.
//! - *Failed*: the next to join leads, one of those who wait.
//! - *Origin failed*: who waits, and who joins shortly after, may use what it has for such a
//!   case; who has nothing says so, and the next leads.
//! - *Unstorable*: all go alone, and so does who joins for a while.
//! - A leader that doesn't land within its lease is given up, and the next to join leads.

use std::time::Duration;

use crate::time::Timestamp;

/// Time that a leader has until another is made, who asks an origin as well. Most
/// answers are there sooner; that a slow one is asked for twice is the price for that
/// nobody waits long for a leader that is dead.
pub const LEASE: Duration = Duration::from_secs(3);

/// For how long what was filled is handed to those who join: they had looked in the
/// store before it was there.
const FILLED_TOLD_FOR: Duration = Duration::from_secs(2);

/// For how long it is told that the origins failed: those who may use what is stale then
/// need not find out one by one.
const FAILURE_TOLD_FOR: Duration = Duration::from_secs(1);

/// For how long nobody is made to wait for what proved unstorable.
pub const ALONE_FOR: Duration = Duration::from_secs(30);

/// How a leader lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is stored, and fresh.
    Filled,
    /// The answer isn't for others.
    Unstorable,
    /// There is no answer, or none that counts.
    Failed,
    /// The origins failed, and a stale copy was used.
    OriginFailed,
}

/// What someone who joins has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ask an origin, and land with this number.
    Leader {
        /// Which flight it is: numbers rise.
        generation: u64,
    },
    /// Wait for the leader, at most until then; and join again.
    Waiter {
        /// When the lease ends.
        until: Timestamp,
    },
    /// Take what was stored.
    Landed {
        /// By which flight.
        generation: u64,
    },
    /// Use what may be used where the origins fail.
    OriginFailed {
        /// Which flight found out.
        generation: u64,
    },
    /// Ask an origin, and tell nobody.
    Alone,
}

/// All that is known of one key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flight {
    /// The latest leader's number.
    generation: u64,
    lease_until: Option<Timestamp>,
    landed: Option<(u64, Outcome, Timestamp)>,
}

impl Flight {
    /// Someone asks. `refused` is the number of the flight whose result it couldn't use;
    /// 0 at first.
    pub fn join(&mut self, refused: u64, now: Timestamp) -> Role {
        match self.landed {
            Some((generation, Outcome::Filled, at))
                if generation > refused && now.since(at) < FILLED_TOLD_FOR =>
            {
                return Role::Landed { generation };
            }
            Some((generation, Outcome::OriginFailed, at))
                if generation > refused && now.since(at) < FAILURE_TOLD_FOR =>
            {
                return Role::OriginFailed { generation };
            }
            Some((_, Outcome::Unstorable, at)) if now.since(at) < ALONE_FOR => return Role::Alone,
            _ => {}
        }
        if let Some(until) = self.lease_until.filter(|until| *until > now) {
            return Role::Waiter { until };
        }
        self.generation += 1;
        self.lease_until = Some(now.after(LEASE));
        Role::Leader { generation: self.generation }
    }

    /// A leader is back. One whose lease ran out meanwhile brings something, too. `false`:
    /// a later one was faster.
    pub fn land(&mut self, generation: u64, outcome: Outcome, now: Timestamp) -> bool {
        let is_news = self.landed.is_none_or(|(landed, _, _)| landed < generation);
        if generation > self.generation || !is_news {
            return false;
        }
        if generation == self.generation {
            self.lease_until = None;
        }
        self.landed = Some((generation, outcome, now));
        true
    }

    /// Whether nothing would be lost with it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let told_for = match self.landed {
            Some((_, Outcome::Unstorable, at)) => now.since(at) < ALONE_FOR,
            Some((_, _, at)) => now.since(at) < FILLED_TOLD_FOR,
            None => false,
        };
        !told_for && self.lease_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: fn(u64) -> Role = |generation| Role::Leader { generation };

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn the_first_leads_and_the_others_wait() {
        let mut flight = Flight::default();
        assert_eq!(flight.join(0, ms(0)), LEADER(1));
        for _ in 0..3 {
            assert_eq!(flight.join(0, ms(10)), Role::Waiter { until: ms(3_000) });
        }
    }

    #[test]
    fn what_was_filled_is_for_those_who_wait_and_those_who_come_a_little_late() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        assert!(flight.land(1, Outcome::Filled, ms(50)));
        assert_eq!(flight.join(0, ms(60)), Role::Landed { generation: 1 });
        assert_eq!(flight.join(0, ms(2_049)), Role::Landed { generation: 1 });
        assert_eq!(flight.join(0, ms(2_050)), LEADER(2));
    }

    #[test]
    fn who_refuses_what_was_filled_makes_one_new_leader() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        flight.land(1, Outcome::Filled, ms(50));
        assert_eq!(flight.join(1, ms(60)), LEADER(2));
        assert_eq!(flight.join(1, ms(60)), Role::Waiter { until: ms(3_060) });
        // Who has no reason to refuse it still gets the first.
        assert_eq!(flight.join(0, ms(60)), Role::Landed { generation: 1 });
        flight.land(2, Outcome::Filled, ms(90));
        assert_eq!(flight.join(1, ms(91)), Role::Landed { generation: 2 });
    }

    #[test]
    fn a_failure_makes_one_of_those_who_wait_the_leader() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        flight.land(1, Outcome::Failed, ms(50));
        assert_eq!(flight.join(0, ms(50)), LEADER(2));
        assert_eq!(flight.join(0, ms(50)), Role::Waiter { until: ms(3_050) });
    }

    #[test]
    fn that_the_origins_failed_is_told_for_a_moment() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        flight.land(1, Outcome::OriginFailed, ms(50));
        assert_eq!(flight.join(0, ms(60)), Role::OriginFailed { generation: 1 });
        assert_eq!(flight.join(1, ms(60)), LEADER(2));
        assert_eq!(flight.join(0, ms(1_050)), Role::Waiter { until: ms(3_060) });
    }

    #[test]
    fn what_is_unstorable_is_nobodys_to_wait_for_for_a_while() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        flight.land(1, Outcome::Unstorable, ms(50));
        assert_eq!(flight.join(0, ms(60)), Role::Alone);
        assert_eq!(flight.join(0, ms(30_049)), Role::Alone);
        assert_eq!(flight.join(0, ms(30_050)), LEADER(2));
    }

    #[test]
    fn a_leader_that_is_dead_is_followed_by_one() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        assert_eq!(flight.join(0, ms(2_999)), Role::Waiter { until: ms(3_000) });
        assert_eq!(flight.join(0, ms(3_000)), LEADER(2));
        assert_eq!(flight.join(0, ms(3_000)), Role::Waiter { until: ms(6_000) });
    }

    #[test]
    fn a_leader_that_was_given_up_still_brings_something() {
        let mut flight = Flight::default();
        flight.join(0, ms(0));
        flight.join(0, ms(3_000));
        assert!(flight.land(1, Outcome::Filled, ms(3_100)));
        assert_eq!(flight.join(0, ms(3_200)), Role::Landed { generation: 1 });
        assert!(flight.land(2, Outcome::Filled, ms(3_300)));
        assert!(!flight.land(1, Outcome::Failed, ms(3_400)));
        assert!(!flight.land(9, Outcome::Failed, ms(3_400)));
    }

    #[test]
    fn it_is_over_when_nobody_could_learn_from_it() {
        let mut flight = Flight::default();
        assert!(flight.is_over(ms(0)));
        flight.join(0, ms(0));
        assert!(!flight.is_over(ms(2_999)) && flight.is_over(ms(3_000)));
        flight.land(1, Outcome::Filled, ms(100));
        assert!(!flight.is_over(ms(2_099)) && flight.is_over(ms(2_100)));
    }
}
