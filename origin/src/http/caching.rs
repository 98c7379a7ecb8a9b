//! What answers say to caches: who may keep them for how long, and by which
//! group they are taken back (RFC 9111, RFC 9213, RFC 9875).

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use sfv::{ListSerializer, StringRef};
use tidewall_api::headers;

use crate::cache_group;
use crate::outbox::{InBand, Invalidated};

/// How long an answer may be kept, and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Shared caches may answer with it for so long.
    pub max_age: Duration,
    /// And while they fetch a new one, for so long more.
    pub stale_while_revalidate: Option<Duration>,
    /// And while nobody can give them a new one, for so long more.
    pub stale_if_error: Option<Duration>,
    /// Its groups.
    pub groups: Vec<String>,
}

impl CachePolicy {
    /// Writes the policy down. Browsers must ask each time (a 304 is cheap), since
    /// nobody can take an answer back from them; shared caches need not.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let mut directives = format!("public, max-age={}", self.max_age.as_secs());
        for (name, window) in
            [("stale-while-revalidate", self.stale_while_revalidate), ("stale-if-error", self.stale_if_error)]
        {
            if let Some(window) = window {
                directives.push_str(&format!(", {name}={}", window.as_secs()));
            }
        }
        if let Ok(value) = HeaderValue::try_from(directives) {
            headers.insert(HeaderName::from_static(headers::CDN_CACHE_CONTROL), value);
        }
        let groups: Vec<_> = self.groups.iter().map(|group| cache_group::encode(group)).collect();
        insert_groups(headers, headers::CACHE_GROUPS, &groups);
    }
}

/// Says in a write's answer what it has made invalid, and which write it was: the same
/// that the outbox tells the edge, and from the same value.
pub fn invalidated(headers: &mut HeaderMap, invalidated: &Invalidated) {
    let InBand { groups, write } = invalidated.in_band();
    insert_groups(headers, headers::CACHE_GROUP_INVALIDATION, groups);
    if let Some(write) = write {
        headers.insert(HeaderName::from_static(headers::TIDEWALL_WRITE), HeaderValue::from(write));
    }
}

fn insert_groups(headers: &mut HeaderMap, name: &'static str, encoded: &[String]) {
    if let Some(value) = list(encoded).and_then(|list| HeaderValue::try_from(list).ok()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A List of Strings (RFC 9651, section 3.1).
fn list(encoded: &[String]) -> Option<String> {
    let mut list = ListSerializer::new();
    for group in encoded {
        // Encoded, it has nothing that a String can't carry.
        if let Ok(string) = StringRef::from_str(group) {
            let _ = list.bare_item(string);
        }
    }
    list.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Invalidation;

    fn check(groups: &[&str], expected: Option<&str>) {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        let policy = CachePolicy {
            max_age: Duration::ZERO,
            stale_while_revalidate: None,
            stale_if_error: None,
            groups: groups.clone(),
        };
        let mut read = HeaderMap::new();
        policy.apply(&mut read);
        let named = read.get(headers::CACHE_GROUPS).map(|value| value.to_str().unwrap());
        assert_eq!(named, expected);
        // Whoever compares both must find them the same.
        let mut written = HeaderMap::new();
        invalidated(&mut written, &Invalidated::new(Invalidation::of_groups(&groups), Some(7)));
        assert_eq!(written.get(headers::CACHE_GROUP_INVALIDATION), read.get(headers::CACHE_GROUPS));
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
            stale_if_error: Some(Duration::from_secs(3_600)),
            groups: vec!["g".to_owned()],
        }
        .apply(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(
            headers[headers::CDN_CACHE_CONTROL],
            "public, max-age=300, stale-while-revalidate=60, stale-if-error=3600"
        );
        assert_eq!(headers[headers::CACHE_GROUPS], r#""g""#);
    }

    #[test]
    fn a_writes_answer_names_its_groups_and_its_write() {
        let fields = |invalidation, write| {
            let mut headers = HeaderMap::new();
            invalidated(&mut headers, &Invalidated::new(invalidation, write));
            [headers::CACHE_GROUP_INVALIDATION, headers::TIDEWALL_WRITE]
                .map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()))
        };
        let groups = || Some(r#""a""#.to_owned());
        assert_eq!(fields(Invalidation::of_groups(["a"]), Some(7)), [groups(), Some("7".to_owned())]);
        assert_eq!(fields(Invalidation::of_groups(["a"]), None), [groups(), None]);
        assert_eq!(fields(Invalidation::of_groups(["a"]).and_path("/x"), Some(7)), [groups(), None]);
        assert_eq!(fields(Invalidation::of_everything(), Some(7)), [None, None]);
    }
}
