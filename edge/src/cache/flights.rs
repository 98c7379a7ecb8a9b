//! All flights of one place where requests meet, within bounds: every key that somebody
//! misses makes one, and anyone can make up keys.

use std::collections::HashMap;

use crate::cache::flight::Flight;
use crate::time::Timestamp;

/// Most flights. With 200 bytes each that is a megabyte; and a place has one key in 256 of
/// its data centre, so it takes a million keys in the air to fill it.
const FLIGHTS_MAX: usize = 4_096;

/// Flights by their keys, each with what its place knows of it.
#[derive(Debug)]
pub struct Flights<T>(HashMap<String, Flying<T>>);

/// One of them.
#[derive(Debug, Default)]
pub struct Flying<T> {
    /// What is decided by.
    pub flight: Flight,
    /// Of its place.
    pub known: T,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Default> Flights<T> {
    /// The flight about a key, begun if there is none. `None`: there are too many, so this
    /// one has nobody to meet.
    pub fn get(&mut self, key: &str, now: Timestamp) -> Option<&mut Flying<T>> {
        if !self.0.contains_key(key) {
            if self.0.len() >= FLIGHTS_MAX {
                self.0.retain(|_, flying| !flying.flight.is_over(now));
            }
            if self.0.len() >= FLIGHTS_MAX {
                return None;
            }
        }
        Some(self.0.entry(key.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::flight::Role;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn there_are_never_too_many_and_those_that_are_over_make_room() {
        let mut flights = Flights::<()>::default();
        for n in 0..FLIGHTS_MAX {
            let flying = flights.get(&n.to_string(), ms(1_000)).unwrap();
            assert!(matches!(flying.flight.join(0, ms(1_000)), Role::Leader { .. }));
        }
        assert!(flights.get("one more", ms(2_000)).is_none());
        assert!(flights.get("7", ms(2_000)).is_some());
        // The leases have run out.
        assert!(flights.get("one more", ms(4_000)).is_some());
        assert_eq!(flights.0.len(), 1);
    }
}
