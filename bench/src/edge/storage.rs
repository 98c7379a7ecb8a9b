//! What workerd keeps KV and the Cache API in: a service of this process, so that
//! what storing itself costs is no part of the CPU time that is measured.
//!
//! Both are spoken over HTTP. KV: a value under the path of its key. Cache API: a
//! response, put as a whole message, under its URL.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::http::{self, Handler, Message, Server};
use crate::error::Reason;

/// Both services.
pub(crate) struct Storage {
    kv: Server,
    cache: Server,
}

/// What a service keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// All.
    All,
    /// Nothing, as the Cache API does on a domain of the platform's own.
    Nothing,
}

impl Storage {
    pub(crate) async fn start(kv: Keeps, cache: Keeps) -> Result<Self, Reason> {
        Ok(Self {
            kv: Server::start(Arc::new(Kv(Kept::new(kv)))).await?,
            cache: Server::start(Arc::new(Cache(Kept::new(cache)))).await?,
        })
    }

    pub(super) fn kv(&self) -> SocketAddr {
        self.kv.address
    }

    pub(super) fn cache(&self) -> SocketAddr {
        self.cache.address
    }
}

struct Kept {
    keeps: Keeps,
    values: Mutex<HashMap<String, Arc<[u8]>>>,
}

impl Kept {
    fn new(keeps: Keeps) -> Self {
        Self { keeps, values: Mutex::default() }
    }

    fn values(&self) -> MutexGuard<'_, HashMap<String, Arc<[u8]>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        self.values().get(key).cloned()
    }

    fn put(&self, key: &str, value: Vec<u8>) {
        if self.keeps == Keeps::All {
            self.values().insert(key.to_owned(), value.into());
        }
    }

    fn remove(&self, key: &str) -> bool {
        self.values().remove(key).is_some()
    }
}

struct Kv(Kept);

impl Handler for Kv {
    fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>> {
        async move {
            let key = request.word(1).split('?').next().unwrap_or_default();
            match request.word(0) {
                "GET" => match self.0.get(key) {
                    Some(value) => http::response("200 OK", &[], &value),
                    None => http::response("404 Not Found", &[], b""),
                },
                "PUT" => {
                    self.0.put(key, request.body.clone());
                    http::response("200 OK", &[], b"")
                }
                _ => {
                    self.0.remove(key);
                    http::response("200 OK", &[], b"")
                }
            }
        }
        .boxed()
    }
}

struct Cache(Kept);

impl Handler for Cache {
    fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>> {
        async move {
            let key = format!("{}{}", request.field("host").unwrap_or_default(), request.word(1));
            match request.word(0) {
                "GET" => match self.0.get(&key) {
                    Some(message) => found(&message),
                    None => http::response("504 Gateway Timeout", &[("CF-Cache-Status", "MISS")], b""),
                },
                "PUT" => {
                    self.0.put(&key, request.body.clone());
                    b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
                }
                _ if self.0.remove(&key) => http::response("200 OK", &[], b""),
                _ => http::response("404 Not Found", &[], b""),
            }
        }
        .boxed()
    }
}

/// A message as it was put, and that it was found.
fn found(message: &[u8]) -> Vec<u8> {
    let line = message.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (start, rest) = message.split_at(line);
    [start, b"CF-Cache-Status: HIT\r\n", rest].concat()
}
