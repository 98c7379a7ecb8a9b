//! The names of cache groups (RFC 9875) as they travel.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What structured fields can't carry in a String: control characters (and what
/// is not ASCII, which is always encoded); and the sign of the encoding itself.
const NOT_IN_GROUPS: &AsciiSet = &CONTROLS.add(b'%');

/// The name as fields can carry it: `topic:bücher` is `topic:b%C3%BCcher`. Groups are
/// compared exactly, so it must be the same wherever the group is named.
pub(crate) fn encode(group: &str) -> String {
    utf8_percent_encode(group, NOT_IN_GROUPS).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fields_can_not_carry_is_encoded_and_stays_distinct() {
        assert_eq!(encode(r#"garden "tools""#), r#"garden "tools""#);
        assert_eq!(encode("bücher"), "b%C3%BCcher");
        assert_eq!(encode("b%C3%BCcher"), "b%25C3%25BCcher");
        assert_eq!(encode("a\r\nb"), "a%0D%0Ab");
    }

    proptest! {
        #[test]
        fn whatever_a_group_is_called_it_fits_a_field_and_is_known_again(
            group in "(\\PC|\r|\n|\0|%|\"|\\\\){0,16}",
        ) {
            let encoded = encode(&group);
            prop_assert!(encoded.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{encoded}");
            prop_assert_eq!(percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap(), group);
        }
    }
}
