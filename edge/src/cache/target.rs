//! The parts of a request's URL.

/// A URL as the URL Standard writes it (the runtime has parsed and normalised it:
/// dot segments are resolved, scheme and host in lower case), split into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host, and port where it isn't the scheme's own.
    pub host: &'a str,
    /// Path, at least `/`.
    pub path: &'a str,
    /// Query without its question mark.
    pub query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Splits an absolute URL; `None` where it isn't one.
    pub fn parse(url: &'a str) -> Option<Self> {
        let url = url.split_once('#').map_or(url, |(url, _)| url);
        let (scheme, rest) = url.split_once("://")?;
        let (host, path_and_query) = rest.split_at(rest.find('/')?);
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        Some(Self { scheme, host, path, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_its_parts() {
        let check = |url, expected: Option<(&str, &str, &str, Option<&str>)>| {
            let parts = Target::parse(url).map(|t| (t.scheme, t.host, t.path, t.query));
            assert_eq!(parts, expected, "{url}");
        };
        check("https://a.example/", Some(("https", "a.example", "/", None)));
        check("http://127.0.0.1:8787/a/b?c=d?e#f", Some(("http", "127.0.0.1:8787", "/a/b", Some("c=d?e"))));
        check("http://a/?", Some(("http", "a", "/", Some(""))));
        check("/relative", None);
        check("http://a", None);
    }
}
