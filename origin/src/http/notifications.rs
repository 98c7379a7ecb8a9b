//! GET `/api/notifications`: what somebody is told of, live.

use std::collections::VecDeque;

use axum::extract::{FromRef, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tidewall_api::notification::{Notification, Notifications};
use tidewall_api::problem::Problem;

use super::accounts::{Accounts, Caller};
use super::error::ApiError;
use super::streams::{self, Place, Streams};
use crate::db::{Db, DbError};
use crate::notifications::{self, Cursor};
use crate::session::{self, SESSION_BYTES, SessionError};
use crate::shutdown::Shutdown;
use crate::telemetry::chain;
use crate::watcher::{Watcher, Watching};

/// What comes first for whoever has seen nothing yet.
const RECENT: i64 = 20;

/// A session whose user is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listener {
    session: [u8; SESSION_BYTES],
    user: i64,
}

/// What the route needs.
#[derive(Clone)]
pub(super) struct NotificationRoutes {
    db: Db,
    accounts: Accounts,
    streams: Streams,
    /// Of each session that goes on, the last number of its user.
    watcher: Watcher<Listener, i64>,
    shutdown: Shutdown,
}

impl NotificationRoutes {
    pub(super) fn new(db: Db, accounts: Accounts, streams: Streams, shutdown: Shutdown) -> Self {
        let watcher = {
            let db = db.clone();
            Watcher::new(move |listeners: Vec<Listener>| {
                let db = db.clone();
                Box::pin(async move { look(&db, &listeners).await })
            })
        };
        Self { db, accounts, streams, watcher, shutdown }
    }
}

impl FromRef<NotificationRoutes> for Accounts {
    fn from_ref(routes: &NotificationRoutes) -> Self {
        routes.accounts.clone()
    }
}

/// Asks the primary, so that nothing goes back in time.
async fn look(db: &Db, listeners: &[Listener]) -> Result<std::collections::HashMap<Listener, i64>, DbError> {
    let sessions: Vec<_> = listeners.iter().map(|listener| listener.session).collect();
    let users: Vec<_> = listeners.iter().map(|listener| listener.user).collect();
    let connection = db.writer().await?;
    let (going_on, heads) = futures::try_join!(
        session::going_on(&connection, &sessions),
        notifications::heads(&connection, &users)
    )?;
    let heard = listeners.iter().filter(|listener| going_on.contains(&listener.session));
    Ok(heard.map(|listener| (*listener, heads.get(&listener.user).copied().unwrap_or(0))).collect())
}

/// What the caller is told of. As a stream of Server-Sent Events (an event `notification` for
/// each, its number as the id, from `Last-Event-ID` on), which ends with the session; or, where
/// JSON is asked for alone, the last ones as a list.
#[utoipa::path(get, path = "/api/notifications", tag = "notifications",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event that was received")),
    responses(
        (status = 200, description = "Events, whose data is a notification; or the last ones as a list",
            content(
                (String = "text/event-stream"),
                (Notifications = "application/json"),
            )),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach, or too much is going on", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn follow(
    State(routes): State<NotificationRoutes>,
    Caller(claims): Caller,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let user = claims.user.id;
    let listener = Listener { session: claims.session, user };
    if wants_json(&request) {
        let connection = routes.db.writer().await?;
        let goes_on = session::going_on(&connection, &[claims.session]).await?;
        if goes_on.is_empty() {
            return Err(SessionError::Ended.into());
        }
        let items = notifications::recent(&connection, user, RECENT).await?;
        return Ok(axum::Json(Notifications { items }).into_response());
    }
    let place = routes.streams.begin(user)?;
    let head = look(&routes.db, &[listener]).await?.remove(&listener).ok_or(SessionError::Ended)?;
    let (cursor, first) = match Cursor::resume(streams::last_event_id(&request), head) {
        Some(cursor) => (cursor, Vec::new()),
        None => {
            let connection = routes.db.writer().await?;
            (Cursor::at(head), notifications::recent(&connection, user, RECENT).await?)
        }
    };
    let mut watching = routes.watcher.watch(listener);
    watching.have_read();
    let follower = Follower {
        db: routes.db,
        user,
        cursor,
        waiting: first.into(),
        watching,
        shutdown: routes.shutdown,
        _place: place,
    };
    Ok(streams::respond(stream::unfold(follower, async |mut follower| {
        follower.next().await.map(|event| (event, follower))
    })))
}

/// Whether JSON is asked for, and a stream of events less so or not (RFC 9110, section 12.5.1).
fn wants_json(request: &HeaderMap) -> bool {
    let quality = |wanted: &str| {
        let ranges = request.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
        ranges.flat_map(|field| field.split(',')).find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            Some(weight.and_then(|weight| weight.parse::<f32>().ok()).unwrap_or(1.0))
        })
    };
    quality("application/json").unwrap_or(0.0) > quality("text/event-stream").unwrap_or(0.0)
}

/// One stream.
struct Follower {
    db: Db,
    user: i64,
    cursor: Cursor,
    /// What was read and not told yet.
    waiting: VecDeque<Notification>,
    watching: Watching<i64>,
    shutdown: Shutdown,
    _place: Place,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(notification) = self.waiting.pop_front() {
                self.cursor.tell(&notification);
                let event = Event::default().event("notification").id(notification.id.to_string());
                // Texts and numbers, and JSON as it was stored: it can be written.
                return event.json_data(notification).ok();
            }
            let head = tokio::select! {
                head = self.watching.next() => head?,
                () = self.shutdown.begun() => return None,
            };
            let Some(told) = self.cursor.behind(head) else { continue };
            match self.read(told).await {
                Ok(read) => {
                    self.watching.have_read();
                    self.waiting = read.into();
                }
                // The next look says again that there is more.
                Err(error) => tracing::debug!(error = %chain(&error), "notifications can't be read now"),
            }
        }
    }

    async fn read(&self, told: i64) -> Result<Vec<Notification>, DbError> {
        notifications::after(&*self.db.writer().await?, self.user, told).await
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_for_whoever_asks_for_json_and_for_no_stream() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("text/event-stream", false),
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json, text/event-stream", false),
            ("text/event-stream;q=0.5, application/json", true),
            ("application/json;q=0.5, text/event-stream", false),
            ("application/json;q=0", false),
            ("application/jsonp", false),
        ] {
            let request = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(wants_json(&request), expected, "{accept}");
        }
        assert!(!wants_json(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn no_wish_whatever_makes_reading_panic(
            accept in "(application/json|text/event-stream|\\*/\\*|;|q=|Q=|[01](\\.[0-9])?|NaN|inf|-|,| |é){0,12}",
        ) {
            let accept = HeaderValue::from_bytes(accept.as_bytes()).unwrap();
            let mut parts = accept.as_bytes().windows(16);
            let is_named = parts.any(|part| part.eq_ignore_ascii_case(b"application/json"));
            prop_assert!(!wants_json(&HeaderMap::from_iter([(ACCEPT, accept)])) || is_named);
        }
    }
}
