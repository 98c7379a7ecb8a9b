//! How often each client was refused lately, so that nobody tries tokens by the
//! thousand, nor makes others wait by it.
//!
//! A token bucket for each address: a refusal takes one, and they come back with time.
//! Who has none left isn't heard at all until one is back.

use std::collections::HashMap;
use std::time::Duration;

use crate::time::Timestamp;

/// Refusals in a row until a client isn't heard any more.
const BURST: u64 = 20;
/// Time after which a client may be refused once more.
const EACH: Duration = Duration::from_millis(200);
/// Most clients that are remembered; beyond it the one refused longest ago is forgotten.
const CLIENTS_MAX: usize = 1_024;

/// The refusals of one isolate.
#[derive(Debug, Default)]
pub struct Refusals {
    /// For each client when it will have its whole bucket again.
    full_at: HashMap<String, Timestamp>,
}

impl Refusals {
    /// Whether a client is heard.
    pub fn is_heard(&self, client: &str, now: Timestamp) -> bool {
        self.full_at.get(client).is_none_or(|full_at| full_at.since(now) < EACH * BURST as u32)
    }

    /// Notes that a client was refused.
    pub fn refused(&mut self, client: &str, now: Timestamp) {
        let full_at = self.full_at.get(client).copied().unwrap_or(now).max(now).after(EACH);
        self.full_at.insert(client.to_owned(), full_at);
        if self.full_at.len() > CLIENTS_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
            let oldest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some(oldest) = oldest.filter(|_| self.full_at.len() > CLIENTS_MAX) {
                let oldest = oldest.0.clone();
                self.full_at.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_client_that_was_refused_too_often_is_not_heard_for_a_while() {
        let mut refusals = Refusals::default();
        for n in 0..BURST {
            assert!(refusals.is_heard("a", ms(1_000)), "{n}");
            refusals.refused("a", ms(1_000));
        }
        assert!(!refusals.is_heard("a", ms(1_000)));
        assert!(refusals.is_heard("b", ms(1_000)));
        assert!(!refusals.is_heard("a", ms(1_000)));
        assert!(refusals.is_heard("a", ms(1_200)));
        refusals.refused("a", ms(1_200));
        assert!(!refusals.is_heard("a", ms(1_200)));
        assert!(refusals.is_heard("a", ms(1_000_000)));
    }

    #[test]
    fn clients_that_are_remembered_are_bounded() {
        let mut refusals = Refusals::default();
        for n in 0..3 * CLIENTS_MAX {
            refusals.refused(&n.to_string(), ms(1_000));
        }
        assert!(refusals.full_at.len() <= CLIENTS_MAX);
    }
}
