//! How long a request may take.
//!
//! What every handler has is [`REQUEST_MAX`]: long work is a job. A body is part of that, unless
//! it is an upload: on a slow line that takes longer, and nobody is to blame as long as it comes
//! on. So whoever receives one puts the end off, for as long as [`until`] says.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::{Instant, timeout_at};

/// No handler takes longer, once it has all that was sent.
pub(super) const REQUEST_MAX: Duration = Duration::from_secs(30);
/// From one part of an upload to the next. What takes longer comes no more.
const UPLOAD_IDLE_MAX: Duration = Duration::from_secs(30);
/// For all parts of an upload: 10 MiB with 140 kbit/s.
const UPLOAD_MAX: Duration = Duration::from_mins(10);

/// Until when a part of an upload that began `begun` is waited for, if that begins `now`.
fn until(begun: Instant, now: Instant) -> Instant {
    (now + UPLOAD_IDLE_MAX).min(begun + UPLOAD_MAX)
}

/// When a request is given up; it travels with it.
#[derive(Clone, Debug)]
struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Not before this.
    fn put_off(&self, until: Instant) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = until.max(*at);
    }
}

/// Gives a request up when its time is over.
pub(super) async fn keep(mut request: Request, next: Next) -> Response {
    let deadline = Deadline(Arc::new(Mutex::new(Instant::now() + REQUEST_MAX)));
    request.extensions_mut().insert(deadline.clone());
    let mut answered = std::pin::pin!(next.run(request));
    loop {
        let at = deadline.at();
        match timeout_at(at, answered.as_mut()).await {
            Ok(response) => return response,
            // It was put off meanwhile.
            Err(_) if deadline.at() > at => {}
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

/// An upload that is being received.
pub(super) struct Receiving {
    begun: Instant,
    /// Of its request; `None` where nobody gives it up.
    deadline: Option<Deadline>,
}

impl Receiving {
    /// One that begins now, of the request with these extensions.
    pub(super) fn begin(request: &Extensions) -> Self {
        Self { begun: Instant::now(), deadline: request.get().cloned() }
    }

    /// Waits for the next part; `None` if it doesn't come in time.
    pub(super) async fn wait<T>(&self, part: impl Future<Output = T>) -> Option<T> {
        let until = until(self.begun, Instant::now());
        // What is done when it has come is not to want for time.
        if let Some(deadline) = &self.deadline {
            deadline.put_off(until + REQUEST_MAX);
        }
        timeout_at(until, part).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_waited_for_as_long_as_it_comes_on_and_ten_minutes_at_most() {
        let begun = Instant::now();
        for (now_s, until_s) in [(0, 30), (1, 31), (569, 599), (570, 600), (599, 600), (600, 600), (700, 600)]
        {
            let found = until(begun, begun + Duration::from_secs(now_s));
            assert_eq!(found, begun + Duration::from_secs(until_s), "{now_s} s");
        }
    }
}
