//! Whether the page and who answers it are of one version. A page stays open over deploys,
//! and the edge keeps answers over them.

use std::cmp::Ordering;

use tidewall_api::api_version;

/// What an answer's version is beside the page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// The same, as far as is known: the answer can be read.
    None,
    /// The page was loaded before a deploy.
    PageIsOlder,
    /// The answer was made before a deploy.
    AnswerIsOlder,
}

/// The skew between a page of the version `own` and the field of an answer, if it has one. What
/// has none is no answer of the API: the edge's own, or a proxy's.
pub fn skew(own: u32, named: Option<&str>) -> Skew {
    match named.and_then(api_version::parse).map(|version| version.cmp(&own)) {
        Some(Ordering::Greater) => Skew::PageIsOlder,
        Some(Ordering::Less) => Skew::AnswerIsOlder,
        Some(Ordering::Equal) | None => Skew::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_and_what_names_none_is_taken_as_it_is() {
        for (named, expected) in [
            (Some("2"), Skew::None),
            (Some("3"), Skew::PageIsOlder),
            (Some("10"), Skew::PageIsOlder),
            (Some("1"), Skew::AnswerIsOlder),
            (None, Skew::None),
            (Some(""), Skew::None),
            (Some("two"), Skew::None),
            (Some("3, 3"), Skew::None),
        ] {
            assert_eq!(skew(2, named), expected, "{named:?}");
        }
    }
}
