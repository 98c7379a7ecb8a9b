//! Cache keys: which requests ask for the same thing (RFC 9111, section 2).
//!
//! The key is scheme, host, path and the canonical query: sorted by name, without
//! tracking parameters. What isn't in the key must not reach the origin of a
//! stored response either, or one visitor's value would be served to all; so
//! origins are asked with the canonical query as well.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::cache::envelope::VERSION;
use crate::cache::target::Target;

/// Longest key of the store in bytes: <https://developers.cloudflare.com/kv/platform/limits/>.
const KEY_BYTES_MAX: usize = 512;

/// Names of query parameters that tell a visitor's way here, not what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingParameters(Vec<String>);

impl TrackingParameters {
    /// Takes names; one that ends in `*` stands for all that begin so.
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Whether the parameter of this name is one.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    }
}

/// The query by which a request is known: parameters sorted by name, those of one
/// name in their order, tracking parameters dropped. Empty where none is left.
pub fn canonical_query(query: Option<&str>, tracking: &TrackingParameters) -> String {
    let mut parameters: Vec<(&str, &str)> = query
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| (parameter.split_once('=').map_or(parameter, |(name, _)| name), parameter))
        .filter(|(name, _)| !tracking.matches(name))
        .collect();
    parameters.sort_by_key(|(name, _)| *name);
    parameters.into_iter().map(|(_, parameter)| parameter).collect::<Vec<_>>().join("&")
}

/// The key in the store. A URL too long for one is replaced by its digest.
pub fn cache_key(target: &Target<'_>, canonical_query: &str) -> String {
    let mut key = format!("{}://{}{}", target.scheme, target.host, target.path);
    if !canonical_query.is_empty() {
        key.push('?');
        key.push_str(canonical_query);
    }
    if key.len() > KEY_BYTES_MAX {
        key = format!("sha256:{}", hexadecimal(&Sha256::digest(key.as_bytes())));
    }
    key
}

/// The URL under which the Cache API, which knows nothing but requests, has what lies
/// under `key`. Nobody can ask for it: hosts in `.invalid` don't exist (RFC 6761). What
/// another version of the stored form has written isn't even found.
pub fn cache_api_url(key: &str) -> String {
    format!("https://cache.tidewall.invalid/{VERSION}/{}", hexadecimal(&Sha256::digest(key)))
}

/// A digest as text.
pub fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    fn key(url: &str) -> String {
        let tracking = TrackingParameters::new(vec!["utm_*".to_owned(), "gclid".to_owned()]);
        let target = Target::parse(url).unwrap();
        cache_key(&target, &canonical_query(target.query, &tracking))
    }

    #[test]
    fn the_order_of_parameters_and_tracking_make_no_difference() {
        let check = |url, expected: &str| assert_eq!(key(url), expected, "{url}");
        check("http://a/p", "http://a/p");
        check("http://a/p?", "http://a/p");
        check("http://a/p?utm_source=x", "http://a/p");
        check("http://a/p?b=2&a=1&utm_medium=y&gclid=z", "http://a/p?a=1&b=2");
        check("http://a/p?gclids=1&utm=2", "http://a/p?gclids=1&utm=2");
        check("http://a/p?&&a=1&", "http://a/p?a=1");
    }

    #[test]
    fn the_order_of_one_parameters_values_makes_a_difference() {
        assert_eq!(key("http://a/p?b=2&a=2&b=1"), "http://a/p?a=2&b=2&b=1");
        assert_ne!(key("http://a/p?b=2&b=1"), key("http://a/p?b=1&b=2"));
    }

    #[test]
    fn scheme_host_and_path_make_a_difference() {
        let keys =
            ["http://a/p", "https://a/p", "http://b/p", "http://a:8080/p", "http://a/P", "http://a/p/"];
        for (i, one) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|other| key(one) != key(other)), "{one}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_query_is_its_own_canonical_form(query in "[a-c=&]{0,12}") {
            let once = canonical_query(Some(&query), &TrackingParameters::default());
            prop_assert_eq!(canonical_query(Some(&once), &TrackingParameters::default()), once);
        }
    }

    #[test]
    fn the_cache_apis_urls_differ_as_the_keys_do() {
        let url = cache_api_url("http://a/p?x=ü#");
        assert!(url.starts_with(&format!("https://cache.tidewall.invalid/{VERSION}/")), "{url}");
        assert!(url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.".contains(&byte)), "{url}");
        assert_ne!(url, cache_api_url("http://a/p?x=u#"));
    }

    #[test]
    fn a_key_is_never_longer_than_the_store_takes() {
        let long = |last: &str| key(&format!("http://a/{}{last}", "x".repeat(600)));
        assert_eq!(long("1").len(), "sha256:".len() + 64);
        assert_ne!(long("1"), long("2"));
        assert!(long("1").starts_with("sha256:"));
    }

    #[test]
    fn long_queries_are_read_to_their_end() {
        for query in long_values().chain(["b=1&a=1&".repeat(12_000)]) {
            assert!(key(&format!("http://a/p?{query}")).len() <= KEY_BYTES_MAX);
        }
    }

    proptest! {
        #[test]
        fn no_url_makes_a_key_that_the_store_does_not_take(
            path in "(\\PC|/|%){0,60}", query in "(\\PC|&|=|utm_a|\\?){0,60}", more in 0_usize..600,
        ) {
            let url = format!("http://a/{path}?{query}{}", "é".repeat(more));
            prop_assert!(key(&url).len() <= KEY_BYTES_MAX);
        }
    }
}
