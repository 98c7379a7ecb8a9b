//! How often each client was refused lately, so that nobody tries tokens by the
//! thousand, nor makes others wait by it.
//!
//! A token bucket for each client: a refusal takes one, and they come back with time. Who
//! has none left isn't heard at all until one is back, whatever it says: else it could
//! still find out which token is right.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::HashMap;
use std::time::Duration;

use crate::time::Timestamp;

/// Refusals in a row until a client isn't heard any more.
const BURST: u64 = 20;
/// Time after which a client may be refused once more.
const EACH: Duration = Duration::from_millis(200);
/// Most clients that are remembered; beyond it the one refused longest ago is forgotten.
const CLIENTS_MAX: usize = 1_024;

/// Who is told apart from whom: an address of IPv4, or a network of IPv6, as whoever has
/// one address there has all of its 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address, or the first of a network.
    Network(IpAddr),
    /// Whoever the platform doesn't name.
    Unknown,
}

impl Client {
    /// The client whose address this is, where the platform tells it.
    pub fn at(address: Option<IpAddr>) -> Self {
        match address {
            Some(IpAddr::V6(address)) => Self::Network(match address.to_ipv4_mapped() {
                Some(address) => address.into(),
                None => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            }),
            Some(address) => Self::Network(address),
            None => Self::Unknown,
        }
    }
}

/// The refusals of one isolate.
#[derive(Debug, Default)]
pub struct Refusals {
    /// For each client when it will have its whole bucket again.
    full_at: HashMap<Client, Timestamp>,
}

impl Refusals {
    /// Whether a client is heard. One that can't be told from others is if it has the right
    /// token: else anyone could keep the origins from being heard.
    pub fn is_heard(&self, client: Client, has_token: bool, now: Timestamp) -> bool {
        let is_anyone = has_token && client == Client::Unknown;
        is_anyone || self.full_at.get(&client).is_none_or(|full_at| full_at.since(now) < EACH * BURST as u32)
    }

    /// Notes that a client was refused.
    pub fn refused(&mut self, client: Client, now: Timestamp) {
        let full_at = self.full_at.get(&client).copied().unwrap_or(now).max(now).after(EACH);
        self.full_at.insert(client, full_at);
        if self.full_at.len() > CLIENTS_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
            let oldest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some((&oldest, _)) = oldest.filter(|_| self.full_at.len() > CLIENTS_MAX) {
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

    fn client(address: &str) -> Client {
        Client::at(Some(address.parse().unwrap()))
    }

    #[test]
    fn a_client_that_was_refused_too_often_is_not_heard_for_a_while() {
        let (a, b) = (client("192.0.2.1"), client("192.0.2.2"));
        let mut refusals = Refusals::default();
        for n in 0..BURST {
            assert!(refusals.is_heard(a, true, ms(1_000)), "{n}");
            refusals.refused(a, ms(1_000));
        }
        assert!(!refusals.is_heard(a, true, ms(1_000)));
        assert!(refusals.is_heard(b, false, ms(1_000)));
        assert!(!refusals.is_heard(a, true, ms(1_000)));
        assert!(refusals.is_heard(a, true, ms(1_200)));
        refusals.refused(a, ms(1_200));
        assert!(!refusals.is_heard(a, true, ms(1_200)));
        assert!(refusals.is_heard(a, true, ms(1_000_000)));
    }

    #[test]
    fn nobody_can_silence_whom_the_platform_does_not_name() {
        let mut refusals = Refusals::default();
        for _ in 0..BURST {
            refusals.refused(Client::Unknown, ms(1_000));
        }
        assert!(!refusals.is_heard(Client::Unknown, false, ms(1_000)));
        assert!(refusals.is_heard(Client::Unknown, true, ms(1_000)));
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6() {
        let same = |one, other| assert_eq!(client(one), client(other));
        let differ = |one, other| assert_ne!(client(one), client(other));
        same("2001:db8::1", "2001:db8::ffff:1:2:3");
        same("::ffff:192.0.2.1", "192.0.2.1");
        differ("2001:db8::1", "2001:db8:0:1::1");
        differ("192.0.2.1", "192.0.2.2");
        differ("::1", "127.0.0.1");
        assert_eq!(Client::at(None), Client::Unknown);
    }

    #[test]
    fn clients_that_are_remembered_are_bounded() {
        let mut refusals = Refusals::default();
        for n in 0..3 * CLIENTS_MAX {
            refusals.refused(client(&format!("10.0.{}.{}", n / 256, n % 256)), ms(1_000));
        }
        assert!(refusals.full_at.len() <= CLIENTS_MAX);
    }
}
