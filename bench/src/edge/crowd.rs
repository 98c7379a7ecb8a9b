//! Clients that ask at the same time, each its next request once the last was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::http::{Message, Stream};
use super::origin::BODY_BYTES;
use crate::error::Reason;

/// Idle connections are made anew after this time: workerd closes them after five seconds.
const IDLE_MAX: Duration = Duration::from_secs(3);

/// Connections that stay open, to one server.
pub(super) struct Crowd {
    address: SocketAddr,
    streams: Vec<Stream>,
    used: Instant,
}

impl Crowd {
    /// So many connections.
    pub(super) async fn gather(address: SocketAddr, count: usize) -> Result<Self, Reason> {
        let used = Instant::now();
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push(Stream::connect(address).await?);
        }
        Ok(Self { address, streams, used })
    }

    /// Makes sure that the connections are open.
    pub(super) async fn wake(&mut self) -> Result<(), Reason> {
        if self.used.elapsed() > IDLE_MAX {
            *self = Self::gather(self.address, self.streams.len()).await?;
        }
        Ok(())
    }

    /// Sends `count` requests, number `turn` of which `request` makes; `check` sees each
    /// answer. How long all of them took, one after the other.
    pub(super) async fn send<R, C>(&mut self, count: u32, request: R, check: C) -> Result<Duration, Reason>
    where
        R: Fn(u32) -> Vec<u8> + Send + Sync + 'static,
        C: Fn(u32, &Message) -> Result<(), Reason> + Send + Sync + 'static,
    {
        Ok(self.times(count, request, check).await?.iter().sum())
    }

    /// The same, and how long each took, in any order.
    pub(super) async fn times<R, C>(
        &mut self,
        count: u32,
        request: R,
        check: C,
    ) -> Result<Vec<Duration>, Reason>
    where
        R: Fn(u32) -> Vec<u8> + Send + Sync + 'static,
        C: Fn(u32, &Message) -> Result<(), Reason> + Send + Sync + 'static,
    {
        self.wake().await?;
        let (turns, request, check) = (Arc::new(AtomicU32::new(0)), Arc::new(request), Arc::new(check));
        // Dropped early, the set ends its tasks.
        let mut tasks = JoinSet::new();
        for mut stream in self.streams.drain(..) {
            let (turns, request, check) = (Arc::clone(&turns), Arc::clone(&request), Arc::clone(&check));
            tasks.spawn(async move {
                let mut waited = Vec::new();
                loop {
                    let turn = turns.fetch_add(1, Ordering::Relaxed);
                    if turn >= count {
                        return Ok::<_, Reason>((stream, waited));
                    }
                    let request = request(turn);
                    let sent = Instant::now();
                    let answer = stream.ask(&request).await?;
                    waited.push(sent.elapsed());
                    check(turn, &answer)?;
                }
            });
        }
        let mut waited = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            let (stream, its) = ended??;
            self.streams.push(stream);
            waited.extend(its);
        }
        self.used = Instant::now();
        Ok(waited)
    }

    /// Asks for one path, without a check.
    pub(super) async fn ask(&mut self, path: &str) -> Result<Message, Reason> {
        self.wake().await?;
        match self.streams.first_mut() {
            Some(stream) => stream.ask(&super::http::get(path)).await,
            None => Err(Reason::new("there is no connection to ask on")),
        }
    }
}

/// Checks that an answer is a whole one.
pub(super) fn is_whole(answer: &Message) -> Result<(), Reason> {
    if answer.word(1) == "200" && answer.body.len() == BODY_BYTES {
        return Ok(());
    }
    Err(Reason::new(&format!(
        "it answered {} with {} bytes: {}",
        answer.start(),
        answer.body.len(),
        String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)])
    )))
}
