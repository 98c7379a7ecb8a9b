//! Bodies as they arrive, at most so many bytes of them, and not too slowly.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use axum::http::request::Parts;
use futures::StreamExt as _;
use tokio::time::timeout;

use super::deadline::Receiving;
use super::error::ApiError;

/// How much of a body that is refused is read, to be thrown away. A sender that
/// doesn't read while it sends, as most don't, would lose the answer with the
/// connection if that were closed under it (RFC 9112, section 9.6).
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// And for how long: the answer is to go out before the request's time is over.
const DISCARDING_MAX: Duration = Duration::from_secs(25);

/// A body that is being read.
pub struct Incoming {
    chunks: BodyDataStream,
    /// Read already.
    bytes: usize,
    /// The sender says that it has so many, or more.
    announced: u64,
    bytes_max: usize,
    sender_waits: bool,
    /// Of an upload: how long it may take.
    receiving: Option<Receiving>,
}

impl Incoming {
    /// The body of a request with these fields, which may have so many bytes. It arrives in the
    /// time that every request has.
    pub fn new(head: &HeaderMap, body: Body, bytes_max: usize) -> Self {
        use axum::body::HttpBody as _;
        let announced = body.size_hint().lower();
        let sender_waits = waits_for_leave(head);
        let chunks = body.into_data_stream();
        Self { chunks, bytes: 0, announced, bytes_max, sender_waits, receiving: None }
    }

    /// The body of a request with this head, which is an upload: it may take longer, as long as
    /// it comes on. What is done with it then has the time that every request has.
    pub fn upload(head: &Parts, body: Body, bytes_max: usize) -> Self {
        let receiving = Receiving::begin(&head.extensions);
        Self { receiving: Some(receiving), ..Self::new(&head.headers, body, bytes_max) }
    }

    /// The next bytes; `None` after the last. [`ApiError::TooLarge`] once there are too many,
    /// [`ApiError::TooSlow`] if none of an upload come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.announced > self.bytes_max as u64 && self.sender_waits {
            return Err(self.too_large());
        }
        let chunk = match &self.receiving {
            None => self.chunks.next().await,
            Some(receiving) => receiving.wait(self.chunks.next()).await.ok_or(ApiError::TooSlow)?,
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk.map_err(|_| ApiError::BadRequest("The body broke off.".to_owned()))?;
        self.bytes += chunk.len();
        if self.bytes > self.bytes_max {
            self.discard().await;
            return Err(self.too_large());
        }
        Ok(Some(chunk))
    }

    /// All of it.
    pub async fn whole(mut self) -> Result<Vec<u8>, ApiError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// Whether it is too large by what the sender says of it.
    pub async fn refuse_if_too_large(&mut self) -> Result<(), ApiError> {
        if self.announced <= self.bytes_max as u64 {
            return Ok(());
        }
        self.discard().await;
        Err(self.too_large())
    }

    /// Throws the rest away, before an answer that doesn't need it.
    pub async fn discard(&mut self) {
        if self.sender_waits && self.bytes == 0 {
            return;
        }
        let discarding = async {
            while let Some(Ok(chunk)) = self.chunks.next().await {
                self.bytes += chunk.len();
                if self.bytes > DISCARDED_BYTES_MAX {
                    return;
                }
            }
        };
        let _ended_or_not = timeout(DISCARDING_MAX, discarding).await;
    }

    fn too_large(&self) -> ApiError {
        ApiError::TooLarge { bytes_max: self.bytes_max }
    }
}

/// Whether the sender keeps the body back until it is asked for (RFC 9110, section 10.1.1).
fn waits_for_leave(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The type that a body is said to have, without parameters and in lower case.
pub fn essence(head: &HeaderMap) -> String {
    let content_type = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    async fn check(body: &'static str, bytes_max: usize, expected: Option<&str>) {
        let head = HeaderMap::new();
        let whole = Incoming::new(&head, Body::from(body), bytes_max).whole().await;
        match (whole, expected) {
            (Ok(whole), Some(expected)) => assert_eq!(whole, expected.as_bytes()),
            (Err(ApiError::TooLarge { bytes_max: named }), None) => assert_eq!(named, bytes_max),
            (outcome, expected) => panic!("{outcome:?} is not {expected:?}"),
        }
    }

    #[tokio::test]
    async fn a_body_may_have_so_many_bytes() {
        check("", 0, Some("")).await;
        check("abc", 3, Some("abc")).await;
        check("abcd", 3, None).await;
    }

    #[tokio::test]
    async fn what_is_announced_as_too_large_is_refused_before_it_is_read() {
        let head = HeaderMap::from_iter([(EXPECT, HeaderValue::from_static("100-continue"))]);
        let mut incoming = Incoming::new(&head, Body::from("abcd"), 3);
        assert!(matches!(incoming.refuse_if_too_large().await, Err(ApiError::TooLarge { bytes_max: 3 })));
        assert_eq!(incoming.bytes, 0, "a sender that waits was not asked for it");
        let mut small = Incoming::new(&head, Body::from("abc"), 3);
        assert!(small.refuse_if_too_large().await.is_ok());
    }

    #[test]
    fn a_type_is_known_without_its_parameters() {
        let of = |value| essence(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]));
        assert_eq!(of("Text/CSV; charset=utf-8"), "text/csv");
        assert_eq!(of("image/png"), "image/png");
        assert_eq!(essence(&HeaderMap::new()), "");
    }

    proptest! {
        #[test]
        fn a_type_has_no_parameters(value in "(text/csv|Image/PNG|;|=|,| |\t|/|é){0,8}") {
            let head = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_bytes(value.as_bytes()).unwrap())]);
            let essence = essence(&head);
            prop_assert_eq!(essence.trim(), &essence);
            prop_assert!(essence.is_ascii() && !essence.contains(';') && essence == essence.to_ascii_lowercase());
        }
    }
}
