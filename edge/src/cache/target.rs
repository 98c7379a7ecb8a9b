//! The parts of a request's URL.

use std::borrow::Cow;

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

    /// Splits the URL of a request. `None` where it names a user, which no host does
    /// (RFC 9110, section 4.2.4).
    pub fn of_request(url: &'a str) -> Option<Self> {
        Self::parse(url).filter(|target| !target.host.is_empty() && !target.host.contains('@'))
    }

    /// The URL that `reference` means beside this one (RFC 3986, section 5.2), without
    /// a fragment. `None` where it isn't of `http` or `https`.
    pub fn resolve(&self, reference: &str) -> Option<String> {
        let reference = &*normal_escapes(reference.trim());
        let reference = reference.split_once('#').map_or(reference, |(reference, _)| reference);
        if let Some(authority) = reference.strip_prefix("//") {
            return absolute(self.scheme, authority);
        }
        if let Some((scheme, rest)) = reference.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            return absolute(&scheme.to_ascii_lowercase(), rest.strip_prefix("//")?);
        }
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let (path, query) = match path {
            "" => (self.path.to_owned(), query.or(self.query)),
            path if path.starts_with('/') => (without_dots(path), query),
            path => {
                let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                (without_dots(&format!("{folder}/{path}")), query)
            }
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("{}://{}{path}{query}", self.scheme, self.host))
    }

    /// Whether both are of one origin: scheme, host and port (RFC 9110, section 4.3.1).
    pub fn is_same_origin(&self, other: &Target<'_>) -> bool {
        (self.scheme, self.host) == (other.scheme, other.host)
    }
}

/// An absolute URL in the form of the URL Standard.
fn absolute(scheme: &str, rest: &str) -> Option<String> {
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.to_ascii_lowercase();
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    let (path, query) = path_and_query.split_at(path_and_query.find('?').unwrap_or(path_and_query.len()));
    Some(format!("{scheme}://{host}{}{query}", without_dots(path)))
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The same URL or path with each escape written in the one way that all spellings have in
/// common (RFC 3986, sections 6.2.2.1 and 6.2.2.2): none for what needs none, others in upper
/// case. The URL Standard leaves them as they are.
pub fn normal_escapes(url: &str) -> Cow<'_, str> {
    let mut parts = url.split('%');
    let first = parts.next().unwrap_or_default();
    if first.len() == url.len() {
        return Cow::Borrowed(url);
    }
    let mut normal = first.to_owned();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| Some((digits, u8::from_str_radix(digits, 16).ok()?))) {
            Some((_, byte)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                normal.push_str(&part[2..]);
            }
            Some((digits, _)) => {
                normal.push('%');
                normal.push_str(&digits.to_ascii_uppercase());
                normal.push_str(&part[2..]);
            }
            // None of the kind: so that no two of them make one.
            None => {
                normal.push_str("%25");
                normal.push_str(part);
            }
        }
    }
    Cow::Owned(normal)
}

/// RFC 3986, section 5.2.4.
pub fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if ends_in_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    #[test]
    fn escapes_are_written_in_one_way() {
        let check = |url: &str, expected: &str| {
            assert_eq!(normal_escapes(url), expected);
            assert_eq!(normal_escapes(expected), expected, "once is enough");
        };
        check("http://a/api/items/%34%32", "http://a/api/items/42");
        check("/caf%c3%a9?q=%7e%2D%5f%2E", "/caf%C3%A9?q=~-_.");
        check("/%70rivate/%2f%3F%25%20", "/private/%2F%3F%25%20");
        check("/100%/%zz/%4", "/100%25/%25zz/%254");
        check("/%é%C3", "/%25é%C3");
        check("/%%341", "/%2541");
        check("/plain", "/plain");
    }

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

    #[test]
    fn a_request_is_for_a_host_and_no_user() {
        assert!(Target::of_request("http://a/b").is_some());
        for url in ["http://u@a/b", "http://u:p@a/b", "http:///b", ""] {
            assert_eq!(Target::of_request(url), None, "{url}");
        }
    }

    #[test]
    fn a_reference_is_resolved_beside_the_target() {
        let target = Target::parse("https://a.example/b/c?q").unwrap();
        let check = |reference: &str, expected: Option<&str>| {
            assert_eq!(target.resolve(reference).as_deref(), expected, "{reference}");
        };
        check("", Some("https://a.example/b/c?q"));
        check("?r", Some("https://a.example/b/c?r"));
        check("#f", Some("https://a.example/b/c?q"));
        check("d", Some("https://a.example/b/d"));
        check("./d/../e?x#f", Some("https://a.example/b/e?x"));
        check("../../../d", Some("https://a.example/d"));
        check("..", Some("https://a.example/"));
        check("/d/./e/", Some("https://a.example/d/e/"));
        check("//Other:443/d", Some("https://other/d"));
        check("HTTP://A.example:80", Some("http://a.example/"));
        check("https://a.example:8443?x", Some("https://a.example:8443/?x"));
        check("d:e", None);
        check("mailto:a@b", None);
        check("ftp://a/b", None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let check = |one, other, expected| {
            let (one, other) = (Target::parse(one).unwrap(), Target::parse(other).unwrap());
            assert_eq!(one.is_same_origin(&other), expected, "{one:?} {other:?}");
        };
        check("http://a/x", "http://a/y?z", true);
        check("http://a/x", "https://a/x", false);
        check("http://a/x", "http://a:8080/x", false);
        check("http://a/x", "http://b/x", false);
    }

    #[test]
    fn long_urls_are_read_to_their_end() {
        let target = Target::parse("https://a.example/b/c?q").unwrap();
        for part in long_values() {
            for url in [part.clone(), format!("https://{part}"), format!("https://a.example/{part}")] {
                let _ = target.resolve(&url);
                let _ = Target::of_request(&normal_escapes(&url));
            }
        }
    }

    proptest! {
        #[test]
        fn escapes_are_written_in_one_way_whatever_there_is(url in "(%|[0-9a-fA-F]|/|\\.|~|é|\\?){0,16}") {
            let once = normal_escapes(&url).into_owned();
            prop_assert_eq!(&*normal_escapes(&once), &*once, "{}", url);
        }

        #[test]
        fn no_path_keeps_its_dots(path in "(/|\\.|\\.\\.|a|%2e){0,12}") {
            let once = without_dots(&path);
            prop_assert!(once.starts_with('/') && once.split('/').all(|segment| !matches!(segment, "." | "..")));
            prop_assert_eq!(without_dots(&once), once);
        }

        #[test]
        fn whatever_is_referred_to_is_a_url_of_http_without_dots(
            reference in "(https?:|HTTP:|ftp:|//|/|\\.|\\.\\.|a|B|:80|:443|@|\\?|#|%2[eE]|%|\\\\| |é){0,10}",
        ) {
            let target = Target::parse("https://a.example/b/c?q").unwrap();
            if let Some(url) = target.resolve(&reference) {
                let resolved = Target::parse(&url).unwrap();
                prop_assert!(matches!(resolved.scheme, "http" | "https"), "{url}");
                prop_assert_eq!(without_dots(resolved.path), resolved.path);
                prop_assert!(!url.contains('#'));
            }
        }
    }
}
