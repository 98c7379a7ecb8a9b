//! An origin that answers as a test tells it, with an edge of its own in front.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::support::tidewall::{Folder, Running};

/// What makes the answer to a request: a status and fields, an empty line and the body;
/// nothing, to break the connection off; or [`NEVER`].
type Script = Arc<dyn Fn(&Asked) -> String + Send + Sync>;

/// The answer of an origin that hangs: it takes the request, and that is all.
pub(crate) const NEVER: &str = "never";

/// A request that reached the origin.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// How many the path had before.
    pub(crate) nth: usize,
    /// Its first line and its fields, as they came.
    pub(crate) head: String,
    /// Its body, where it came with a length.
    pub(crate) body: String,
}

impl Asked {
    /// A field, empty where it isn't there.
    pub(crate) fn field(&self, name: &str) -> String {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// An origin alone; it takes no connection any more once dropped.
pub(crate) struct Origin {
    pub(crate) url: String,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    given_up: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Origin {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        Self::start_at(runtime, "127.0.0.1:0")
    }

    pub(crate) fn start_at(runtime: &Runtime, address: &str) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let scripts = Arc::<Mutex<HashMap<String, Script>>>::default();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let given_up = Arc::<AtomicUsize>::default();
        let (known, log, lost) = (Arc::clone(&scripts), Arc::clone(&asked), Arc::clone(&given_up));
        let listening = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream, Arc::clone(&known), Arc::clone(&log), Arc::clone(&lost)));
            }
        });
        Self { url, scripts, asked, given_up, listening }
    }

    /// Tells what `path` answers from now on. One that ends in `*` stands for all that begin
    /// so and aren't named themselves.
    pub(crate) fn script(&self, path: &str, answer: impl Fn(&Asked) -> String + Send + Sync + 'static) {
        self.scripts.lock().unwrap().insert(path.to_owned(), Arc::new(answer));
    }

    /// What it was asked at `path`.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }

    /// How many requests that were [`NEVER`] answered are not waited for any more.
    pub(crate) fn given_up(&self) -> usize {
        self.given_up.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The origin and its edge.
pub(crate) struct Scripted {
    edge: Running,
    origin: Origin,
    _folder: Folder,
}

impl Scripted {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let folder = Folder::new();
        let origin = Origin::start(runtime);
        let edge = Running::start(&folder.0, &["edge", "--edge-port", "0", "--origin", &origin.url], &[]);
        Self { edge, origin, _folder: folder }
    }

    /// The origin itself.
    pub(crate) fn origin(&self) -> &str {
        &self.origin.url
    }

    /// Tells what `path` answers from now on, see [`Origin::script`]; its URL at the edge.
    pub(crate) fn script(
        &self,
        path: &str,
        answer: impl Fn(&Asked) -> String + Send + Sync + 'static,
    ) -> String {
        self.origin.script(path, answer);
        self.url(path)
    }

    /// A URL of the edge.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.edge.text("/edge"))
    }

    pub(crate) fn purge_token(&self) -> String {
        self.edge.text("/purge_token")
    }

    /// What the edge has printed.
    pub(crate) fn log(&self) -> String {
        self.edge.log()
    }

    /// What the origin was asked at `path`.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.origin.asked(path)
    }
}

fn script(scripts: &HashMap<String, Script>, path: &str) -> Option<Script> {
    let is_for = |pattern: &str| pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix));
    let wide =
        || scripts.iter().filter(|(pattern, _)| is_for(pattern)).max_by_key(|(pattern, _)| pattern.len());
    scripts.get(path).or_else(|| Some(wide()?.1)).cloned()
}

async fn answer(
    mut stream: TcpStream,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    log: Arc<Mutex<Vec<Asked>>>,
    given_up: Arc<AtomicUsize>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { method, path, nth: 0, head, body: String::new() };
    let mut body = vec![0; asked.field("content-length").parse().unwrap_or(0)];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    asked.body = String::from_utf8_lossy(&body).into_owned();
    let asked = {
        let mut log = log.lock().unwrap();
        asked.nth = log.iter().filter(|earlier| earlier.path == asked.path).count();
        log.push(asked.clone());
        asked
    };
    let script = script(&scripts.lock().unwrap(), &asked.path);
    let method = asked.method.clone();
    let answering = tokio::task::spawn_blocking(move || script.map(|script| script(&asked)));
    let answer = answering.await.unwrap().unwrap_or_else(|| "404\n\n".to_owned());
    if answer == NEVER {
        // Until the edge hangs up.
        while matches!(stream.read(&mut [0; 1_024]).await, Ok(1..)) {}
        given_up.fetch_add(1, Ordering::SeqCst);
        return;
    }
    let Some((fields, body)) = answer.split_once("\n\n") else { return };
    let length = match fields.starts_with("304") || fields.starts_with("204") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let body = if method == "HEAD" { "" } else { body };
    let (status, fields) = fields.split_once('\n').unwrap_or((fields, ""));
    let fields: String = fields.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    let message = format!("HTTP/1.1 {status} X\r\n{fields}{length}connection: close\r\n\r\n{body}");
    // Whether the edge still listens makes no difference here.
    let _ = stream.write_all(message.as_bytes()).await;
    let _ = stream.shutdown().await;
}
