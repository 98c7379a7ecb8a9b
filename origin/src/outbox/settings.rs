//! Which edges there are, and what opens them.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// Where an edge says how it is.
const STATUS_PATH: &str = "/_tidewall/status";
/// Where purges are sent, below an edge's URL.
const PURGE_PATH: &str = "/_tidewall/purge";

/// The edges and their token.
#[derive(Clone)]
pub struct EdgeSettings {
    pub(super) endpoints: Vec<Endpoint>,
    /// Marked as sensitive, so that it is shown nowhere.
    pub(super) authorization: HeaderValue,
}

/// One edge.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// As it was configured.
    pub(super) name: String,
    pub(super) purge: Url,
    pub(super) status: Url,
}

/// Edges that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeSettingsError {
    /// Nothing to authorize with.
    #[error("EDGE_URL is set, and PURGE_TOKEN is not; set it to the token that the edge has")]
    NoToken,
    /// Can't be in a field.
    #[error("PURGE_TOKEN must be of visible ASCII characters")]
    Token,
    /// Not a URL.
    #[error("`{0}` is no edge's URL; write it as https://edge.example.com or http://127.0.0.1:8787")]
    Url(String),
}

impl EdgeSettings {
    /// The edges at `urls`, which all have `token`; `None` where there are none. Empty
    /// text is like none.
    pub fn parse(urls: &[String], token: &str) -> Result<Option<Self>, EdgeSettingsError> {
        let urls: Vec<_> = urls.iter().map(|url| url.trim()).filter(|url| !url.is_empty()).collect();
        if urls.is_empty() {
            return Ok(None);
        }
        if token.is_empty() {
            return Err(EdgeSettingsError::NoToken);
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EdgeSettingsError::Token);
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| EdgeSettingsError::Token)?;
        authorization.set_sensitive(true);
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for url in urls {
            let endpoint = Endpoint::parse(url)?;
            if endpoints.iter().all(|other| other.purge != endpoint.purge) {
                endpoints.push(endpoint);
            }
        }
        Ok(Some(Self { endpoints, authorization }))
    }
}

impl Endpoint {
    fn parse(text: &str) -> Result<Self, EdgeSettingsError> {
        // A password in it must not be shown.
        let shown = || text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned();
        let wrong = || EdgeSettingsError::Url(shown());
        let mut url = Url::parse(text).map_err(|_| wrong())?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_bare {
            return Err(wrong());
        }
        let name = url.as_str().trim_end_matches('/').to_owned();
        let mut status = url.clone();
        status.set_path(STATUS_PATH);
        url.set_path(PURGE_PATH);
        Ok(Self { name, purge: url, status })
    }
}

/// Without the token.
impl fmt::Debug for EdgeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeSettings").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(urls: &[&str], token: &str, expected: &str) {
        let urls: Vec<String> = urls.iter().map(|&url| url.to_owned()).collect();
        let outcome = match EdgeSettings::parse(&urls, token) {
            Ok(None) => "none".to_owned(),
            Ok(Some(settings)) => {
                settings.endpoints.iter().map(|edge| edge.purge.as_str()).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert!(outcome.contains(expected), "{urls:?}: {outcome}");
    }

    #[test]
    fn edges_are_named_by_their_base_urls() {
        check(&["http://127.0.0.1:8787"], "t", "http://127.0.0.1:8787/_tidewall/purge");
        check(
            &["http://a/", " http://b:1 ", "http://a"],
            "t",
            "http://a/_tidewall/purge http://b:1/_tidewall/purge",
        );
        check(&["https://edge.example.com"], "t", "https://edge.example.com/_tidewall/purge");
    }

    #[test]
    fn nothing_is_no_edge() {
        check(&[], "", "none");
        check(&["", " "], "t", "none");
    }

    #[test]
    fn an_edge_needs_a_token() {
        check(&["http://a"], "", "PURGE_TOKEN is not");
        check(&["http://a"], "a b", "visible ASCII");
        check(&["http://a"], "a\n", "visible ASCII");
    }

    #[test]
    fn what_is_no_edges_url_is_named_without_its_password() {
        for url in ["a:8787", "127.0.0.1:8787", "ftp://a", "http://a/path", "http://a?x", "http://", "x"] {
            check(&[url], "t", "is no edge's URL");
        }
        check(&["http://me:hush@a"], "t", "`a` is no edge's URL");
    }

    #[test]
    fn the_token_is_shown_nowhere() {
        let settings = EdgeSettings::parse(&["http://a".to_owned()], "hush").unwrap().unwrap();
        assert!(!format!("{settings:?}").contains("hush"));
        assert!(!format!("{:?}", settings.authorization).contains("hush"));
    }
}
