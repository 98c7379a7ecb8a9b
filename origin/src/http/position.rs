//! Where in the write-ahead log an answer stands, and where its reader does.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{COOKIE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use tidewall_api::bookmark::Bookmark;
use tidewall_api::headers;

use crate::db::{Db, Lsn, Position};

/// The position that the request's bookmark asks for, in the header or in the
/// cookie; the greater of both. Anything malformed counts as no bookmark, and is
/// counted: it is a hint from the client, and nothing fails for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAfter(pub Option<Lsn>);

impl<S> FromRequestParts<S> for ReadAfter
where
    S: Sync,
    Db: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let (bookmark, malformed) = bookmark(&parts.headers);
        if malformed {
            Db::from_ref(state).count_malformed_bookmark();
        }
        Ok(Self(bookmark))
    }
}

/// The greatest position that is asked for, and whether anything malformed was sent.
fn bookmark(request: &HeaderMap) -> (Option<Lsn>, bool) {
    let field = request.get_all(headers::TIDEWALL_BOOKMARK).iter().map(HeaderValue::as_bytes);
    let cookies =
        request.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let cookie = cookies.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(headers::TW_BOOKMARK.as_bytes())?;
        value.strip_prefix(b"=")
    });
    let (mut greatest, mut malformed) = (None, false);
    for value in field.chain(cookie) {
        let text = str::from_utf8(value.trim_ascii()).ok();
        match text.and_then(|text| text.parse::<Bookmark>().ok()) {
            Some(bookmark) => greatest = greatest.max(Some(bookmark.lsn)),
            None => malformed = true,
        }
    }
    (greatest.filter(|lsn| *lsn > 0).map(Lsn::new), malformed)
}

/// Says at which position an answer was read.
pub fn read_at(headers: &mut HeaderMap, position: Position) {
    let value = match position {
        Position::AtLeast(lsn) => HeaderValue::from(lsn.get()),
        Position::Primary => HeaderValue::from_static(headers::LSN_PRIMARY),
    };
    headers.insert(HeaderName::from_static(headers::TIDEWALL_LSN), value);
}

/// Says at which position a write can be seen, and gives its author a bookmark of
/// it. Where the position isn't known the write still stands, and the answer goes
/// out without.
pub fn written(headers: &mut HeaderMap, position: Option<Lsn>) {
    let Some(lsn) = position else { return };
    headers.insert(HeaderName::from_static(headers::TIDEWALL_LSN), HeaderValue::from(lsn.get()));
    if let Ok(bookmark) = HeaderValue::try_from(Bookmark::of_lsn(lsn.get()).to_string()) {
        headers.insert(HeaderName::from_static(headers::TIDEWALL_BOOKMARK), bookmark);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(fields: &[(HeaderName, &[u8])], expected: Option<u64>, malformed: bool) {
        let headers = HeaderMap::from_iter(
            fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap())),
        );
        assert_eq!(bookmark(&headers), (expected.map(Lsn::new), malformed), "{fields:?}");
    }

    const FIELD: HeaderName = HeaderName::from_static(headers::TIDEWALL_BOOKMARK);

    #[test]
    fn a_bookmark_asks_for_its_position_in_the_wal() {
        check(&[(FIELD, b"0.123")], Some(123), false);
        check(&[(FIELD, b"1790000000000.123")], Some(123), false);
        check(&[(FIELD, b"-.123")], Some(123), false);
        check(&[(COOKIE, b"a=b; tw_bookmark=0.123; c=d")], Some(123), false);
    }

    #[test]
    fn of_several_the_greatest_counts() {
        check(&[(FIELD, b"0.5"), (COOKIE, b"tw_bookmark=0.7")], Some(7), false);
        check(&[(FIELD, b"0.8"), (COOKIE, b"tw_bookmark=0.7")], Some(8), false);
    }

    #[test]
    fn nothing_asks_for_none() {
        check(&[], None, false);
        check(&[(FIELD, b"5.0")], None, false);
        check(&[(COOKIE, b"tw_bookmarks=0.1; xtw_bookmark=0.1")], None, false);
    }

    #[test]
    fn nonsense_asks_for_none_and_is_told_apart_from_nothing() {
        for nonsense in [&b""[..], b"123", b"0.abc", b"0.99999999999999999999", "0.1\u{fc}".as_bytes()] {
            check(&[(FIELD, nonsense)], None, true);
        }
        check(&[(FIELD, b"x"), (COOKIE, b"tw_bookmark=0.7")], Some(7), true);
    }

    proptest! {
        #[test]
        fn of_whatever_is_brought_the_greatest_position_counts(
            values in prop::collection::vec("([0-9]{1,21}|-|\\.| |\t|é|,|\\+){0,5}", 0..4), in_cookie: bool,
        ) {
            let bookmarks = values.iter().map(|value| value.trim().parse::<Bookmark>().map(|read| read.lsn));
            let malformed = bookmarks.clone().any(|read| read.is_err());
            let greatest = bookmarks.flatten().max().filter(|lsn| *lsn > 0);
            let field = |value: &String| match in_cookie {
                true => (COOKIE, format!("a=b; tw_bookmark={value}; c")),
                false => (FIELD, value.clone()),
            };
            let fields: Vec<_> = values.iter().map(field).collect();
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), value.as_bytes())).collect();
            check(&fields, greatest, malformed);
        }
    }
}
