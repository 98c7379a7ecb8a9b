//! Under which key a URL is stored, and what of it makes no difference.

use serde::{Deserialize, Serialize};

use crate::cache::key::{TrackingParameters, cache_key, canonical_query};
use crate::cache::target::Target;
use crate::cache::vary::variant_key;
use crate::fields::Fields;

/// The key, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAccount {
    /// The URL's key in the store.
    pub key: String,
    /// The query that the origins are asked with.
    pub query: String,
    /// Parameters that were dropped, as they were written.
    pub dropped: Vec<String>,
    /// Whether the others were brought into another order.
    pub is_sorted: bool,
    /// Whether the URL is too long to be the key, which is its digest then.
    pub is_digest: bool,
    /// What selects among the URL's variants, and the key of the one that is selected;
    /// `None` where it isn't known to have any.
    pub variant: Option<VariantAccount>,
}

/// Which of a URL's variants a request selects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantAccount {
    /// The variant's key.
    pub key: String,
    /// The request fields that select it, with their values, where they have any.
    pub selected_by: Vec<(String, Option<String>)>,
}

impl KeyAccount {
    /// Of a URL. `selecting` are the request fields that tell its variants apart, and
    /// `presented` the request's fields as an origin gets them.
    pub fn of(
        target: &Target<'_>,
        tracking: &TrackingParameters,
        selecting: Option<&[String]>,
        presented: &Fields,
    ) -> Self {
        let query = canonical_query(target.query, tracking);
        let key = cache_key(target, &query);
        let parameters = target.query.unwrap_or_default().split('&').filter(|it| !it.is_empty());
        let is_dropped = |parameter: &&str| tracking.matches(parameter.split('=').next().unwrap_or_default());
        let (dropped, kept): (Vec<&str>, Vec<&str>) = parameters.partition(is_dropped);
        let variant = selecting.map(|selecting| VariantAccount {
            key: variant_key(&key, selecting, presented),
            selected_by: selecting
                .iter()
                .map(|name| (name.clone(), presented.get(name).map(str::to_owned)))
                .collect(),
        });
        Self {
            is_sorted: kept.join("&") != query,
            is_digest: key.starts_with("sha256:"),
            dropped: dropped.into_iter().map(str::to_owned).collect(),
            key,
            query,
            variant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(url: &str) -> KeyAccount {
        let tracking = TrackingParameters::new(vec!["utm_*".to_owned()]);
        KeyAccount::of(&Target::parse(url).unwrap(), &tracking, None, &Fields::default())
    }

    #[test]
    fn what_was_dropped_and_sorted_is_told() {
        let found = account("https://h/a?b=2&utm_source=x&&a=1&utm_id");
        assert_eq!((found.key.as_str(), found.query.as_str()), ("https://h/a?a=1&b=2", "a=1&b=2"));
        assert_eq!(found.dropped, ["utm_source=x", "utm_id"]);
        assert!(found.is_sorted && !found.is_digest);
        assert!(!account("https://h/a?a=1&&b=2").is_sorted);
        assert!(!account("https://h/a").is_sorted);
    }

    #[test]
    fn a_long_url_is_known_by_its_digest() {
        assert!(account(&format!("https://h/{}", "x".repeat(600))).is_digest);
    }

    #[test]
    fn a_variant_is_told_by_what_selects_it() {
        let names = ["accept-language".to_owned(), "x-tenant".to_owned()];
        let request = Fields::from_lines("accept-language\nde");
        let target = Target::parse("https://h/a").unwrap();
        let found = KeyAccount::of(&target, &TrackingParameters::default(), Some(&names), &request);
        let variant = found.variant.unwrap();
        assert_eq!(variant.key, variant_key("https://h/a", &names, &request));
        let selected_by =
            [("accept-language".to_owned(), Some("de".to_owned())), ("x-tenant".to_owned(), None)];
        assert_eq!(variant.selected_by, selected_by);
    }
}
