//! Between a client and the primary: sees statements, holds them up, and cuts connections at the
//! moment that matters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tidewall_origin::db::{Db, DbSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::World;

/// A running one. Its connections live as long as both of their ends.
pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    /// How often each of these texts was asked.
    seen: Mutex<BTreeMap<&'static str, usize>>,
    /// The next connection that asks this is cut.
    cut: Mutex<Option<(&'static str, Cut)>>,
    has_cut: AtomicBool,
    /// What asks one of these waits.
    held: watch::Sender<Vec<&'static str>>,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Once the server has answered and has no transaction any more: it is done, and nobody knows.
    Answer,
    /// Once it was asked: the server goes on, and doesn't notice.
    Client,
}

impl Proxy {
    /// Counts how often each of `texts` is asked.
    pub(crate) async fn start(world: &World, texts: &[&'static str]) -> Self {
        let url = world.url(0);
        let (before, rest) = url.rsplit_once(':').unwrap();
        let (port, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())),
            seen: Mutex::new(texts.iter().map(|text| (*text, 0)).collect()),
            cut: Mutex::default(),
            has_cut: AtomicBool::new(false),
            held: watch::Sender::new(Vec::new()),
        });
        let known = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&known).carry(client));
            }
        });
        let url = format!("{before}:{own}/{database}");
        Self { url, shared, task }
    }

    /// The library on the primary, by this way.
    pub(crate) fn db(&self, app: &str) -> Db {
        Db::new(DbSettings::parse(&format!("{}?application_name={app}", self.url), &[]).unwrap())
    }

    /// How often this was asked.
    pub(crate) fn seen(&self, text: &str) -> usize {
        self.shared.seen.lock().unwrap()[text]
    }

    /// Cuts the next connection that asks `text`.
    pub(crate) fn cut(&self, text: &'static str, cut: Cut) {
        self.shared.has_cut.store(false, Ordering::SeqCst);
        *self.shared.cut.lock().unwrap() = Some((text, cut));
    }

    pub(crate) fn has_cut(&self) -> bool {
        self.shared.has_cut.load(Ordering::SeqCst)
    }

    /// Keeps from the server whatever asks one of `texts`, until it is told otherwise.
    pub(crate) fn hold(&self, texts: &[&'static str]) {
        self.shared.held.send_replace(texts.to_vec());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn carry(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server).await else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let cut = Arc::new(watch::Sender::new(None));
        let answers = tokio::spawn(Arc::clone(&self).answer(from_server, to_client, cut.subscribe()));
        self.ask(from_client, to_server, &cut).await;
        // The server's end of the connection stays until it has answered.
        let _ended = answers.await;
    }

    /// From the client to the server.
    async fn ask(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: &watch::Sender<Option<Cut>>) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
            // A statement comes in one piece: it is sent so, and fits.
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            for (seen, count) in self.seen.lock().unwrap().iter_mut() {
                *count += text.matches(seen).count();
            }
            let mut held = self.held.subscribe();
            let is_free = held.wait_for(|held| !held.iter().any(|held| text.contains(held)));
            let _ = is_free.await;
            let due = self.cut.lock().unwrap().take_if(|(wanted, _)| text.contains(*wanted));
            if let Some((_, due)) = due {
                cut.send_replace(Some(due));
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            if let Some((_, Cut::Client)) = due {
                // Closed, it would tell the server that nobody is there.
                to.forget();
                return;
            }
        }
    }

    /// From the server to the client.
    async fn answer(
        self: Arc<Self>,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        mut cut: watch::Receiver<Option<Cut>>,
    ) {
        /// `ReadyForQuery`, outside of a transaction.
        const READY: &[u8] = b"Z\0\0\0\x05I";
        let mut buffer = vec![0; 64 * 1024];
        let mut answer = Vec::new();
        loop {
            let is_cut = async { cut.wait_for(|cut| *cut == Some(Cut::Client)).await.is_ok() };
            let length = tokio::select! {
                biased;
                true = is_cut => {
                    self.has_cut.store(true, Ordering::SeqCst);
                    drop(to);
                    // Whatever it says, nobody hears it.
                    while let Ok(1..) = from.read(&mut buffer).await {}
                    return;
                }
                Ok(length @ 1..) = from.read(&mut buffer) => length,
                else => return,
            };
            if *cut.borrow() == Some(Cut::Answer) {
                answer.extend_from_slice(&buffer[..length]);
                if answer.windows(READY.len()).any(|part| part == READY) {
                    self.has_cut.store(true, Ordering::SeqCst);
                    return;
                }
            } else if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }
}
