//! Ways between two parts of a system that can be made slow, and cut: what a network does to them.
//!
//! Each is a port of this machine that leads on to another. While a way is cut, connections are taken
//! and kept, and nothing comes through, as where packets are lost; what was sent arrives when it is open
//! again.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::failure::Failure;

/// Bytes that are on the way at once.
const CHUNK: usize = 16 * 1024;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It arrives.
    Open,
    /// It arrives so much later.
    Slow(Duration),
    /// It waits until the way is another.
    Cut,
}

/// One way, until the value is dropped.
#[derive(Debug)]
pub(crate) struct Detour {
    port: u16,
    way: watch::Sender<Way>,
    held_back: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Detour {
    /// A way to the port `to` of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn open(to: u16) -> Result<Self, Failure> {
        let refused = |error| Failure::new(format!("no port can be opened: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        let (way, seen) = watch::channel(Way::Open);
        let held_back = Arc::default();
        let traffic = Traffic { way: seen, held_back: Arc::clone(&held_back) };
        let accepting = tokio::spawn(accept(listener, to, traffic));
        Ok(Self { port, way, held_back, accepting })
    }

    /// What becomes of what is sent from now on.
    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// How much was held back so far: pieces of what was sent, and connections.
    pub(crate) fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }

    /// `url`, by this way.
    ///
    /// # Errors
    /// It is no URL with a host.
    pub(crate) fn by(&self, url: &str) -> Result<String, Failure> {
        let refused = || Failure::new("a part of the system has no URL with a host");
        let mut url = Url::parse(url).map_err(|_| refused())?;
        url.set_port(Some(self.port)).map_err(|()| refused())?;
        // An origin's has no path, and a URL writes one.
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a connection goes by.
#[derive(Clone)]
struct Traffic {
    way: watch::Receiver<Way>,
    held_back: Arc<AtomicU64>,
}

async fn accept(listener: TcpListener, to: u16, traffic: Traffic) {
    loop {
        // It fails for want of descriptors, which others give back.
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        tokio::spawn(lead(client, to, traffic.clone()));
    }
}

/// Leads one connection on. Whatever goes wrong on one side closes the other.
async fn lead(client: TcpStream, to: u16, mut traffic: Traffic) {
    if traffic.pass().await.is_none() {
        return;
    }
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await else { return };
    // Small messages go at once, as they would without a detour.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // A side that has said all there is still hears the other out; one that failed ends both.
    let there = carry(from_client, to_server, traffic.clone());
    let _ = tokio::try_join!(there, carry(from_server, to_client, traffic));
}

/// Carries what comes to the other side, to its end.
///
/// # Errors
/// A side is gone.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut traffic: Traffic) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        if traffic.pass().await.is_none() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..length]).await?;
    }
}

impl Traffic {
    /// Waits as long as the way takes. `None` where it is no more.
    async fn pass(&mut self) -> Option<()> {
        if *self.way.borrow() != Way::Open {
            self.held_back.fetch_add(1, Ordering::Relaxed);
        }
        let now = *self.way.wait_for(|way| *way != Way::Cut).await.ok()?;
        if let Way::Slow(delay) = now {
            sleep(delay).await;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with the next, and a way to it.
    async fn echo() -> (Detour, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = client.read_u8().await {
                        client.write_u8(byte + 1).await.unwrap();
                    }
                });
            }
        });
        (Detour::open(port).await.unwrap(), server)
    }

    #[tokio::test]
    async fn what_is_sent_while_the_way_is_cut_arrives_when_it_is_open() {
        let (detour, server) = echo().await;
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, detour.port)).await.unwrap();
        client.write_u8(1).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 2);
        detour.set(Way::Cut);
        client.write_u8(5).await.unwrap();
        let mut late = TcpStream::connect((Ipv4Addr::LOCALHOST, detour.port)).await.unwrap();
        late.write_u8(7).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(50), client.read_u8()).await;
        assert!(heard.is_err() && detour.held_back() > 0, "{heard:?}");
        detour.set(Way::Slow(Duration::from_millis(1)));
        assert_eq!((client.read_u8().await.unwrap(), late.read_u8().await.unwrap()), (6, 8));
        server.abort();
    }

    #[tokio::test]
    async fn a_way_to_nobody_ends() {
        let (detour, server) = echo().await;
        server.abort();
        let _ = server.await;
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, detour.port)).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn only_the_port_of_a_url_is_another() {
        let (detour, server) = echo().await;
        let port = detour.port;
        for (url, by) in [
            ("http://127.0.0.1:8081", format!("http://127.0.0.1:{port}")),
            ("postgres://a:b@127.0.0.1:5433/shop?x=1", format!("postgres://a:b@127.0.0.1:{port}/shop?x=1")),
        ] {
            assert_eq!(detour.by(url).unwrap(), by);
        }
        assert!(detour.by("nothing").is_err());
        server.abort();
    }
}
