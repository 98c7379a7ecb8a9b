//! What an unsafe request makes invalid: RFC 9111, section 4.4.

use crate::cache::target::Target;
use crate::fields::Fields;

/// Whether a method changes nothing at the origin; RFC 9110, section 9.2.1. One that
/// isn't known might.
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// The URLs whose stored responses are invalid once a request was answered so: its
/// own, and those of `Location` and `Content-Location` where they are of the same
/// origin, for nobody may take back what is another's.
pub fn invalidated(method: &str, target: &Target<'_>, status: u16, response: &Fields) -> Vec<String> {
    let is_error = !(200..400).contains(&status);
    if is_safe(method) || is_error {
        return Vec::new();
    }
    let named = ["location", "content-location"].into_iter().filter_map(|name| response.get(name));
    let mut urls: Vec<String> = [""]
        .into_iter()
        .chain(named)
        .filter_map(|reference| target.resolve(reference))
        .filter(|url| Target::parse(url).is_some_and(|other| target.is_same_origin(&other)))
        .collect();
    urls.sort();
    urls.dedup();
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, status: u16, response: &str, expected: &[&str]) {
        let target = Target::parse("https://a.example/list?x").unwrap();
        let urls = invalidated(method, &target, status, &Fields::from_lines(response));
        assert_eq!(urls, expected, "{method} {status} {response}");
    }

    #[test]
    fn a_write_that_succeeded_makes_its_target_invalid() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "get"] {
            check(method, 200, "", &["https://a.example/list?x"]);
        }
        check("POST", 303, "", &["https://a.example/list?x"]);
    }

    #[test]
    fn what_is_safe_or_failed_makes_nothing_invalid() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            check(method, 200, "location\n/other", &[]);
        }
        for status in [400, 404, 409, 500, 503] {
            check("POST", status, "location\n/other", &[]);
        }
    }

    #[test]
    fn the_places_a_write_names_are_invalid_too_where_they_are_its_own() {
        let own = "https://a.example/list?x";
        check("POST", 201, "location\n/items/7", &["https://a.example/items/7", own]);
        check(
            "POST",
            201,
            "location\nitems/7\ncontent-location\nhttps://A.example:443/items/7#now",
            &["https://a.example/items/7", own],
        );
        check("PUT", 200, "content-location\n", &[own]);
        for other in ["https://b.example/items/7", "http://a.example/list", "//a.example:8443/", "mailto:a@b"]
        {
            check("POST", 201, &format!("location\n{other}"), &[own]);
        }
    }
}
