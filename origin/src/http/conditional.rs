//! Entity tags and the requests that depend on them (RFC 9110, sections 8.8.3 and 13.1.2).

use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tidewall_api::entity_tag::is_named;

use super::error::ApiError;

/// Bytes of the digest in a tag: chance makes no two bodies share 128 bits.
const TAG_BYTES: usize = 16;

/// Answers with `body` as JSON under a strong entity tag, or with 304 if the
/// client has it. The caller adds the other fields, the same in both cases.
pub fn json<T: Serialize>(request: &HeaderMap, body: &T) -> Result<Response, ApiError> {
    let mut response = tagged(body)?;
    let tag = &response.headers()[ETAG];
    if tag.to_str().is_ok_and(|tag| matches_any(request, tag)) {
        let tag = tag.clone();
        response = StatusCode::NOT_MODIFIED.into_response();
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// Answers with `body` as JSON under a strong entity tag, byte for byte and with the same
/// tag as [`json`]: for the answer to a write that says what a read would say now.
pub fn tagged<T: Serialize>(body: &T) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
    let tag = HeaderValue::try_from(entity_tag(&body)).map_err(ApiError::internal)?;
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    response.headers_mut().insert(ETAG, tag);
    Ok(response)
}

fn entity_tag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..TAG_BYTES]))
}

/// Whether `If-None-Match` names `tag`, by weak comparison (RFC 9110, section 13.1.2).
pub(super) fn matches_any(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| is_named(value, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(if_none_match: &[&str], matches: bool) {
        let headers = if_none_match.iter().map(|value| (IF_NONE_MATCH, value.parse().unwrap())).collect();
        assert_eq!(matches_any(&headers, "\"abc\""), matches, "{if_none_match:?}");
    }

    #[test]
    fn a_tag_may_be_on_any_line_of_the_field() {
        check(&["\"abc\""], true);
        check(&["\"x\"", "W/\"abc\""], true);
        check(&["\"x\""], false);
        check(&[], false);
    }

    #[test]
    fn the_tag_is_of_the_body() {
        assert_eq!(entity_tag(b"a"), entity_tag(b"a"));
        assert_ne!(entity_tag(b"a"), entity_tag(b"b"));
    }
}
