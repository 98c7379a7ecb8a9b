//! Conditional requests, answered from a response at hand: RFC 9110, section 13,
//! and RFC 9111, section 4.3.2.

use crate::fields::{Fields, members};
use crate::time::Timestamp;

/// Fields that only mean something beside a body, and so are not sent in a 304
/// (RFC 9110, section 15.4.5).
const REPRESENTATION: [&str; 5] =
    ["content-encoding", "content-language", "content-length", "content-range", "content-type"];

/// Fields of a request that a cache may evaluate itself.
pub const CACHE_PRECONDITIONS: [&str; 2] = ["if-none-match", "if-modified-since"];

/// Whether a request makes its outcome depend on the origin's current state. Only
/// the origin can judge that (RFC 9111, section 4.3.2).
pub fn needs_origin(request: &Fields) -> bool {
    request.contains("if-match") || request.contains("if-unmodified-since")
}

/// Whether the client's own copy is this response: a GET or HEAD may then be
/// answered with 304.
pub fn is_not_modified(request: &Fields, status: u16, response: &Fields) -> bool {
    if status != 200 {
        return false;
    }
    if let Some(condition) = request.get("if-none-match") {
        let Some(etag) = response.get("etag") else { return false };
        return condition.trim() == "*" || members(condition).any(|member| weakly_equal(member, etag));
    }
    let date = |fields: &Fields, name| fields.get(name).and_then(Timestamp::from_http_date);
    match (date(request, "if-modified-since"), date(response, "last-modified")) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Turns a response's fields into those of a 304 for it.
pub fn not_modified(mut response: Fields) -> Fields {
    response.retain(|name| !REPRESENTATION.contains(&name));
    response
}

/// Makes a strong entity tag weak: the bytes differ from those the origin sent,
/// though they mean the same (RFC 9110, section 8.8.3.3).
pub fn weaken_etag(response: &mut Fields) {
    if let Some(etag) = response.get("etag").filter(|etag| !etag.starts_with("W/")) {
        let weak = format!("W/{etag}");
        response.set("etag", weak);
    }
}

/// RFC 9110, section 8.8.3.2.
fn weakly_equal(one: &str, other: &str) -> bool {
    one.strip_prefix("W/").unwrap_or(one) == other.strip_prefix("W/").unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, status: u16, response: &str, expected: bool) {
        let (request, response) = (Fields::from_lines(request), Fields::from_lines(response));
        assert_eq!(is_not_modified(&request, status, &response), expected, "{request:?} {response:?}");
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        check("if-none-match\n\"a\"", 200, "etag\n\"a\"", true);
        check("if-none-match\nW/\"a\"", 200, "etag\n\"a\"", true);
        check("if-none-match\n\"a\"", 200, "etag\nW/\"a\"", true);
        check("if-none-match\n\"a\"", 200, "etag\n\"b\"", false);
        check("if-none-match\n\"x,y\", \"b\"", 200, "etag\n\"x,y\"", true);
        check("if-none-match\n*", 200, "etag\n\"b\"", true);
        check("if-none-match\n\"a\"", 200, "", false);
        check("", 200, "etag\n\"a\"", false);
    }

    #[test]
    fn only_a_200_is_not_modified() {
        check("if-none-match\n\"a\"", 404, "etag\n\"a\"", false);
    }

    #[test]
    fn dates_count_only_without_entity_tags() {
        let modified = "last-modified\nSun, 06 Nov 1994 08:49:37 GMT";
        check("if-modified-since\nSun, 06 Nov 1994 08:49:37 GMT", 200, modified, true);
        check("if-modified-since\nSun, 06 Nov 1994 08:49:36 GMT", 200, modified, false);
        check("if-modified-since\nyesterday", 200, modified, false);
        check("if-modified-since\nSun, 06 Nov 1994 08:49:37 GMT", 200, "", false);
        check(
            "if-none-match\n\"a\"\nif-modified-since\nSun, 06 Nov 1994 08:49:37 GMT",
            200,
            &format!("etag\n\"b\"\n{modified}"),
            false,
        );
    }

    #[test]
    fn a_304_says_nothing_about_a_body() {
        let fields = not_modified(Fields::from_lines(
            "content-type\ntext/html\ncontent-length\n5\netag\n\"a\"\ncontent-security-policy\nx",
        ));
        assert_eq!(fields, Fields::from_lines("etag\n\"a\"\ncontent-security-policy\nx"));
    }

    #[test]
    fn a_strong_entity_tag_is_weakened_once() {
        let mut fields = Fields::from_lines("etag\n\"a\"");
        weaken_etag(&mut fields);
        weaken_etag(&mut fields);
        assert_eq!(fields.get("etag"), Some("W/\"a\""));
    }
}
