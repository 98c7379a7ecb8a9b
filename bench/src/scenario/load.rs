//! Readers, who come when they come: of each route so many in a second on the average, however long
//! those before them wait (an open load; a closed one hides that somebody waits).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::definition::{Definition, Route};
use super::product::READER;
use crate::edge::http::Stream;
use crate::error::Reason;

/// Whoever has waited for so long goes away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Different readers.
const READERS: u32 = 200;
/// Milliseconds to an edge that is near, and back.
const NEAR_MS: f64 = 10.0;

/// Where readers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// The product's server.
    Server(SocketAddr),
    /// An edge beside it.
    Edge(SocketAddr),
    /// An edge near each of them.
    EdgeNear(SocketAddr),
}

/// A reader who has waited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Waited {
    /// Of which route.
    pub(super) route: usize,
    /// When they asked, since the load began.
    pub(super) at: Duration,
    /// Until the whole answer was there.
    pub(super) ms: f64,
}

impl Front {
    fn address(self) -> SocketAddr {
        match self {
            Self::Server(address) | Self::Edge(address) | Self::EdgeNear(address) => address,
        }
    }

    /// Milliseconds that an answer is on its way, as far as nobody here has waited for it.
    fn way_ms(self, route: &Route, distance_ms: f64) -> f64 {
        match self {
            Self::Server(_) => distance_ms,
            Self::Edge(_) => route.rounds() * distance_ms,
            Self::EdgeNear(_) => route.rounds() * NEAR_MS.min(distance_ms),
        }
    }
}

/// Sends them for `length`, and waits for the last. Those of one `seed` come at the same times.
///
/// # Errors
/// An answer says that something failed, or there was none: then nothing was measured.
pub(super) async fn drive(
    definition: &Arc<Definition>,
    front: Front,
    length: Duration,
    seed: u64,
) -> Result<Vec<Waited>, Reason> {
    let begun = Instant::now();
    let connections = Arc::new(Connections { address: front.address(), free: Mutex::default() });
    let mut routes = JoinSet::new();
    for (number, route) in definition.routes.iter().enumerate() {
        let (definition, connections, rate) = (Arc::clone(definition), Arc::clone(&connections), route.rate);
        let mut random = Rng::with_seed(seed.wrapping_add(number as u64));
        routes.spawn(async move {
            let mut readers = JoinSet::new();
            let mut at = Duration::ZERO;
            loop {
                // An exponential gap: `f64` is below one, so the logarithm is of no zero.
                at += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate);
                if at >= length {
                    break;
                }
                sleep_until((begun + at).into()).await;
                let (key, reader) = (random.u32(..definition.routes[number].keys), random.u32(..READERS));
                let (definition, connections) = (Arc::clone(&definition), Arc::clone(&connections));
                readers.spawn(async move {
                    let route = &definition.routes[number];
                    let asked = timeout(PATIENCE, connections.ask(&request(route, key, reader))).await;
                    let way_ms = front.way_ms(route, definition.distance_ms);
                    let ms = match asked {
                        Ok(answered) => {
                            answered.map_err(|why| Reason::new(&format!("{}: {why}", route.path)))?;
                            (begun.elapsed() - at).as_secs_f64() * 1_000.0 + way_ms
                        }
                        Err(_) => PATIENCE.as_secs_f64() * 1_000.0,
                    };
                    Ok::<_, Reason>(Waited { route: number, at, ms })
                });
            }
            readers.join_all().await
        });
    }
    routes.join_all().await.into_iter().flatten().collect()
}

fn request(route: &Route, key: u32, reader: u32) -> Vec<u8> {
    let (method, target) = (&route.method, route.target(key));
    let address = format!("10.0.{}.{}", reader / 250, reader % 250 + 1);
    let length = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
    format!("{method} {target} HTTP/1.1\r\nHost: product.example\r\n{READER}: {address}\r\n{length}\r\n")
        .into_bytes()
}

/// Connections that stay open.
struct Connections {
    address: SocketAddr,
    free: Mutex<Vec<Stream>>,
}

impl Connections {
    /// Asks, and has the answer.
    async fn ask(&self, request: &[u8]) -> Result<(), Reason> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match free {
            Some(stream) => stream,
            None => Stream::connect(self.address).await?,
        };
        let answer = stream.ask(request).await?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        match answer.word(1) {
            "200" | "202" => Ok(()),
            _ => Err(Reason::new(&format!("{}: {}", answer.start(), String::from_utf8_lossy(&answer.body)))),
        }
    }
}
