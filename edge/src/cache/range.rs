//! Parts of a stored response: RFC 9110, section 14.
//!
//! One range is answered with 206. Several are answered with the whole, which every
//! client must take (section 14.2), and which costs less than to tell them apart.

use std::ops::Range;

use crate::cache::age::date;
use crate::cache::entity_tag::strongly_equal;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Fields that ask for a part of a response.
pub const RANGE_FIELDS: [&str; 2] = ["range", "if-range"];

/// What of a response is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// These bytes: 206.
    Bytes(Range<usize>),
    /// Nothing, for it has no such bytes: 416.
    Unsatisfiable,
}

/// What a GET asks of a 200 whose body has `length` bytes.
pub fn part(request: &Fields, response: &Fields, length: usize) -> Part {
    match request.get("range") {
        Some(range) if is_unchanged(request.get("if-range"), response) => requested(range, length),
        _ => Part::Whole,
    }
}

/// `Content-Range` of a 206, or of a 416; section 14.4.
pub fn content_range(bytes: Option<&Range<usize>>, length: usize) -> String {
    match bytes {
        // A range that was asked for has at least one byte.
        Some(Range { start, end }) => format!("bytes {start}-{}/{length}", end.saturating_sub(1)),
        None => format!("bytes */{length}"),
    }
}

/// `If-Range` (section 13.1.5): whether the client's part is one of this response.
/// Without the field it is.
fn is_unchanged(if_range: Option<&str>, response: &Fields) -> bool {
    let Some(condition) = if_range.map(str::trim) else { return true };
    if condition.starts_with(['"', 'W']) && condition.ends_with('"') {
        return response.get("etag").is_some_and(|etag| strongly_equal(condition, etag));
    }
    let (Some(since), Some(modified)) = (
        Timestamp::from_http_date(condition),
        response.get("last-modified").and_then(Timestamp::from_http_date),
    ) else {
        return false;
    };
    // A date says nothing of a second change within its second (section 8.8.2.2).
    let is_strong = date(response).is_some_and(|date| date.since(modified).as_secs() >= 1);
    since == modified && is_strong
}

/// Reads `bytes=first-last`, `bytes=first-` or `bytes=-length`. What can't be read
/// is ignored (section 14.2).
fn requested(range: &str, length: usize) -> Part {
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

/// A number of digits alone, however many.
fn position(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(range: &str, length: usize, expected: Part) {
        let request = Fields::from_lines(&format!("range\n{range}"));
        assert_eq!(part(&request, &Fields::default(), length), expected, "{range} of {length}");
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
        assert_eq!(part(&Fields::default(), &Fields::default(), 10), Part::Whole);
    }

    #[test]
    fn the_end_of_nothing_is_all_of_it() {
        check("bytes=-1", 0, Part::Whole);
        check("bytes=-99999999999999999999999", 0, Part::Whole);
    }

    #[test]
    fn a_part_of_something_else_is_not_sent() {
        let modified = "last-modified\nSun, 06 Nov 1994 08:49:37 GMT";
        let check = |condition: &str, response: &str, expected: Part| {
            let request = Fields::from_lines(&format!("range\nbytes=0-1\nif-range\n{condition}"));
            assert_eq!(part(&request, &Fields::from_lines(response), 10), expected, "{condition} {response}");
        };
        check("\"a\"", "etag\n\"a\"", Part::Bytes(0..2));
        check("\"a\"", "etag\n\"b\"", Part::Whole);
        check("W/\"a\"", "etag\nW/\"a\"", Part::Whole);
        check("\"a\"", "etag\nW/\"a\"", Part::Whole);
        check("\"a\"", "", Part::Whole);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        check(date, &format!("{modified}\ndate\nSun, 06 Nov 1994 08:49:38 GMT"), Part::Bytes(0..2));
        check(date, &format!("{modified}\ndate\nSun, 06 Nov 1994 08:49:37 GMT"), Part::Whole);
        check(date, modified, Part::Whole);
        check(
            "Sun, 06 Nov 1994 08:49:38 GMT",
            &format!("{modified}\ndate\nSun, 06 Nov 1994 08:50:00 GMT"),
            Part::Whole,
        );
        check("a", "etag\na", Part::Whole);
    }

    #[test]
    fn a_part_says_where_it_is_from() {
        assert_eq!(content_range(Some(&(0..5)), 10), "bytes 0-4/10");
        assert_eq!(content_range(None, 10), "bytes */10");
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_whole(bytes: Vec<u8>, spec in "[0-9]{0,3}-[0-9]{0,3}", length in 0_usize..200) {
            for range in [String::from_utf8_lossy(&bytes).into_owned(), format!("bytes={spec}")] {
                if let Part::Bytes(bytes) = requested(&range, length) {
                    prop_assert!(bytes.start < bytes.end && bytes.end <= length);
                }
            }
        }
    }
}
