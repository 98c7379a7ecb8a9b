//! Parts of a representation: RFC 9110, section 14.
//!
//! One range is answered with 206. Several are answered with the whole, which every
//! client must take (section 14.2), and which costs less than to tell them apart.

use std::ops::Range;

/// What of a representation is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These bytes: 206.
    Bytes(Range<u64>),
    /// Nothing, for it has no such bytes: 416.
    Unsatisfiable,
}

/// Reads `bytes=first-last`, `bytes=first-` or `bytes=-length` for a representation of
/// `length` bytes. What can't be read is ignored (section 14.2).
pub fn requested(range: &str, length: u64) -> Part {
    let Some((unit, spec)) = range.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else { return Part::Whole };
    let (first, last) = (first.trim(), last.trim());
    let bytes = match (first.is_empty(), last.is_empty()) {
        (true, true) => return Part::Whole,
        (true, false) => match position(last) {
            // It is satisfiable (section 14.1.2), but `Content-Range` can't say so.
            Some(1..) if length == 0 => return Part::Whole,
            Some(suffix) => length.saturating_sub(suffix)..length,
            None => return Part::Whole,
        },
        (false, true) => match position(first) {
            Some(first) => first..length,
            None => return Part::Whole,
        },
        (false, false) => match (position(first), position(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
            _ => return Part::Whole,
        },
    };
    if bytes.start < bytes.end { Part::Bytes(bytes) } else { Part::Unsatisfiable }
}

/// `Content-Range` of a 206, or of a 416; section 14.4.
pub fn content_range(bytes: Option<&Range<u64>>, length: u64) -> String {
    match bytes {
        // A range that was asked for has at least one byte.
        Some(Range { start, end }) => format!("bytes {start}-{}/{length}", end.saturating_sub(1)),
        None => format!("bytes */{length}"),
    }
}

/// A number of digits alone, however many.
fn position(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(range: &str, length: u64, expected: Part) {
        assert_eq!(requested(range, length), expected, "{range} of {length}");
    }

    #[test]
    fn one_range_is_a_part() {
        check("bytes=0-4", 10, Part::Bytes(0..5));
        check("Bytes = 0-4", 10, Part::Bytes(0..5));
        check("bytes=9-9", 10, Part::Bytes(9..10));
        check("bytes=5-", 10, Part::Bytes(5..10));
        check("bytes=-3", 10, Part::Bytes(7..10));
        check("bytes=-30", 10, Part::Bytes(0..10));
        check("bytes=5-99999999999999999999999", 10, Part::Bytes(5..10));
    }

    #[test]
    fn what_lies_beyond_the_end_is_unsatisfiable() {
        check("bytes=10-", 10, Part::Unsatisfiable);
        check("bytes=10-20", 10, Part::Unsatisfiable);
        check("bytes=99999999999999999999999-", 10, Part::Unsatisfiable);
        check("bytes=-0", 10, Part::Unsatisfiable);
        check("bytes=0-", 0, Part::Unsatisfiable);
        check("bytes=-0", 0, Part::Unsatisfiable);
    }

    #[test]
    fn several_ranges_other_units_and_what_cannot_be_read_are_the_whole() {
        let others =
            ["bytes=0-1,3-4", "bytes=0-1, 3-4", "items=0-1", "bytes", "bytes=", "bytes=-", "bytes=4-3"];
        for range in others.into_iter().chain(["bytes=a-b", "bytes=+1-2", "bytes=1--2", "0-1", ""]) {
            check(range, 10, Part::Whole);
        }
    }

    #[test]
    fn the_end_of_nothing_is_all_of_it() {
        check("bytes=-1", 0, Part::Whole);
        check("bytes=-99999999999999999999999", 0, Part::Whole);
    }

    #[test]
    fn a_part_says_where_it_is_from() {
        assert_eq!(content_range(Some(&(0..5)), 10), "bytes 0-4/10");
        assert_eq!(content_range(None, 10), "bytes */10");
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_whole(bytes: Vec<u8>, spec in "[0-9]{0,3}-[0-9]{0,3}", length in 0_u64..200) {
            for range in [String::from_utf8_lossy(&bytes).into_owned(), format!("bytes={spec}")] {
                if let Part::Bytes(bytes) = requested(&range, length) {
                    prop_assert!(bytes.start < bytes.end && bytes.end <= length);
                }
            }
        }

        #[test]
        fn whatever_is_asked_for_a_part_lies_within_the_whole(
            range in "(bytes|items|=|-|,| |\t|[0-9]{1,22}|\\+|é){0,8}", length: u64,
        ) {
            if let Part::Bytes(bytes) = requested(&range, length) {
                prop_assert!(bytes.start < bytes.end && bytes.end <= length, "{bytes:?}");
            }
        }

        #[test]
        fn what_is_asked_for_is_what_is_said_to_be_sent(first in 0_u64..50, more in 0_u64..50, rest in 0_u64..50) {
            let (last, length) = (first + more, first + more + rest + 1);
            let Part::Bytes(bytes) = requested(&format!("bytes={first}-{last}"), length) else { panic!("no part") };
            prop_assert_eq!(content_range(Some(&bytes), length), format!("bytes {first}-{last}/{length}"));
        }
    }
}
