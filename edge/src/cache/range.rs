//! Parts of a stored response: RFC 9110, section 14. What a range is, and how it is told, is
//! [`tidewall_api::range`].

use tidewall_api::entity_tag::strongly_equal;
use tidewall_api::range::{Part, requested};

use crate::cache::age::date;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Fields that ask for a part of a response.
pub const RANGE_FIELDS: [&str; 2] = ["range", "if-range"];

/// What a GET asks of a 200 whose body has `length` bytes.
pub fn part(request: &Fields, response: &Fields, length: u64) -> Part {
    match request.get("range") {
        Some(range) if is_unchanged(request.get("if-range"), response) => requested(range, length),
        _ => Part::Whole,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_asked_for_in_part_is_sent_whole() {
        assert_eq!(part(&Fields::default(), &Fields::default(), 10), Part::Whole);
        assert_eq!(part(&Fields::from_lines("range\nbytes=2-3"), &Fields::default(), 10), Part::Bytes(2..4));
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

    proptest! {
        #[test]
        fn a_part_of_what_may_have_changed_is_not_sent(
            condition in "(\"|W/|a|b| |,|\\*|é|Sun, 06 Nov 1994 08:49:37 GMT){0,5}",
        ) {
            let request = Fields::from_lines(&format!("range\nbytes=0-1\nif-range\n{condition}"));
            let part = part(&request, &Fields::from_lines("etag\n\"a\""), 10);
            let expected = if condition.trim() == "\"a\"" { Part::Bytes(0..2) } else { Part::Whole };
            prop_assert_eq!(part, expected);
        }
    }
}
