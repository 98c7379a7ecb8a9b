//! A link between a server and who asks it, on loopback: passes bytes on as late as the link
//! lets them through, and counts them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::link::{Downstream, Link, Turns};
use crate::error::Reason;

/// What is passed on at once: about what a packet holds.
const CHUNK_BYTES: usize = 1_460;
/// Chunks of a connection that may be on their way: so few that another connection's are not
/// long behind them.
const CHUNKS_ON_THEIR_WAY: usize = 8;

/// A running relay; gone when dropped.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    link: Link,
    begun: Instant,
    downstream: Mutex<Downstream>,
    /// Bytes that came back.
    down: AtomicU64,
}

impl Relay {
    /// To the server at `to`.
    pub(super) async fn start(to: SocketAddr, link: Link) -> Result<Self, Reason> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            link,
            begun: Instant::now(),
            downstream: Mutex::new(Downstream::new(link)),
            down: AtomicU64::new(0),
        });
        let all = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            // Dropped with this task, and its connections with it.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    // Whoever goes away in the middle is missed by nobody.
                    let _ = pass(client, to, &shared).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, shared: all, accepting })
    }

    /// Bytes that have come back so far, fields and all.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.down.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(client: TcpStream, to: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let turns = Mutex::new(Turns::new(shared.link));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (sender, receiver) = mpsc::channel(CHUNKS_ON_THEIR_WAY);
    tokio::try_join!(
        ask(from_client, to_server, &turns),
        answer(from_server, &turns, shared, sender),
        deliver(receiver, to_client, shared.begun),
    )?;
    Ok(())
}

/// What a client sends, to its server.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, turns: &Mutex<Turns>) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let held = lock(turns).asked();
        if !held.is_zero() {
            sleep(held).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Takes what a server sends as it comes, and says when it is through.
async fn answer(
    mut from: OwnedReadHalf,
    turns: &Mutex<Turns>,
    shared: &Shared,
    to: mpsc::Sender<(Duration, Vec<u8>)>,
) -> std::io::Result<()> {
    let mut buffer = [0; CHUNK_BYTES];
    loop {
        // Room before bytes: what waits longer in the sockets is not yet on its way.
        let Ok(room) = to.reserve().await else { return Ok(()) };
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        lock(turns).answered();
        shared.down.fetch_add(length as u64, Ordering::Relaxed);
        let through = lock(&shared.downstream).pass(shared.begun.elapsed(), length);
        room.send((through, buffer[..length].to_vec()));
    }
}

/// To the client what has come through.
async fn deliver(
    mut from: mpsc::Receiver<(Duration, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    begun: Instant,
) -> std::io::Result<()> {
    while let Some((through, bytes)) = from.recv().await {
        sleep_until(begun + through).await;
        to.write_all(&bytes).await?;
    }
    to.shutdown().await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::super::http::{self, Handler, Message, Server, Stream};
    use super::*;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    struct Answers;

    impl Handler for Answers {
        fn answer(self: Arc<Self>, _: Message) -> BoxFuture<'static, Vec<u8>> {
            futures::future::ready(http::response("200 OK", &[], &[b'x'; 5_000])).boxed()
        }
    }

    #[tokio::test]
    async fn what_is_passed_on_is_late_whole_and_counted() {
        let server = Server::start(Arc::new(Answers)).await.unwrap();
        // 5,000 bytes take 40 ms.
        let link = Link { round_trip: Duration::from_millis(30), bits_per_second: Some(1_000_000) };
        let relay = Relay::start(server.address, link).await.unwrap();
        let mut stream = Stream::connect(relay.address).await.unwrap();
        for _ in 0..2 {
            let (begun, before) = (Instant::now(), relay.bytes());
            let answer = stream.ask(&http::get("/")).await.unwrap();
            assert_eq!(answer.body, [b'x'; 5_000]);
            assert!(begun.elapsed() >= Duration::from_millis(70), "{:?}", begun.elapsed());
            assert_eq!(relay.bytes() - before, (answer.head().len() + 4 + 5_000) as u64);
        }
    }
}
