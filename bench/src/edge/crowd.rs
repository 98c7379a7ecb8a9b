//! Clients that ask at the same time, each its next request once the last was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::http::{Message, Stream};
use super::origin::BODY_BYTES;
use crate::error::Reason;

/// Connections that stay open, to one server.
pub(super) struct Crowd {
    address: SocketAddr,
    streams: Vec<Stream>,
}

impl Crowd {
    /// So many connections.
    pub(super) async fn gather(address: SocketAddr, count: usize) -> Result<Self, Reason> {
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push(Stream::connect(address).await?);
        }
        Ok(Self { address, streams })
    }

    /// Sends `count` requests, number `turn` of which `request` makes; `check` sees each
    /// answer. How long all of them took, one after the other.
    pub(super) async fn send<R, C>(&mut self, count: u32, request: R, check: C) -> Result<Duration, Reason>
    where
        R: Fn(u32) -> Vec<u8> + Send + Sync + 'static,
        C: Fn(u32, &Message) -> Result<(), Reason> + Send + Sync + 'static,
    {
        let (turns, request, check) = (Arc::new(AtomicU32::new(0)), Arc::new(request), Arc::new(check));
        // Dropped early, the set ends its tasks.
        let mut tasks = JoinSet::new();
        for mut stream in self.streams.drain(..) {
            let (turns, request, check) = (Arc::clone(&turns), Arc::clone(&request), Arc::clone(&check));
            tasks.spawn(async move {
                let mut waited = Duration::ZERO;
                loop {
                    let turn = turns.fetch_add(1, Ordering::Relaxed);
                    if turn >= count {
                        return Ok::<_, Reason>((stream, waited));
                    }
                    let request = request(turn);
                    let sent = Instant::now();
                    let answer = stream.ask(&request).await?;
                    waited += sent.elapsed();
                    check(turn, &answer)?;
                }
            });
        }
        let mut waited = Duration::ZERO;
        while let Some(ended) = tasks.join_next().await {
            let (stream, its) = ended??;
            self.streams.push(stream);
            waited += its;
        }
        Ok(waited)
    }

    /// Asks for one path, without a check.
    pub(super) async fn ask(&mut self, path: &str) -> Result<Message, Reason> {
        match self.streams.first_mut() {
            Some(stream) => stream.ask(&super::http::get(path)).await,
            None => Stream::connect(self.address).await?.ask(&super::http::get(path)).await,
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
