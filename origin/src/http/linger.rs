//! Reads on what a client still sends of a request that has its answer already: one that was refused by
//! its head, or whose body is too large. A sender that doesn't read while it sends, as most don't, would
//! lose the answer with the connection if that were closed under it (RFC 9112, section 9.6); nginx has
//! `lingering_close` for the same. What is read is thrown away, and the connection serves the next request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::EXPECT;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How much more of a body that nobody wants is read. Who has more to send is cut off.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// And for how long, which is nginx's `lingering_time`.
const TIME_MAX: Duration = Duration::from_secs(30);

/// The body of a request, which is read to its end though its handler may not.
pub(super) struct Lingering {
    /// `None` once it is dropped.
    body: Option<Incoming>,
    /// Nothing was read, and the sender keeps it back until it is asked for.
    is_kept_back: bool,
}

impl Lingering {
    /// The same request, with its body read on.
    pub(super) fn over(request: Request<Incoming>) -> Request<Self> {
        let is_kept_back = waits_for_leave(request.headers());
        request.map(|body| Self { body: Some(body), is_kept_back })
    }
}

/// Whether the sender keeps the body back until it is asked for (RFC 9110, section 10.1.1).
fn waits_for_leave(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_kept_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if self.is_kept_back || body.is_end_stream() {
            return;
        }
        // None where the process is about to end.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(TIME_MAX, discard(body)));
        }
    }
}

async fn discard(mut body: Incoming) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > BYTES_MAX {
            return;
        }
    }
}
