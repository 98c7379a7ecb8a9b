//! What answers say to caches: who may keep them for how long, and by which
//! group they are taken back (RFC 9111, RFC 9213, RFC 9875).

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sfv::{ListSerializer, StringRef};
use tidewall_api::headers;

/// What structured fields can't carry in a String: control characters (and what
/// is not ASCII, which is always encoded); and the sign of the encoding itself.
const NOT_IN_GROUPS: &AsciiSet = &CONTROLS.add(b'%');

/// How long an answer may be kept, and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Shared caches may answer with it for so long.
    pub max_age: Duration,
    /// And while they fetch a new one, for so long more.
    pub stale_while_revalidate: Option<Duration>,
    /// Its groups.
    pub groups: Vec<String>,
}

impl CachePolicy {
    /// Writes the policy down. Browsers must ask each time (a 304 is cheap), since
    /// nobody can take an answer back from them; shared caches need not.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let mut directives = format!("public, max-age={}", self.max_age.as_secs());
        if let Some(window) = self.stale_while_revalidate {
            directives.push_str(&format!(", stale-while-revalidate={}", window.as_secs()));
        }
        if let Ok(value) = HeaderValue::try_from(directives) {
            headers.insert(HeaderName::from_static(headers::CDN_CACHE_CONTROL), value);
        }
        insert_groups(headers, headers::CACHE_GROUPS, &self.groups);
    }
}

/// Says which groups a write has made invalid.
pub fn invalidate(headers: &mut HeaderMap, groups: &[String]) {
    insert_groups(headers, headers::CACHE_GROUP_INVALIDATION, groups);
}

fn insert_groups(headers: &mut HeaderMap, name: &'static str, groups: &[String]) {
    if let Some(value) = list(groups).and_then(|list| HeaderValue::try_from(list).ok()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A List of Strings (RFC 9651, section 3.1). What a String can't carry is
/// percent-encoded, so `topic:bücher` becomes `topic:b%C3%BCcher`.
fn list(groups: &[String]) -> Option<String> {
    let mut list = ListSerializer::new();
    for group in groups {
        let encoded = utf8_percent_encode(group, NOT_IN_GROUPS).to_string();
        // Encoded, it has nothing that a String can't carry.
        if let Ok(string) = StringRef::from_str(&encoded) {
            let _ = list.bare_item(string);
        }
    }
    list.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(groups: &[&str], expected: Option<&str>) {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        assert_eq!(list(&groups).as_deref(), expected);
    }

    #[test]
    fn groups_are_a_list_of_strings() {
        check(&[], None);
        check(&["item:42"], Some(r#""item:42""#));
        check(&["a", "garden tools"], Some(r#""a", "garden tools""#));
        check(&[r#"a"b\c"#], Some(r#""a\"b\\c""#));
    }

    #[test]
    fn what_a_string_can_not_carry_is_encoded_and_stays_distinct() {
        check(&["bücher"], Some(r#""b%C3%BCcher""#));
        check(&["b%C3%BCcher"], Some(r#""b%25C3%25BCcher""#));
        check(&["a\r\nb"], Some(r#""a%0D%0Ab""#));
    }

    #[test]
    fn a_policy_speaks_to_browsers_and_to_shared_caches() {
        let mut headers = HeaderMap::new();
        CachePolicy {
            max_age: Duration::from_secs(300),
            stale_while_revalidate: Some(Duration::from_secs(60)),
            groups: vec!["g".to_owned()],
        }
        .apply(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(headers[headers::CDN_CACHE_CONTROL], "public, max-age=300, stale-while-revalidate=60");
        assert_eq!(headers[headers::CACHE_GROUPS], r#""g""#);
    }
}
