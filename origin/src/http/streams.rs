//! Answers that go on: streams of events (Server-Sent Events; HTML, section 9.2). How many
//! there may be, and what they have in common.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _, stream};

use super::error::ApiError;

/// Streams of one process: each costs a connection, a few kilobytes and a little of each look.
const STREAMS_MAX: usize = 2_000;
/// Streams of one user: some tabs on some devices.
const STREAMS_PER_USER_MAX: usize = 16;
/// A stream without events sends something that often, so that who is gone is noticed and
/// nobody in between takes it for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A browser comes back after so long, and up to as much again: all whose origin has stopped
/// must not come at once.
const RETRY: Duration = Duration::from_secs(1);

/// Where a stream stopped.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Has proxies of nginx's kind hand each event on at once.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The streams of this process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<i64, usize>>>);

/// A stream that goes on, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    streams: Streams,
    user: i64,
}

impl Streams {
    /// A place for one more stream of `user`.
    pub(super) fn begin(&self, user: i64) -> Result<Place, ApiError> {
        let mut counts = self.counts();
        if counts.get(&user).is_some_and(|count| *count >= STREAMS_PER_USER_MAX) {
            return Err(ApiError::TooMany("You follow too much at once. Close another page first."));
        }
        if counts.values().sum::<usize>() >= STREAMS_MAX {
            return Err(ApiError::Busy("streams of events".to_owned()));
        }
        *counts.entry(user).or_default() += 1;
        Ok(Place { streams: self.clone(), user })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.streams.counts();
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

/// The id of the last event that the client has got.
pub(super) fn last_event_id(request: &HeaderMap) -> Option<&str> {
    request.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

/// The answer that sends these events, as they come, and heartbeats between them.
pub(super) fn respond(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let jitter = fastrand::u64(..=u64::try_from(RETRY.as_millis()).unwrap_or(0));
    let begin = Event::default().retry(RETRY + Duration::from_millis(jitter));
    let events = stream::iter([begin]).chain(events).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[test]
    fn one_user_and_all_together_have_a_bound() {
        let streams = Streams::default();
        let mut places: Vec<_> = (0..STREAMS_PER_USER_MAX).map(|_| streams.begin(1).unwrap()).collect();
        assert!(matches!(streams.begin(1), Err(ApiError::TooMany(_))));
        places.extend((places.len()..STREAMS_MAX).map(|user| streams.begin(user as i64 + 2).unwrap()));
        assert!(matches!(streams.begin(0), Err(ApiError::Busy(_))));
        places.swap_remove(0);
        assert!(streams.begin(1).is_ok());
        places.clear();
        assert!(streams.counts().is_empty(), "what has ended takes no memory");
    }

    #[tokio::test]
    async fn a_stream_begins_with_when_to_come_back_and_nobody_keeps_it() {
        let response = respond(stream::iter([Event::default().event("job").id("7").data("{}")]));
        let field = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(field("content-type"), "text/event-stream");
        assert_eq!((field("cache-control"), field("x-accel-buffering")), ("no-store".into(), "no".into()));
        let text = to_bytes(response.into_body(), 1024).await.unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        let (retry, rest) = text.split_once("\n\n").unwrap();
        let retry: u64 = retry.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).unwrap();
        assert!((1_000..=2_000).contains(&retry), "{retry}");
        assert_eq!(rest, "event: job\nid: 7\ndata: {}\n\n");
    }
}
