//! Whose request it is, by address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::HeaderName;

/// Bits of an IPv6 address that tell one customer of a provider from another.
const IPV6_PREFIX_BITS: u32 = 64;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// How a client's address is known.
#[derive(Clone, Debug, Default)]
pub struct ClientAddress {
    /// The field in which a proxy in front says it. Whoever else can reach this server could
    /// say anything in it.
    pub told_in: Option<HeaderName>,
}

impl ClientAddress {
    /// A name for the client: one for each address, or for each network of IPv6, of which
    /// a customer has whole ones.
    pub(super) fn name(&self, request: &HeaderMap, peer: Option<Peer>) -> String {
        let told = self.told_in.as_ref().and_then(|field| {
            // Of several proxies the nearest wrote the last.
            let value = request.get_all(field).iter().next_back()?.to_str().ok()?;
            value.rsplit(',').next()?.trim().parse().ok()
        });
        match told.or(peer.map(|Peer(peer)| peer.ip())).map(|address: IpAddr| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let network = address.to_bits() & (u128::MAX << (u128::BITS - IPV6_PREFIX_BITS));
                format!("{}/{IPV6_PREFIX_BITS}", Ipv6Addr::from_bits(network))
            }
            None => "unknown".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const FIELD: HeaderName = HeaderName::from_static("x-forwarded-for");

    fn check(told_in: Option<HeaderName>, told: &'static str, peer: Option<&str>, expected: &str) {
        let request = HeaderMap::from_iter([(FIELD, HeaderValue::from_static(told))]);
        let peer = peer.map(|peer| Peer(peer.parse().unwrap()));
        assert_eq!(ClientAddress { told_in }.name(&request, peer), expected, "{told}");
    }

    #[test]
    fn what_a_request_says_counts_only_where_a_proxy_says_it() {
        check(None, "203.0.113.9", Some("127.0.0.1:1"), "127.0.0.1");
        check(Some(FIELD), "203.0.113.9", Some("127.0.0.1:1"), "203.0.113.9");
        check(Some(FIELD), "198.51.100.1, 203.0.113.9", Some("127.0.0.1:1"), "203.0.113.9");
        check(Some(FIELD), "nonsense", Some("127.0.0.1:1"), "127.0.0.1");
        check(None, "203.0.113.9", None, "unknown");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        check(Some(FIELD), "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64");
        check(Some(FIELD), "2001:db8:1:2::1", None, "2001:db8:1:2::/64");
        check(Some(FIELD), "::ffff:203.0.113.9", None, "203.0.113.9");
    }

    proptest! {
        #[test]
        fn however_a_client_is_told_its_name_is_an_address_or_a_network(
            told in "([0-9a-f]{0,4}|:|::|\\.|,|%|\\[|\\]|/| |\t|é){0,14}",
        ) {
            let request = HeaderMap::from_iter([(FIELD, HeaderValue::from_bytes(told.as_bytes()).unwrap())]);
            let name = ClientAddress { told_in: Some(FIELD) }.name(&request, None);
            let address = name.strip_suffix("/64").unwrap_or(&name);
            prop_assert!(name == "unknown" || address.parse::<IpAddr>().is_ok(), "{name}");
        }
    }
}
