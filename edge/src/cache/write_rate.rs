//! Workers KV takes one write a second to a key:
//! <https://developers.cloudflare.com/kv/platform/limits/>. One that comes sooner
//! would fail, so of those that come in one second the first is written at once, and
//! the last when the second is over; those between are left out.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;

use crate::time::Timestamp;

/// Least time between two writes to one key.
const INTERVAL: Duration = Duration::from_secs(1);

/// Keys that are remembered. An isolate that writes more in a second writes some too
/// soon; those writes fail, which costs speed only.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// When a write is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once.
    Now,
    /// After this time, with what is the newest by then.
    After(Duration),
    /// Not at all: one is waiting that will write what is the newest by then.
    Never,
}

/// When an isolate last wrote, or is going to write, to which keys.
#[derive(Debug)]
pub struct WriteRate(LruCache<String, Timestamp>);

impl Default for WriteRate {
    fn default() -> Self {
        // The bound is kept in `note`: the map would reserve room for all keys.
        Self(LruCache::unbounded())
    }
}

impl WriteRate {
    /// Takes a turn to write to `key`.
    pub fn take(&mut self, key: &str, now: Timestamp) -> Turn {
        // Beyond a clock that was put back nothing is remembered.
        let last = self.0.get(key).copied().filter(|last| *last <= now.after(INTERVAL));
        let turn = match last {
            Some(last) if last > now => Turn::Never,
            Some(last) if now.since(last) < INTERVAL => Turn::After(INTERVAL - now.since(last)),
            _ => Turn::Now,
        };
        match turn {
            Turn::Now => self.note(key, now),
            Turn::After(wait) => self.note(key, now.after(wait)),
            Turn::Never => {}
        }
        turn
    }

    /// Something was written to `key`, or removed, without asking.
    pub fn note(&mut self, key: &str, at: Timestamp) {
        self.0.put(key.to_owned(), at);
        while self.0.len() > KEYS_MAX.get() {
            self.0.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn after(ms: u64) -> Turn {
        Turn::After(Duration::from_millis(ms))
    }

    #[test]
    fn of_many_writes_in_a_second_the_first_and_the_last_are_made() {
        let mut rate = WriteRate::default();
        assert_eq!(rate.take("a", at(5_000)), Turn::Now);
        assert_eq!(rate.take("a", at(5_300)), after(700));
        assert_eq!(rate.take("a", at(5_301)), Turn::Never);
        assert_eq!(rate.take("a", at(5_999)), Turn::Never);
        // Written at 6,000 as announced.
        assert_eq!(rate.take("a", at(6_000)), after(1_000));
        assert_eq!(rate.take("b", at(6_000)), Turn::Now);
        assert_eq!(rate.take("a", at(8_000)), Turn::Now);
    }

    #[test]
    fn a_removal_counts_as_a_write() {
        let mut rate = WriteRate::default();
        rate.note("a", at(5_000));
        assert_eq!(rate.take("a", at(5_100)), after(900));
    }

    #[test]
    fn a_clock_that_was_put_back_stops_nothing() {
        let mut rate = WriteRate::default();
        assert_eq!(rate.take("a", at(9_000_000)), Turn::Now);
        assert_eq!(rate.take("a", at(1_000)), Turn::Now);
    }

    #[test]
    fn no_more_keys_are_remembered_than_there_is_room_for() {
        let mut rate = WriteRate::default();
        for key in 0..KEYS_MAX.get() + 10 {
            rate.note(&key.to_string(), at(0));
        }
        assert_eq!(rate.0.len(), KEYS_MAX.get());
        assert_eq!(rate.take("0", at(1)), Turn::Now);
    }

    proptest! {
        #[test]
        fn two_writes_to_a_key_are_a_second_apart(waits in prop::collection::vec(0..700_u64, 0..50)) {
            let (mut rate, mut now, mut written) = (WriteRate::default(), at(0), Vec::new());
            for wait in waits {
                now = now.after(Duration::from_millis(wait));
                match rate.take("a", now) {
                    Turn::Now => written.push(now),
                    Turn::After(wait) => written.push(now.after(wait)),
                    Turn::Never => prop_assert!(written.last().is_some_and(|last| *last > now)),
                }
            }
            for pair in written.windows(2) {
                prop_assert!(pair[1].since(pair[0]) >= INTERVAL);
            }
        }
    }
}
