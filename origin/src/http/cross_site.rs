//! Keeps other sites from writing in the name of who visits them (cross-site request forgery).
//!
//! A browser sends this site's cookies along with what another site's page has it send, and
//! says where that page came from. `SameSite=Lax` holds most of it back already; it lets
//! neighbours pass, and old browsers don't know it.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::accounts::bearer;
use super::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How a proxy in front says which host was asked.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

pub(super) async fn refuse(request: Request, next: Next) -> Response {
    if is_forged(request.method(), request.headers()) {
        return ApiError::Forbidden("This was sent by another site's page.").into_response();
    }
    next.run(request).await
}

/// Whether it is a write that a page of another site has a browser send.
fn is_forged(method: &Method, request: &HeaderMap) -> bool {
    // A page can't send a token to another site, and the session's cookie doesn't count beside it.
    if method.is_safe() || bearer(request).is_some() {
        return false;
    }
    let text = |name: HeaderName| request.get(name).map(HeaderValue::as_bytes);
    if let Some(site) = text(SEC_FETCH_SITE) {
        return !matches!(site, b"same-origin" | b"none");
    }
    // A browser that says neither is none (Fetch, section 3.2: `Origin` goes with every
    // method but GET and HEAD).
    let Some(origin) = text(ORIGIN) else { return false };
    let host = |origin: &[u8]| {
        let origin = str::from_utf8(origin).ok()?;
        origin.split_once("://").map(|(_, host)| host.to_ascii_lowercase())
    };
    let is_this = |name| {
        text(name).is_some_and(|own| host(origin) == str::from_utf8(own).ok().map(str::to_ascii_lowercase))
    };
    !(is_this(X_FORWARDED_HOST) || is_this(HOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, fields: &[(&'static str, &'static str)], expected: bool) {
        let host = ("host", "10.0.0.1:8081");
        let fields = fields.iter().chain([&host]);
        let request = HeaderMap::from_iter(
            fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))),
        );
        assert_eq!(is_forged(&method, &request), expected, "{method} {request:?}");
    }

    #[test]
    fn a_write_from_another_sites_page_is_refused() {
        for site in ["cross-site", "same-site", "x"] {
            check(Method::POST, &[("sec-fetch-site", site)], true);
        }
        for origin in ["https://evil.example", "null", "http://10.0.0.1", "http://10.0.0.1:8081.evil"] {
            check(Method::DELETE, &[("origin", origin)], true);
            check(Method::PUT, &[("origin", origin), ("x-forwarded-host", "shop.example")], true);
        }
        check(Method::POST, &[("sec-fetch-site", "cross-site"), ("origin", "http://10.0.0.1:8081")], true);
    }

    #[test]
    fn a_write_from_this_sites_page_or_from_no_page_is_not() {
        check(Method::POST, &[], false);
        check(Method::POST, &[("sec-fetch-site", "same-origin")], false);
        check(Method::POST, &[("sec-fetch-site", "none"), ("origin", "null")], false);
        check(Method::POST, &[("origin", "http://10.0.0.1:8081")], false);
        check(
            Method::POST,
            &[("origin", "https://Shop.example"), ("x-forwarded-host", "shop.example")],
            false,
        );
    }

    #[test]
    fn reads_and_programs_with_a_token_may_come_from_anywhere() {
        check(Method::GET, &[("sec-fetch-site", "cross-site")], false);
        check(Method::POST, &[("sec-fetch-site", "cross-site"), ("authorization", "Bearer x")], false);
    }

    #[test]
    fn credentials_that_browsers_add_by_themselves_open_nothing() {
        check(Method::POST, &[("sec-fetch-site", "same-site"), ("authorization", "Basic YTpi")], true);
    }
}
