//! Who looks at the home page: as a browser does, on six connections, with what it has kept.
//!
//! First the page, then what it names, then the pictures that its program shows. The program's
//! question for the products is left out: the bench `edge` measures answers of the API.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::super::http::{Message, Stream};
use super::kept::{Fields, Kept, Response};
use super::site::Site;
use crate::error::Reason;

/// Connections that a browser has to one server in HTTP/1.1.
const CONNECTIONS: usize = 6;
/// The home page.
const PAGE: &str = "/";

/// What no connection has asked for yet.
type Waiting = RefCell<VecDeque<(String, Fields)>>;

/// Somebody, with what they have kept.
#[derive(Default)]
pub(super) struct Visitor(Kept);

/// What it took to see the page.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) time: Duration,
    pub(super) answers: Vec<Answer>,
}

/// What came for a path.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) path: String,
    /// Of the body, as it was sent.
    pub(super) bytes: u64,
}

impl Visitor {
    /// Looks at the home page of `site`, which is served at `address`.
    pub(super) async fn look(&mut self, address: SocketAddr, site: &Site) -> Result<View, Reason> {
        let home = site.home()?;
        let mut connections = try_join_all((0..CONNECTIONS).map(|_| Stream::connect(address))).await?;
        let mut answers = Vec::new();
        let begun = Instant::now();
        for paths in [vec![PAGE.to_owned()], home.parts, home.pictures] {
            answers.extend(self.load(&mut connections, paths, site).await?);
        }
        Ok(View { time: begun.elapsed(), answers })
    }

    /// Loads what isn't there, on whichever connection is free.
    async fn load(
        &mut self,
        connections: &mut [Stream],
        paths: Vec<String>,
        site: &Site,
    ) -> Result<Vec<Answer>, Reason> {
        let asked = paths.into_iter().filter_map(|path| self.0.asks(&path).map(|fields| (path, fields)));
        let waiting = Waiting::new(asked.collect());
        let loads = connections.iter_mut().map(|connection| ask_for(connection, &waiting));
        let mut answers = Vec::new();
        for (path, message) in try_join_all(loads).await?.into_iter().flatten() {
            answers.push(self.take(path, &message, site)?);
        }
        Ok(answers)
    }

    /// Takes an answer for what it says, if it is what the site has.
    fn take(&mut self, path: String, message: &Message, site: &Site) -> Result<Answer, Reason> {
        let field = |name: &str| message.field(name).map(str::to_owned);
        let (known, coding) = (site.known(&path)?, field("content-encoding"));
        let bytes = message.body.len() as u64;
        let status: u16 = message.word(1).parse()?;
        let is_right = match status {
            200 => known.is_as_long(coding.as_deref(), bytes),
            304 => bytes == 0,
            _ => false,
        };
        if !is_right {
            let start = message.start();
            return Err(Reason::new(&format!("{path}: {start}, {bytes} bytes in {coding:?}")));
        }
        if status == 200 {
            let response = Response {
                cache_control: field("cache-control").unwrap_or_default(),
                tag: field("etag"),
                use_as_dictionary: field("use-as-dictionary"),
                // A browser takes it of what it has decoded, which is this.
                digest: known.digest(),
            };
            self.0.keep(&path, response);
        }
        Ok(Answer { path, bytes })
    }
}

/// Asks for what waits, one after the other.
async fn ask_for(connection: &mut Stream, waiting: &Waiting) -> Result<Vec<(String, Message)>, Reason> {
    let mut come = Vec::new();
    loop {
        let next = waiting.borrow_mut().pop_front();
        let Some((path, fields)) = next else { return Ok(come) };
        let message = connection.ask(&request(&path, &fields)).await?;
        come.push((path, message));
    }
}

fn request(path: &str, fields: &Fields) -> Vec<u8> {
    let accept = if path == PAGE { "text/html,*/*;q=0.8" } else { "*/*" };
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: edge.example\r\nUser-Agent: tidewall-bench\r\n\
         Accept: {accept}\r\nAccept-Language: en\r\nAccept-Encoding: br, zstd, dcb, dcz\r\n"
    );
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.into_bytes()
}
