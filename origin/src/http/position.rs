//! Where in the write-ahead log an answer stands, and where its reader does.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::HeaderName;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use tidewall_api::bookmark::Bookmark;
use tidewall_api::headers;

use crate::db::{Lsn, Position, WriteConnection};
use crate::telemetry::chain;

/// The position that the request's bookmark asks for. Anything malformed counts
/// as no bookmark: it is a hint from the client, and nothing fails for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAfter(pub Option<Lsn>);

impl<S: Sync> FromRequestParts<S> for ReadAfter {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(bookmark(&parts.headers)))
    }
}

fn bookmark(headers: &HeaderMap) -> Option<Lsn> {
    let bookmark: Bookmark = headers.get(headers::TIDEWALL_BOOKMARK)?.to_str().ok()?.trim().parse().ok()?;
    (bookmark.lsn > 0).then(|| Lsn::new(bookmark.lsn))
}

/// Says at which position an answer was read.
pub fn read_at(headers: &mut HeaderMap, position: Position) {
    let value = match position {
        Position::AtLeast(lsn) => HeaderValue::from(lsn.get()),
        Position::Primary => HeaderValue::from_static(headers::LSN_PRIMARY),
    };
    headers.insert(HeaderName::from_static(headers::TIDEWALL_LSN), value);
}

/// Says at which position a write can be seen. To be called after its commit has
/// returned. Where the position can't be had any more the write still stands,
/// so the answer goes out without one.
pub async fn written(headers: &mut HeaderMap, connection: &WriteConnection) {
    match connection.flushed().await {
        Ok(lsn) => {
            headers.insert(HeaderName::from_static(headers::TIDEWALL_LSN), HeaderValue::from(lsn.get()));
            if let Ok(bookmark) = HeaderValue::try_from(Bookmark::of_lsn(lsn.get()).to_string()) {
                headers.insert(HeaderName::from_static(headers::TIDEWALL_BOOKMARK), bookmark);
            }
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), "a write's position is unknown");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], expected: Option<u64>) {
        let name = HeaderName::from_static(headers::TIDEWALL_BOOKMARK);
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())]);
        assert_eq!(bookmark(&headers), expected.map(Lsn::new), "{value:?}");
    }

    #[test]
    fn a_bookmark_asks_for_its_position_in_the_wal() {
        check(b"0.123", Some(123));
        check(b"1790000000000.123", Some(123));
        check(b"-.123", Some(123));
    }

    #[test]
    fn nothing_and_nonsense_ask_for_none() {
        check(b"5.0", None);
        check(b"", None);
        check(b"123", None);
        check(b"0.abc", None);
        check(b"0.99999999999999999999", None);
        check("0.1ü".as_bytes(), None);
        assert_eq!(bookmark(&HeaderMap::new()), None);
    }
}
