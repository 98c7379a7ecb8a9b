//! Origins that are processes of their own: killed, stopped and continued behind an edge that
//! has requests for them all the time. And sockets that behave as no server should.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::shelf::Shelf;
use crate::support::poll;
use crate::support::processes::signal;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, Workerd};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("killed::origins_that_are_killed_and_stopped_fail_no_read", origins_that_are_killed_and_stopped),
    ("killed::events_come_as_they_are_sent_and_whoever_leaves_ends_them", whoever_leaves_ends_a_stream),
    ("killed::a_socket_that_says_nothing_or_half_of_it_fails_no_read", odd_sockets_fail_no_read),
];

/// How long the edge waits for an origin here.
const DEADLINE_MS: (&str, &str) = ("ORIGIN_DEADLINE_MS", "1000");
/// Who ask at the same time.
const READERS: usize = 6;
/// Longest wait for what must happen sooner or later.
const SOON: Duration = Duration::from_secs(60);

/// An origin of the shop, killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    _folder: Folder,
}

impl Process {
    async fn start(world: &World) -> Self {
        Self::start_with(world, &[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn start_with(world: &World, args: &[&str]) -> Self {
        let folder = Folder::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("tidewall-origin");
        let child = Command::new(program)
            .args(["serve", "--id", "p", "--listen", &address, "--files"])
            .arg(&folder.0)
            .args(args)
            .env("DATABASE_URL", world.stack.text("/primary"))
            .env("REPLICA_URLS", "")
            .env("EDGE_URL", "")
            .env("TIDEWALL_SECRET", "of this test alone, and long enough to be taken")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, url: format!("http://{address}"), _folder: folder };
        let ready = poll::until_async(SOON, || async {
            let answer = world.client.get(format!("{}/readyz", process.url)).send().await.ok()?;
            answer.status().is_success().then_some(())
        });
        ready.await.expect("the origin is ready");
        process
    }

    fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn edge(world: &World, origins: &[&str], folder: &Folder) -> Workerd {
    let (kv, cache_api) = (Shelf::start(&world.runtime), Shelf::start(&world.runtime));
    let setup = Setup {
        origins,
        policy: "round-robin",
        kv: &kv,
        cache_api: &cache_api,
        variables: &[DEADLINE_MS],
        objects: &folder.0,
        site: None,
    };
    Workerd::start(world, &setup).await
}

async fn states(world: &World, edge: &Workerd) -> Vec<String> {
    let status = edge.status(world).await.unwrap();
    let origins = status["origins"].as_array().unwrap().iter();
    origins.map(|origin| origin["state"].as_str().unwrap().to_owned()).collect()
}

fn origins_that_are_killed_and_stopped(world: &World) {
    world.run(async {
        let folder = Folder::new();
        // Half of them stay: with fewer, one that only hangs would be asked all the same (panic).
        let mut processes = Vec::new();
        for _ in 0..4 {
            processes.push(Process::start(world).await);
        }
        let urls: Vec<_> = processes.iter().map(|process| &*process.url).collect();
        let edge = edge(world, &urls, &folder).await;
        let sent = AtomicUsize::new(0);
        let is_over = std::sync::atomic::AtomicBool::new(false);
        // What nobody stores, and needs no database: there is no session.
        let read = async || {
            let mut longest = Duration::ZERO;
            while !is_over.load(Ordering::SeqCst) {
                let begun = Instant::now();
                let answer = world.get(&format!("{}/api/me", edge.url)).await;
                assert_eq!(answer.status(), 401, "{answer:?}\n{}", edge.log());
                longest = longest.max(begun.elapsed());
                sent.fetch_add(1, Ordering::SeqCst);
            }
            longest
        };
        let more = async |count: usize| {
            let from = sent.load(Ordering::SeqCst);
            let came = poll::until_async(SOON, || async {
                (sent.load(Ordering::SeqCst) >= from + count).then_some(())
            });
            came.await.expect("requests are answered");
        };
        let until = async |origin: usize, is_wanted: &dyn Fn(&str) -> bool| {
            let seen = poll::until_async(SOON, || async {
                is_wanted(&states(world, &edge).await[origin]).then_some(())
            });
            seen.await.expect("the origin comes to be so");
        };
        let happens = async {
            more(100).await;
            processes[1].signal(Signal::KILL);
            until(1, &|state| state == "ejected").await;
            more(100).await;
            // It takes connections, and answers none.
            processes[2].signal(Signal::STOP);
            until(2, &|state| state == "ejected").await;
            more(100).await;
            assert_eq!(states(world, &edge).await, ["up", "ejected", "ejected", "up"]);
            processes[2].signal(Signal::CONT);
            until(2, &|state| state != "ejected").await;
            more(100).await;
            is_over.store(true, Ordering::SeqCst);
        };
        let readers = futures::future::join_all((0..READERS).map(|_| read()));
        let (longest, ()) = tokio::join!(readers, happens);
        // The deadline of one, and then another one's answer.
        assert!(longest.iter().all(|longest| *longest < Duration::from_secs(5)), "{longest:?}");
    });
}

/// What a socket does once it has read a request.
#[derive(Clone, Copy)]
enum Oddity {
    /// Sends a part of a head, and no more.
    Trickles,
    /// Says that it will send nothing, and goes on listening.
    HalfCloses,
    /// Sends what is no HTTP.
    Babbles,
}

async fn odd_server(oddity: Oddity) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(misbehave(connection, oddity));
        }
    });
    url
}

async fn misbehave(mut connection: TcpStream, oddity: Oddity) -> std::io::Result<()> {
    let mut request = [0; 4096];
    if connection.read(&mut request).await? == 0 {
        return Ok(());
    }
    match oddity {
        Oddity::Trickles => connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").await?,
        Oddity::HalfCloses => connection.shutdown().await?,
        Oddity::Babbles => connection.write_all(b"\0\x01 nonsense\r\n\r\n").await?,
    }
    // It stays as it is for as long as the other side does.
    while connection.read(&mut request).await? > 0 {}
    Ok(())
}

fn odd_sockets_fail_no_read(world: &World) {
    world.run(async {
        for oddity in [Oddity::Trickles, Oddity::HalfCloses, Oddity::Babbles] {
            let folder = Folder::new();
            let well = Process::start(world).await;
            let odd = odd_server(oddity).await;
            let edge = edge(world, &[&odd, &well.url], &folder).await;
            for _ in 0..40 {
                let answer = world.get(&format!("{}/api/me", edge.url)).await;
                assert_eq!(answer.status(), 401, "{}", edge.log());
                assert_eq!(field(&answer, "tidewall-origin"), "b");
            }
            assert_eq!(states(world, &edge).await[0], "ejected");
        }
    });
}

/// A server that sends an event every so often, and how many of its streams were ended by the
/// other side.
async fn event_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                if send_events(connection).await.is_err() {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    (url, ended)
}

/// Sends events until the other side has gone.
async fn send_events(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let read = connection.read(&mut request).await?;
    if !String::from_utf8_lossy(&request[..read]).contains("/events") {
        // A probe, or nobody.
        return connection
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    connection.write_all(head).await?;
    loop {
        connection.write_all(b"data: tick\n\n").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn whoever_leaves_ends_a_stream(world: &World) {
    world.run(async {
        let folder = Folder::new();
        let (url, ended) = event_server().await;
        let edge = edge(world, &[&url], &folder).await;
        let mut events = world.get(&format!("{}/events", edge.url)).await;
        assert_eq!(field(&events, "content-type"), "text/event-stream");
        // It has no end, so what comes has come as it was sent.
        let mut come = Vec::new();
        while come.len() < 3 * "data: tick\n\n".len() {
            come.extend_from_slice(&events.chunk().await.unwrap().unwrap());
        }
        assert!(come.starts_with(b"data: tick\n\ndata: tick\n\n"), "{}", String::from_utf8_lossy(&come));
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        drop(events);
        let left = poll::until_async(SOON, || async { (ended.load(Ordering::SeqCst) == 1).then_some(()) });
        left.await.expect("the origin hears that nobody listens any more");
    });
}
