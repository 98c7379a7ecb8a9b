//! An edge that notes what it is told, and answers as a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tidewall_api::purge::Purge;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What every edge here wants to be shown.
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

/// A purge that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) purge: Purge,
    pub(crate) at: Instant,
    /// The status that it was answered with.
    pub(crate) status: u16,
}

/// Says how to answer: a status, after a time.
type Script = Arc<dyn Fn(&Purge) -> (u16, Duration) + Send + Sync>;

/// A running edge; nobody listens any more once it is dropped.
pub(crate) struct Edge {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    told: Mutex<Vec<Told>>,
    script: Mutex<Script>,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
}

impl Edge {
    /// One that accepts everything at once, on any free port.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            told: Mutex::default(),
            script: Mutex::new(Arc::new(|_| (200, Duration::ZERO))),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
        });
        let known = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&known);
                tokio::spawn(async move { shared.answer(stream).await });
            }
        });
        Self { address, shared, task }
    }

    /// An address where no edge is yet.
    pub(crate) async fn address_of_none() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// The same, with a way to answer.
    pub(crate) fn answering(
        self,
        script: impl Fn(&Purge) -> (u16, Duration) + Send + Sync + 'static,
    ) -> Self {
        *self.shared.script.lock().unwrap() = Arc::new(script);
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was told, whether it accepted it or not.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// The purges that it accepted.
    pub(crate) fn accepted(&self) -> Vec<Purge> {
        self.told().into_iter().filter(|told| told.status == 200).map(|told| told.purge).collect()
    }

    /// How many were told it at the same time, at most.
    pub(crate) fn in_flight_max(&self) -> usize {
        self.shared.in_flight_max.load(Ordering::SeqCst)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length, mut authorized, mut json) = (String::new(), 0, false, false);
        if stream.read_line(&mut first).await.is_err() {
            return;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => authorized = value == format!("Bearer {TOKEN}"),
                "content-type" => json = value == "application/json",
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let at = Instant::now();
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.in_flight_max.fetch_max(in_flight, Ordering::SeqCst);
        let is_purge = first.starts_with("POST /_tidewall/purge HTTP/1.1") && json;
        let script = Arc::clone(&self.script.lock().unwrap());
        let (status, body) = match serde_json::from_slice::<Purge>(&body) {
            _ if !authorized => (401, None),
            Ok(purge) if is_purge => {
                let (status, after) = script(&purge);
                tokio::time::sleep(after).await;
                (status, Some(purge))
            }
            _ => (404, None),
        };
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let seq = {
            let mut told = self.told.lock().unwrap();
            told.push(Told { purge: body.unwrap_or_default(), at, status });
            told.len()
        };
        let body: Value = match status {
            200 => serde_json::json!({ "seq": seq }),
            _ => serde_json::json!({ "detail": "as the test wants" }),
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}
