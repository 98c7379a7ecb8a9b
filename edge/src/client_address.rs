//! The client's address, as the platform tells it in a field of the request.
//!
//! Only where something before the edge writes that field, as Cloudflare does with
//! `CF-Connecting-IP`: elsewhere it is what the client says, who could be anybody. So which
//! field it is stands in the configuration, and where none does nobody knows the address.

use core::net::IpAddr;

use crate::fields::{Fields, is_token};

/// The field that tells the address, in lower case, if one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAddressField(Option<String>);

impl ClientAddressField {
    /// The field of this name, in any case; none where that is empty. `None` where no field
    /// can have such a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" => Some(Self(None)),
            name => is_token(name).then(|| Self(Some(name.to_ascii_lowercase()))),
        }
    }

    /// Whether it is one that Cloudflare writes, so that it stands before this edge.
    pub fn is_cloudflares(&self) -> bool {
        self.0.as_deref().is_some_and(|name| name.starts_with("cf-"))
    }

    /// The address that a request came from. What isn't one address is none.
    pub fn read(&self, request: &Fields) -> Option<IpAddr> {
        request.get(self.0.as_deref()?)?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(field: &str, request: &str) -> Option<String> {
        let field = ClientAddressField::named(field).unwrap();
        field.read(&Fields::from_lines(request)).map(|address| address.to_string())
    }

    #[test]
    fn an_address_is_read_from_the_field_that_is_configured_and_from_no_other() {
        let request = "cf-connecting-ip\n192.0.2.1\nx-real-ip\n192.0.2.2\nx-forwarded-for\n192.0.2.3";
        assert_eq!(read("CF-Connecting-IP", request).as_deref(), Some("192.0.2.1"));
        assert_eq!(read("x-real-ip", request).as_deref(), Some("192.0.2.2"));
        assert_eq!(read("", request), None);
        assert_eq!(ClientAddressField::default().read(&Fields::from_lines(request)), None);
        assert_eq!(read("true-client-ip", request), None);
    }

    #[test]
    fn cloudflare_stands_before_an_edge_that_goes_by_a_field_of_its() {
        for (name, is_cloudflares) in [("CF-Connecting-IP", true), ("x-real-ip", false), ("", false)] {
            assert_eq!(ClientAddressField::named(name).unwrap().is_cloudflares(), is_cloudflares, "{name}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_taken_for_one() {
        for value in ["", "unknown", "<script>", "192.0.2.1, 192.0.2.2", "192.0.2.1:80", "[::1]"] {
            assert_eq!(read("x-real-ip", &format!("x-real-ip\n{value}")), None, "{value}");
        }
        assert_eq!(read("x-real-ip", "x-real-ip\n2001:DB8::01 ").as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn a_name_that_no_field_has_is_refused() {
        assert_eq!(ClientAddressField::named("x real ip"), None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_one_address_comes_of_it_or_none(
            value in "([0-9a-f]{0,4}|:|::|\\.|%|\\[|\\]|,|/| |é){0,14}",
        ) {
            if let Some(address) = read("x-real-ip", &format!("x-real-ip\n{value}")) {
                prop_assert_eq!(read("x-real-ip", &format!("x-real-ip\n{address}")), Some(address));
            }
        }

        #[test]
        fn only_a_field_has_a_name(name in "([a-zA-Z-]|_| |:|\r|\n|\0|é){0,8}") {
            let is_name = name.is_empty() || is_token(&name);
            prop_assert_eq!(ClientAddressField::named(&name).is_some(), is_name);
        }
    }
}
