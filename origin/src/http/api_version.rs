//! Refuses what a page from before a deploy asks for in shapes that this origin no longer
//! speaks, and says with each answer which ones it does.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tidewall_api::api_version::{self, API_VERSION};
use tidewall_api::headers::TIDEWALL_API_VERSION;

use super::error::{ApiError, FieldErrors};

/// Where the shapes are.
pub(super) const PREFIX: &str = "/api/";

pub(super) async fn negotiate(request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(PREFIX) {
        return next.run(request).await;
    }
    let mut response = match refusal(request.headers(), API_VERSION) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    response.headers_mut().insert(TIDEWALL_API_VERSION, HeaderValue::from(API_VERSION));
    response
}

/// Why a request can't be answered by an origin of the version `own`. Who names no version is
/// a program that minds none.
///
/// The status is 409: the request is well formed, and can be sent again once its sender has
/// resolved what stands in the way (RFC 9110, section 15.5.10). 406 is about answers alone, and
/// this is as true of what a write brings; 426 is about protocols. No cache keeps a 409 and no
/// balancer holds it against the origin, so that nobody's field harms anybody else.
fn refusal(request: &HeaderMap, own: u32) -> Option<ApiError> {
    let mut named = request.get_all(TIDEWALL_API_VERSION).iter();
    let first = named.next()?;
    let version = match named.next() {
        Some(_) => None,
        None => first.to_str().ok().and_then(api_version::parse),
    };
    let Some(version) = version else {
        let detail = "`Tidewall-Api-Version` must be one version, such as 1, or not be there.";
        return Some(ApiError::BadRequest(detail.to_owned()));
    };
    let (slug, title, detail) = match version.cmp(&own) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => {
            ("client-outdated", "This page is out of date", "Reload the page to get its newest version.")
        }
        std::cmp::Ordering::Greater => (
            "server-outdated",
            "An update is under way",
            "This server doesn't have the newest version yet. Try again in a moment.",
        ),
    };
    Some(ApiError::Conflict { slug, title, detail: detail.to_owned(), errors: FieldErrors::new() })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    /// The status and problem that an origin of version 2 answers with.
    fn check(named: &[&'static [u8]], expected: Option<(u16, &str)>) {
        let field = |value| (TIDEWALL_API_VERSION.parse().unwrap(), HeaderValue::from_bytes(value).unwrap());
        let request = named.iter().map(|&value| field(value)).collect();
        let refused = refusal(&request, 2).map(ApiError::into_response);
        let found = refused.as_ref().map(|response| {
            let problem = response.extensions().get::<tidewall_api::problem::Problem>().unwrap();
            (response.status().as_u16(), problem.kind.as_str())
        });
        assert_eq!(found, expected, "{named:?}");
    }

    #[test]
    fn its_own_version_and_none_are_answered() {
        check(&[], None);
        check(&[b"2"], None);
    }

    #[test]
    fn who_is_older_is_told_to_come_newer_and_who_is_newer_to_wait() {
        check(&[b"1"], Some((409, "/problems/client-outdated")));
        check(&[b"3"], Some((409, "/problems/server-outdated")));
    }

    #[test]
    fn what_is_no_version_can_not_be_read() {
        for nonsense in [&b""[..], b"0", b"two", b"2, 2", b"\xff", b"99999999999"] {
            check(&[nonsense], Some((400, "/problems/bad-request")));
        }
        check(&[b"2", b"2"], Some((400, "/problems/bad-request")));
    }

    proptest! {
        #[test]
        fn of_whatever_is_named_only_its_own_version_is_answered(value in "([0-9]{1,12}|\\+|-| |,|\t|é){0,3}") {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let request = HeaderMap::from_iter([(HeaderName::from_static(TIDEWALL_API_VERSION), value.clone())]);
            prop_assert_eq!(refusal(&request, 2).is_none(), value == "2");
        }
    }
}
