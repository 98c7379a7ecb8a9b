//! What stands behind Workers KV and the Cache API where workerd runs alone: a server that keeps
//! values, and fails as a test tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::runtime::Runtime;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Every call is an error.
    Fails,
    /// Every call takes this long.
    Slow(Duration),
    /// Nothing is taken.
    Full,
    /// The second half of every value is lost.
    Cut,
    /// Every value was written by another version of the edge.
    OtherVersion,
    /// Every value was written by somebody else.
    Foreign,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Shelf {
    /// Where it listens.
    pub(crate) address: String,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    fault: Fault,
    values: HashMap<String, Bytes>,
    /// What KV was told beside values.
    metadata: HashMap<String, HeaderValue>,
    calls: Vec<String>,
}

impl Shelf {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inside = Inside {
            fault: Fault::None,
            values: HashMap::new(),
            metadata: HashMap::new(),
            calls: Vec::new(),
        };
        let inside = Arc::new(Mutex::new(inside));
        let router =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&inside));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { address, inside }
    }

    /// Fails so from now on.
    pub(crate) fn fail(&self, fault: Fault) {
        self.inside.lock().unwrap().fault = fault;
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.inside.lock().unwrap().values.len()
    }

    /// Whether there is a value under a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.inside.lock().unwrap().values.contains_key(&format!("/{key}"))
    }

    /// Loses all values.
    pub(crate) fn clear(&self) {
        self.inside.lock().unwrap().values.clear();
    }

    /// The calls since the last time, each as method and path.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.lock().unwrap().calls)
    }
}

async fn answer(
    State(inside): State<Arc<Mutex<Inside>>>,
    method: Method,
    uri: Uri,
    fields: HeaderMap,
    body: Bytes,
) -> Response {
    // KV's paths are encoded one way when a value is read and another when it is removed.
    let key = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let fault = {
        let mut inside = inside.lock().unwrap();
        inside.calls.push(format!("{method} {key}"));
        inside.fault
    };
    match (fault, method.as_str()) {
        (Fault::Fails, _) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        (Fault::Full, "PUT") => return StatusCode::TOO_MANY_REQUESTS.into_response(),
        (Fault::Slow(time), _) => tokio::time::sleep(time).await,
        _ => {}
    }
    let mut inside = inside.lock().unwrap();
    match method.as_str() {
        "PUT" => {
            if let Some(metadata) = fields.get(METADATA) {
                inside.metadata.insert(key.clone(), metadata.clone());
            }
            inside.values.insert(key, body);
            StatusCode::NO_CONTENT.into_response()
        }
        "DELETE" | "PURGE" => {
            inside.values.remove(&key);
            inside.metadata.remove(&key);
            StatusCode::OK.into_response()
        }
        _ => match inside.values.get(&key) {
            Some(value) => {
                let mut response = found(value, fault);
                if let Some(metadata) = inside.metadata.get(&key) {
                    response.headers_mut().insert(METADATA, metadata.clone());
                }
                response
            }
            None => (StatusCode::NOT_FOUND, [status("MISS")]).into_response(),
        },
    }
}

/// The field in which KV's metadata comes and goes.
const METADATA: HeaderName = HeaderName::from_static("cf-kv-metadata");

/// How the Cache API is told what it has; KV doesn't look.
fn status(status: &'static str) -> (HeaderName, &'static str) {
    (HeaderName::from_static("cf-cache-status"), status)
}

fn found(value: &Bytes, fault: Fault) -> Response {
    // The Cache API puts a whole message.
    let head = if value.starts_with(b"HTTP/") {
        value.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(0, |end| end + 4)
    } else {
        0
    };
    let mut value = value[head..].to_vec();
    match fault {
        Fault::Cut => value.truncate(value.len() / 2),
        Fault::OtherVersion => value[3] ^= 0x40,
        Fault::Foreign => value = b"somebody else's".to_vec(),
        _ => {}
    }
    ([status("HIT")], value).into_response()
}
