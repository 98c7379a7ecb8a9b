//! Which addresses are out in the world. Pure.
//!
//! By the registries of special-purpose addresses (RFC 6890, and IANA's registries since). What
//! isn't known to be public isn't: of IPv6 that is all but 2000::/3.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are for a purpose of their own: base, bits of the prefix.
const V4_SPECIAL: [(Ipv4Addr, u32); 15] = [
    // This network.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Private.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared behind a provider's NAT.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // This machine.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // This link, and with it the metadata of clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private.
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocols.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays of 6to4, which are no more.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private.
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks within 2000::/3 that are for a purpose of their own.
const V6_SPECIAL: [(Ipv6Addr, u32); 3] = [
    // Protocols: Teredo, benchmarks, ORCHID and others.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

const V6_GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Addresses of IPv4 in another form: the network, and where the address begins in it.
const V4_IN_V6: [(Ipv6Addr, u32, u32); 3] = [
    // IPv4-mapped (RFC 4291, section 2.5.5.2).
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 96),
    // Translated (RFC 6052, section 2.1).
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, 96),
    // 6to4 (RFC 3056).
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 16),
];

/// Whether anybody in the world may be reached at this address, and nobody at home.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(base, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ base.to_bits()) >> (32 - bits) == 0;
    !V4_SPECIAL.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_in = |base: Ipv6Addr, bits: u32| (address.to_bits() ^ base.to_bits()) >> (128 - bits) == 0;
    if let Some((_, _, begin)) = V4_IN_V6.iter().find(|(base, bits, _)| is_in(*base, *bits)) {
        // Exactly the 32 bits that are an address of IPv4.
        let embedded = (address.to_bits() << begin) >> 96;
        return u32::try_from(embedded).is_ok_and(|bits| is_public_v4(Ipv4Addr::from_bits(bits)));
    }
    is_in(V6_GLOBAL.0, V6_GLOBAL.1) && !V6_SPECIAL.iter().any(|(base, bits)| is_in(*base, *bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(addresses: &[&str], expected: bool) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_at_home_is_not_public() {
        check(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "0.255.255.255", // this network
                "10.0.0.0",
                "10.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "100.64.0.0",
                "100.127.255.255", // behind a provider's NAT
                "127.0.0.1",
                "127.255.255.255",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.255.255",
                "192.0.0.0",
                "192.0.0.170",
                "192.0.0.255",
                "192.88.99.1",
                "192.0.2.1",
                "198.51.100.1",
                "203.0.113.255", // documentation
                "198.18.0.0",
                "198.19.255.255", // benchmarks
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.0",
                "255.255.255.254",
                "255.255.255.255",
            ],
            false,
        );
    }

    #[test]
    fn what_is_beside_it_is_public() {
        check(
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "191.255.255.255",
                "192.0.1.0",
                "192.0.3.0",
                "192.88.98.255",
                "192.88.100.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "198.51.99.255",
                "198.51.101.0",
                "203.0.112.255",
                "203.0.114.0",
                "223.255.255.255",
                "8.8.8.8",
            ],
            true,
        );
    }

    #[test]
    fn of_ipv6_the_global_addresses_are_public_and_nothing_else() {
        check(
            &[
                "::",
                "::1", // unspecified, this machine
                "fc00::1",
                "fd12:3456::1",
                "fe80::1",
                "febf::1",
                "fec0::1", // private, link, site
                "ff02::1",
                "ff0e::1", // multicast
                "100::1",
                "100:0:0:1::1",
                "5f00::1",
                "4000::1",
                "1fff::1", // discarded, routing, nobody's
                "2001::1",
                "2001:1::1",
                "2001:2::1",
                "2001:10::1",
                "2001:20::1",
                "2001:1ff::1", // protocols
                "2001:db8::1",
                "2001:db8:ffff::1",
                "3fff::1",
                "3fff:fff::1", // documentation
                "64:ff9b:1::1",
                "64:ff9b:1:0:0:0:8.8.8.8", // translation at home
            ],
            false,
        );
        check(
            &[
                "2000::1",
                "2001:200::1",
                "2001:4860:4860::8888",
                "2001:db7::1",
                "2001:db9::1",
                "2606:4700::1111",
                "3ffe::1",
                "3fff:1000::1",
            ],
            true,
        );
    }

    #[test]
    fn an_address_of_ipv4_is_the_same_in_any_form() {
        for (v4, public) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("169.254.169.254", false),
            ("192.168.1.1", false),
            ("0.0.0.0", false),
            ("8.8.8.8", true),
            ("93.184.216.34", true),
        ] {
            let octets = v4.parse::<Ipv4Addr>().unwrap().octets();
            let [a, b] = [[octets[0], octets[1]], [octets[2], octets[3]]].map(u16::from_be_bytes);
            let forms = [
                format!("::ffff:{v4}"),
                format!("64:ff9b::{v4}"),
                format!("2002:{a:x}:{b:x}::1"),
                format!("2002:{a:x}:{b:x}:ffff:ffff:ffff:ffff:ffff"),
            ];
            check(&forms.each_ref().map(String::as_str), public);
            // The form that is no more (RFC 4291, section 2.5.5.1) is nobody's.
            check(&[&format!("::{v4}")], false);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_public_that_is_known_as_something_else(
            first in prop::sample::select(vec![0_u8, 8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255]),
            second in prop::sample::select(vec![0_u8, 16, 18, 51, 64, 88, 168, 254, 255]),
            rest: [u8; 2],
            network in prop::sample::select(vec![0_u16, 0x64, 0x2001, 0x2002, 0x3fff, 0xfc00, 0xfe80, 0xff02]),
            segments: [u16; 7],
        ) {
            let v4 = Ipv4Addr::new(first, second, rest[0], rest[1]);
            let is_known = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast();
            let is_known = is_known || v4.is_documentation() || v4.is_multicast() || v4.is_unspecified();
            prop_assert!(!is_known || !is_public(v4.into()), "{v4}");
            prop_assert_eq!(is_public(v4.to_ipv6_mapped().into()), is_public(v4.into()));
            let [b, c, d, e, f, g, h] = segments;
            let v6 = Ipv6Addr::new(network, b, c, d, e, f, g, h);
            let is_known = v6.is_loopback() || v6.is_unspecified() || v6.is_multicast();
            let is_known = is_known || v6.is_unique_local() || v6.is_unicast_link_local();
            prop_assert!(!is_known || !is_public(v6.into()), "{v6}");
        }
    }
}
