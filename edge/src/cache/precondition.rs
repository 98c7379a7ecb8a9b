//! A client's preconditions, answered from a response at hand: RFC 9110, section 13,
//! and RFC 9111, section 4.3.2.

use tidewall_api::entity_tag::is_named;

use crate::cache::age::date;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Fields that only mean something beside a body, and so are not sent in a 304
/// (RFC 9110, section 15.4.5).
const REPRESENTATION: [&str; 6] = [
    "content-digest",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
];

/// Fields of a request that a cache may evaluate itself.
pub const CACHE_PRECONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// Where the response at hand is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// An origin made it for this request.
    Origin,
    /// It was stored. Without `Last-Modified` it is taken to have last changed
    /// when it was made (RFC 9111, section 4.3.2).
    Store,
}

/// Whether a request makes its outcome depend on the origin's current state. Only
/// the origin can judge that (RFC 9111, section 4.3.2).
pub fn needs_origin(request: &Fields) -> bool {
    request.contains("if-match") || request.contains("if-unmodified-since")
}

/// Whether the client's own copy is this response: a GET or HEAD may then be
/// answered with 304.
pub fn is_not_modified(request: &Fields, status: u16, response: &Fields, from: From) -> bool {
    if status != 200 {
        return false;
    }
    if let Some(condition) = request.get("if-none-match") {
        let Some(etag) = response.get("etag") else { return condition.trim() == "*" && from == From::Store };
        return is_named(condition, etag);
    }
    let Some(since) = request.get("if-modified-since").and_then(Timestamp::from_http_date) else {
        return false;
    };
    let modified = match (response.get("last-modified"), from) {
        (Some(modified), _) => Timestamp::from_http_date(modified),
        (None, From::Store) => date(response),
        (None, From::Origin) => None,
    };
    modified.is_some_and(|modified| modified <= since)
}

/// Turns a response's fields into those of a 304 for it.
pub fn not_modified(mut response: Fields) -> Fields {
    response.retain(|name| !REPRESENTATION.contains(&name));
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOV_6: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn check_from(from: From, request: &str, status: u16, response: &str, expected: bool) {
        let (request, response) = (Fields::from_lines(request), Fields::from_lines(response));
        assert_eq!(is_not_modified(&request, status, &response, from), expected, "{request:?} {response:?}");
    }

    fn check(request: &str, response: &str, expected: bool) {
        check_from(From::Origin, request, 200, response, expected);
        check_from(From::Store, request, 200, response, expected);
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        check("if-none-match\n\"a\"", "etag\n\"a\"", true);
        check("if-none-match\nW/\"a\"", "etag\n\"a\"", true);
        check("if-none-match\n\"a\"", "etag\nW/\"a\"", true);
        check("if-none-match\n\"a\"", "etag\n\"b\"", false);
        check("if-none-match\n\"x,y\", \"b\"", "etag\n\"x,y\"", true);
        check("if-none-match\n*", "etag\n\"b\"", true);
        check("if-none-match\n\"a\"", "", false);
        check("", "etag\n\"a\"", false);
    }

    #[test]
    fn only_a_200_is_not_modified() {
        for status in [204, 206, 404, 500] {
            check_from(From::Store, "if-none-match\n\"a\"", status, "etag\n\"a\"", false);
        }
    }

    #[test]
    fn dates_count_only_without_entity_tags() {
        let modified = format!("last-modified\n{NOV_6}");
        check(&format!("if-modified-since\n{NOV_6}"), &modified, true);
        check("if-modified-since\nSun, 06 Nov 1994 08:49:36 GMT", &modified, false);
        check("if-modified-since\nyesterday", &modified, false);
        check(&format!("if-modified-since\n{NOV_6}"), "", false);
        check(&format!("if-modified-since\n{NOV_6}"), "last-modified\nyesterday", false);
        check(
            &format!("if-none-match\n\"a\"\nif-modified-since\n{NOV_6}"),
            &format!("etag\n\"b\"\n{modified}"),
            false,
        );
    }

    #[test]
    fn a_stored_response_without_a_last_change_changed_when_it_was_made() {
        let (request, response) = (format!("if-modified-since\n{NOV_6}"), format!("date\n{NOV_6}"));
        check_from(From::Store, &request, 200, &response, true);
        check_from(From::Origin, &request, 200, &response, false);
        check_from(From::Store, &request, 200, "date\nSun, 06 Nov 1994 08:49:38 GMT", false);
        check_from(From::Store, "if-none-match\n*", 200, &response, true);
    }

    #[test]
    fn a_304_says_nothing_about_a_body() {
        let fields = not_modified(Fields::from_lines(
            "content-type\ntext/html\ncontent-length\n5\ncontent-digest\nx\netag\n\"a\"\ncontent-security-policy\nx",
        ));
        assert_eq!(fields, Fields::from_lines("etag\n\"a\"\ncontent-security-policy\nx"));
    }

    proptest! {
        #[test]
        fn only_a_200_whose_tag_is_named_is_not_modified(
            condition in "(W/|\"|a|b|,| |\\*|\\\\|é){0,10}",
            etag in "(W/)?\"[ab]?\"",
            status in 100_u16..600,
        ) {
            let request = Fields::from_lines(&format!("if-none-match\n{condition}\nif-modified-since\n{NOV_6}"));
            let response = Fields::from_lines(&format!("etag\n{etag}\nlast-modified\n{NOV_6}"));
            for from in [From::Store, From::Origin] {
                if is_not_modified(&request, status, &response, from) {
                    prop_assert_eq!(status, 200);
                    let is_named = condition.contains(etag.trim_start_matches("W/"));
                    prop_assert!(is_named || condition.trim() == "*", "{condition} {etag}");
                }
            }
        }
    }
}
