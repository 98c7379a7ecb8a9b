//! What a browser keeps of what it has seen, and what it asks for when it sees it again:
//! RFC 9111 as far as a site's fields go, and RFC 9842. Views follow each other so closely
//! that nothing gets old meanwhile.

use std::collections::BTreeMap;

/// What a browser has.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<String, Response>);

/// What was said of a response that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Response {
    /// Its `Cache-Control`.
    pub(super) cache_control: String,
    /// Its `ETag`.
    pub(super) tag: Option<String>,
    /// Its `Use-As-Dictionary`.
    pub(super) use_as_dictionary: Option<String>,
    /// SHA-256 of the content, in base64.
    pub(super) digest: String,
}

/// Fields of a request.
pub(super) type Fields = Vec<(&'static str, String)>;

impl Kept {
    /// With which fields a path is asked for; `None` where it isn't.
    pub(super) fn asks(&self, path: &str) -> Option<Fields> {
        match self.0.get(path) {
            Some(response) if response.is_fresh() => None,
            Some(response) => Some(response.tag.iter().map(|tag| ("If-None-Match", tag.clone())).collect()),
            None => {
                let dictionary = self.0.values().find(|response| response.is_dictionary_for(path));
                Some(
                    dictionary
                        .map(|it| ("Available-Dictionary", format!(":{}:", it.digest)))
                        .into_iter()
                        .collect(),
                )
            }
        }
    }

    /// Keeps what has come for a path.
    pub(super) fn keep(&mut self, path: &str, response: Response) {
        if !response.says("no-store") {
            self.0.insert(path.to_owned(), response);
        }
    }
}

impl Response {
    fn says(&self, directive: &str) -> bool {
        self.cache_control.split(',').any(|said| said.trim() == directive)
    }

    /// Whether it is taken without asking.
    fn is_fresh(&self) -> bool {
        let max_age = self.cache_control.split(',').find_map(|said| said.trim().strip_prefix("max-age="));
        !self.says("no-cache") && max_age.is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|it| it > 0))
    }

    fn is_dictionary_for(&self, path: &str) -> bool {
        let said = self.use_as_dictionary.as_deref().unwrap_or_default();
        let pattern = said.strip_prefix("match=\"").and_then(|rest| rest.split('"').next());
        let around = pattern.and_then(|pattern| pattern.split_once('*'));
        around.is_some_and(|(start, end)| {
            path.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)) && self.is_fresh()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMMUTABLE: &str = "public, max-age=31536000, immutable";

    fn kept(cache_control: &str) -> Kept {
        let mut kept = Kept::default();
        let response = Response {
            cache_control: cache_control.to_owned(),
            tag: Some("\"1\"".to_owned()),
            use_as_dictionary: Some("match=\"/assets/a.*.css\"".to_owned()),
            digest: "abc".to_owned(),
        };
        kept.keep("/assets/a.1.css", response);
        kept
    }

    #[test]
    fn what_is_immutable_is_not_asked_for_again() {
        assert_eq!(kept(IMMUTABLE).asks("/assets/a.1.css"), None);
    }

    #[test]
    fn what_must_be_revalidated_is_asked_for_with_its_tag() {
        for cache_control in ["no-cache", "max-age=60, no-cache", "max-age=0", ""] {
            let asks = kept(cache_control).asks("/assets/a.1.css");
            assert_eq!(asks, Some(vec![("If-None-Match", "\"1\"".to_owned())]), "{cache_control}");
        }
    }

    #[test]
    fn what_was_not_to_be_stored_is_not_there() {
        assert_eq!(kept("no-store").asks("/assets/a.1.css"), Some(Vec::new()));
    }

    #[test]
    fn an_earlier_content_is_a_dictionary_where_its_pattern_says_so() {
        let kept = kept(IMMUTABLE);
        let dictionary = Some(vec![("Available-Dictionary", ":abc:".to_owned())]);
        assert_eq!(kept.asks("/assets/a.2.css"), dictionary);
        for other in ["/assets/b.2.css", "/assets/a.2.js", "/a.2.css"] {
            assert_eq!(kept.asks(other), Some(Vec::new()), "{other}");
        }
    }
}
