//! The origin: what it answers follows from the path, and it counts what it is asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::http::{self, Handler, Message, Server};
use crate::error::Reason;

/// Length of a body.
pub(super) const BODY_BYTES: usize = 2048;
/// What a query and a rendering take at an origin that isn't near.
pub(super) const LATENCY: Duration = Duration::from_millis(50);

/// Answers at once, to be stored.
pub(super) const QUICK: &str = "/api/quick/";
/// Answers after [`LATENCY`], to be stored.
pub(super) const SLOW: &str = "/api/slow/";
/// Answers after [`LATENCY`], not to be stored.
pub(super) const UNCACHED: &str = "/api/uncached/";

/// A running origin.
pub(super) struct Origin {
    server: Server,
    answers: Arc<Answers>,
}

struct Answers {
    body: Vec<u8>,
    asked: Mutex<HashMap<String, u32>>,
}

impl Origin {
    pub(super) async fn start() -> Result<Self, Reason> {
        // Something like JSON; its content makes no difference to anybody.
        let body = br#"{"id":42,"name":"a thing","price":1999},"#.iter().copied().cycle().take(BODY_BYTES);
        let answers = Arc::new(Answers { body: body.collect(), asked: Mutex::default() });
        Ok(Self { server: Server::start(Arc::clone(&answers)).await?, answers })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// How often it was asked for a path.
    pub(super) fn asked(&self, path: &str) -> u32 {
        self.answers.asked().get(path).copied().unwrap_or_default()
    }
}

impl Answers {
    fn asked(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Answers {
    fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>> {
        async move {
            let path = request.word(1);
            *self.asked().entry(path.to_owned()).or_default() += 1;
            if path.starts_with(SLOW) || path.starts_with(UNCACHED) {
                tokio::time::sleep(LATENCY).await;
            }
            let cache_control = match path.starts_with(UNCACHED) {
                true => "no-store",
                false => "max-age=86400",
            };
            // The time of day is that of the answer: by an old one it would be stale.
            let now = SystemTime::now();
            let hour = Duration::from_secs(3_600);
            let (date, modified) = (httpdate::fmt_http_date(now), httpdate::fmt_http_date(now - hour));
            // With the length these are the eight.
            let fields = [
                ("Content-Type", "application/json"),
                ("Cache-Control", cache_control),
                ("Date", &*date),
                ("ETag", "\"0c8f9a523c64\""),
                ("Last-Modified", &*modified),
                ("Content-Language", "en"),
                ("Vary", "Accept-Encoding"),
            ];
            http::response("200 OK", &fields, &self.body)
        }
        .boxed()
    }
}
