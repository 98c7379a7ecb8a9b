//! Bodies as they arrive, at most so many bytes of them, and not too slowly.

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use futures::StreamExt as _;

use super::deadline::Receiving;
use super::error::ApiError;

/// A body that is being read.
pub struct Incoming {
    chunks: BodyDataStream,
    /// Read already.
    bytes: usize,
    /// The sender says that it has so many, or more.
    announced: u64,
    bytes_max: usize,
    /// Of an upload: how long it may take.
    receiving: Option<Receiving>,
}

impl Incoming {
    /// A body that may have so many bytes. It arrives in the time that every request has.
    pub fn new(body: Body, bytes_max: usize) -> Self {
        use axum::body::HttpBody as _;
        let announced = body.size_hint().lower();
        let chunks = body.into_data_stream();
        Self { chunks, bytes: 0, announced, bytes_max, receiving: None }
    }

    /// The body of a request with this head, which is an upload: it may take longer, as long as
    /// it comes on. What is done with it then has the time that every request has.
    pub fn upload(head: &Parts, body: Body, bytes_max: usize) -> Self {
        let receiving = Receiving::begin(&head.extensions);
        Self { receiving: Some(receiving), ..Self::new(body, bytes_max) }
    }

    /// The next bytes; `None` after the last. [`ApiError::TooLarge`] once there are too many,
    /// [`ApiError::TooSlow`] if none of an upload come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.refuse_if_too_large()?;
        let chunk = match &self.receiving {
            None => self.chunks.next().await,
            Some(receiving) => receiving.wait(self.chunks.next()).await.ok_or(ApiError::TooSlow)?,
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk.map_err(|_| ApiError::BadRequest("The body broke off.".to_owned()))?;
        self.bytes += chunk.len();
        if self.bytes > self.bytes_max {
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
    pub fn refuse_if_too_large(&self) -> Result<(), ApiError> {
        if self.announced > self.bytes_max as u64 { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> ApiError {
        ApiError::TooLarge { bytes_max: self.bytes_max }
    }
}

/// The type that a body is said to have, without parameters and in lower case.
pub fn essence(head: &HeaderMap) -> String {
    let content_type = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::HeaderValue;
    use futures::stream;
    use proptest::prelude::*;

    use super::*;

    async fn check(body: &'static str, bytes_max: usize, expected: Option<&str>) {
        let in_chunks = body.as_bytes().chunks(2).map(Ok::<_, Infallible>);
        for body in [Body::from(body), Body::from_stream(stream::iter(in_chunks))] {
            match (Incoming::new(body, bytes_max).whole().await, expected) {
                (Ok(whole), Some(expected)) => assert_eq!(whole, expected.as_bytes()),
                (Err(ApiError::TooLarge { bytes_max: named }), None) => assert_eq!(named, bytes_max),
                (outcome, expected) => panic!("{outcome:?} is not {expected:?}"),
            }
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
        let mut incoming = Incoming::new(Body::from("abcd"), 3);
        assert!(matches!(incoming.refuse_if_too_large(), Err(ApiError::TooLarge { bytes_max: 3 })));
        assert!(matches!(incoming.next().await, Err(ApiError::TooLarge { bytes_max: 3 })));
        assert_eq!(incoming.bytes, 0, "a sender that waits is not asked for it");
        let small = Incoming::new(Body::from("abc"), 3);
        assert!(small.refuse_if_too_large().is_ok());
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
