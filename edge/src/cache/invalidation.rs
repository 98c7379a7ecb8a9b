//! What an unsafe request makes invalid: RFC 9111, section 4.4, and RFC 9875, section 3.

use tidewall_api::headers::TIDEWALL_WRITE;

use crate::cache::groups::{self, BrokenGroups};
use crate::cache::target::Target;
use crate::control::entry::{Scope, Severity};
use crate::control::log::Append;
use crate::control::position::{ReadAt, number};
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

/// What the answer to an unsafe request says is out of date, to be logged before the
/// client hears of it (W1); `None` for nothing. `key` tells the cache key of a URL.
///
/// Groups count whatever the status: an error may come after the change.
///
/// Groups that can't be read could be any, so everything is out of date then: that costs
/// hits, where the other way nobody would ever hear of the change.
///
/// # Errors
/// The groups can't be read.
pub fn append(
    method: &str,
    target: &Target<'_>,
    status: u16,
    response: &Fields,
    key: impl Fn(&Target<'_>) -> String,
) -> (Option<Append>, Result<(), BrokenGroups>) {
    if is_safe(method) {
        return (None, Ok(()));
    }
    let urls = invalidated(method, target, status, response);
    let uris = urls.iter().filter_map(|url| Target::parse(url)).map(|target| Scope::Uri(key(&target)));
    let groups = groups::invalidated(response);
    let of_groups = groups.iter().flatten().cloned().map(Scope::Group);
    let everything = groups.is_err().then_some(Scope::All);
    let scopes: Vec<Scope> = of_groups.chain(everything).chain(uris).collect();
    let append = Append {
        scopes,
        severity: Severity::Hard,
        lsn: ReadAt::of(response).lsn(),
        write: response.get(TIDEWALL_WRITE).and_then(number),
    };
    ((!append.scopes.is_empty()).then_some(append), groups.map(|_| ()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_names_groups_and_position() {
        let target = Target::parse("https://a.example/list").unwrap();
        let check = |method: &str, status, lines: &str, expected: Option<(&[&str], usize)>| {
            let (append, groups) =
                append(method, &target, status, &Fields::from_lines(lines), |target| target.path.to_owned());
            let groups_and_uris = append.as_ref().map(|append| {
                let of = |scope: &Scope| match scope {
                    Scope::Group(group) => Some(group.clone()),
                    _ => None,
                };
                let groups: Vec<String> = append.scopes.iter().filter_map(of).collect();
                let uris = append.scopes.len() - groups.len();
                (groups, uris)
            });
            let expected =
                expected.map(|(groups, uris)| (groups.iter().map(|&group| group.to_owned()).collect(), uris));
            assert_eq!(groups_and_uris, expected, "{method} {status} {lines}");
            (append, groups)
        };
        let lines = "cache-group-invalidation\n\"b\", \"a\"\ntidewall-lsn\n7\ntidewall-write\n9";
        let (append, _) = check("PUT", 200, lines, Some((&["a", "b"], 1)));
        let append = append.unwrap();
        assert_eq!((append.lsn, append.write), (Some(7), Some(9)));
        let _ = check("PUT", 500, lines, Some((&["a", "b"], 0)));
        let _ = check("GET", 200, lines, None);
        let _ = check("POST", 409, "", None);
        let many: Vec<String> = (0..300).map(|n| format!("\"{n}\"")).collect();
        for broken in ["none", "\"a\", 1", &many.join(", ")] {
            let lines = format!("cache-group-invalidation\n{broken}");
            let (append, groups) = check("POST", 200, &lines, Some((&[], 2)));
            assert!(groups.is_err() && append.unwrap().scopes.contains(&Scope::All), "{broken}");
        }
    }

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

    proptest! {
        #[test]
        fn no_answer_makes_more_invalid_than_its_groups_and_three_urls_of_its_own(
            method in "(POST|DELETE|GET|x)",
            status in 100_u16..600,
            location in "(https?:|//|/|\\.\\.|a.example|b|:443|@|\\?|#|%2e|\\\\| |é){0,8}",
            content_location in "(//|/|\\.|a.example|:|b|\\?){0,6}",
            groups in "(\"|a|b|,| |\\(|;|=|1|\\\\){0,12}",
        ) {
            let target = Target::parse("https://a.example/list").unwrap();
            let response = Fields::from_lines(&format!(
                "location\n{location}\ncontent-location\n{content_location}\ncache-group-invalidation\n{groups}"
            ));
            let origin = |target: &Target<'_>| format!("{}://{}", target.scheme, target.host);
            let (append, _) = append(&method, &target, status, &response, origin);
            prop_assert!(append.is_none() || method != "GET");
            let scopes = append.map(|append| append.scopes).unwrap_or_default();
            let uris: Vec<_> = scopes.iter().filter(|scope| matches!(scope, Scope::Uri(_))).collect();
            prop_assert!(uris.len() <= 3 && scopes.len() <= uris.len() + 256 + 1);
            let own = Scope::Uri("https://a.example".to_owned());
            prop_assert!(uris.iter().all(|uri| **uri == own), "{uris:?}");
        }
    }
}
