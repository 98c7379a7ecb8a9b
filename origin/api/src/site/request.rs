//! What of a request decides how the site answers it.

/// A request, as far as the site cares. Fields that come several times are joined by commas
/// (RFC 9110, section 5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its method, such as `GET`.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Accept-Encoding`, as the client itself said it.
    pub accept_encoding: Option<&'a str>,
    /// `Available-Dictionary` (RFC 9842, section 2.2).
    pub available_dictionary: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
    /// `Range`.
    pub range: Option<&'a str>,
}

impl Request<'_> {
    /// Whether it can be answered with a file.
    pub(super) fn is_read(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }
}

/// Whether an `Accept` field names HTML, as those of browsers do when they open a
/// page and those of programs don't: they say `*/*` or nothing (RFC 9110, section 12.5.1).
pub(super) fn wants_html(accept: Option<&str>) -> bool {
    accept.unwrap_or_default().split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("text/html")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_accept_field_that_names_html_wants_it() {
        assert!(wants_html(Some("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(wants_html(Some("application/json, TEXT/HTML ;q=0.5")));
        for accept in [None, Some(""), Some("*/*"), Some("application/json"), Some("text/htmlx")] {
            assert!(!wants_html(accept), "{accept:?}");
        }
    }
}
