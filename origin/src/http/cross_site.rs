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
    // An origin without a host, such as `null`, is no host's, whatever that is called.
    let host = str::from_utf8(origin).ok().and_then(|origin| Some(origin.split_once("://")?.1.as_bytes()));
    let is_this = |name| host.zip(text(name)).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own));
    !(is_this(X_FORWARDED_HOST) || is_this(HOST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn whatever_else_is_said_only_a_page_of_this_host_writes(
            origin in "(null|https?://|evil|shop|\\.example|:8081|@|/|é| ){0,5}",
            said in prop::collection::vec(prop::sample::select(b"shop.ex:8081\xff\xc3\xa9 ".to_vec()), 0..6),
            name in prop::sample::select(vec!["host", "x-forwarded-host"]),
        ) {
            let host = if said.len() > 3 { b"shop.example".to_vec() } else { said };
            let fields = [("origin", origin.as_bytes()), (name, &host[..])];
            let field = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
            let request = HeaderMap::from_iter(fields.map(field));
            let named = origin.split_once("://").map(|(_, host)| host.as_bytes());
            let is_own = named.is_some_and(|named| named.eq_ignore_ascii_case(&host));
            prop_assert_eq!(is_forged(&Method::POST, &request), !is_own, "{:?}", request);
        }

        #[test]
        fn no_credentials_but_a_token_come_from_anywhere(scheme in "(Bearer|bearer|Basic|é| |\t|=){0,4}") {
            let fields = [("sec-fetch-site", "cross-site"), ("authorization", &*scheme)];
            let field = |(name, value): (&'static str, &str)| {
                (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            };
            let is_forged = is_forged(&Method::POST, &HeaderMap::from_iter(fields.map(field)));
            prop_assert!(is_forged || scheme.to_ascii_lowercase().starts_with("bearer "), "{scheme}");
        }
    }
}
