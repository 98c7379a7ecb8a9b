//! As much of HTTP/1.1 as is spoken here, on loopback: messages whose ends are told
//! by a length or by chunks, on connections that stay open.
//!
//! Written by hand so that it costs next to nothing: who measures shares the machine
//! with what is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::Reason;

/// Longest head, against a peer that never ends one.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Connections that may wait to be taken: a thousand come at once.
const BACKLOG: u32 = 4096;

/// A request or a response.
pub(crate) struct Message {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The first line.
    pub(crate) fn start(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// A word of the first line.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.start().split(' ').nth(index).unwrap_or_default()
    }

    /// Names and values, as they were sent.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
    }

    /// The first value of `name`.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All before the body.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// Whether the head has these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        self.head.contains(words)
    }
}

/// A connection.
pub(crate) struct Stream {
    tcp: TcpStream,
    /// What has come of the next messages.
    buffer: Vec<u8>,
}

impl Stream {
    fn new(tcp: TcpStream) -> Result<Self, Reason> {
        tcp.set_nodelay(true)?;
        Ok(Self { tcp, buffer: Vec::new() })
    }

    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, Reason> {
        Self::new(TcpStream::connect(address).await?)
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Message, Reason> {
        self.tcp.write_all(request).await?;
        self.read().await?.ok_or_else(|| Reason::new("the connection was closed instead of an answer"))
    }

    /// The next message; `None` where the other side is done.
    async fn read(&mut self) -> Result<Option<Message>, Reason> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(Reason::new("the head of a message doesn't end"));
            }
            if !self.more().await? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut message = Message { head, body: Vec::new() };
        let is_chunked =
            message.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        message.body = match message.field("content-length").map(str::parse).transpose()? {
            _ if is_chunked => self.chunks().await?,
            Some(length) => self.take(length).await?,
            None => Vec::new(),
        };
        Ok(Some(message))
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Reason> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match find(&self.buffer, b"\r\n") {
                    Some(end) => break end,
                    None if self.more().await? => {}
                    None => return Err(Reason::new("a body was cut short")),
                }
            };
            let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            self.buffer.drain(..end + 2);
            body.extend(self.take(length).await?);
            self.take(2).await?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Reason> {
        while self.buffer.len() < length {
            if !self.more().await? {
                return Err(Reason::new("a body was cut short"));
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn more(&mut self) -> Result<bool, Reason> {
        Ok(self.tcp.read_buf(&mut self.buffer).await? > 0)
    }
}

fn find(bytes: &[u8], end: &[u8]) -> Option<usize> {
    bytes.windows(end.len()).position(|window| window == end)
}

/// A request without a body, as a program sends it that is no browser.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: edge.example\r\nUser-Agent: tidewall-bench\r\n\
         Accept: application/json\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    .into_bytes()
}

/// A response.
pub(crate) fn response(status: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// What answers a request.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The response, all of it.
    fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>>;
}

/// A server of this process; gone when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves on a free port.
    pub(crate) async fn start(handler: Arc<impl Handler>) -> Result<Self, Reason> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        // So that another can take its place at once.
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener: TcpListener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            // Dropped with this task, and its connections with it.
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let handler = Arc::clone(&handler);
                connections.spawn(async move {
                    // Whoever goes away in the middle is missed by nobody.
                    let _ = serve(tcp, handler).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(tcp: TcpStream, handler: Arc<impl Handler>) -> Result<(), Reason> {
    let mut stream = Stream::new(tcp)?;
    while let Some(request) = stream.read().await? {
        let response = Arc::clone(&handler).answer(request).await;
        stream.tcp.write_all(&response).await?;
    }
    Ok(())
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<SocketAddr, Reason> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    /// Says what it was asked, in chunks where the path says so.
    struct Echo;

    impl Handler for Echo {
        fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>> {
            let said = format!("{} {}", request.start(), String::from_utf8_lossy(&request.body));
            let response = match request.word(1) {
                "/chunks" => format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{said}\r\n0\r\n\r\n",
                    said.len()
                )
                .into_bytes(),
                _ => response("200 OK", &[("X-A", "b")], said.as_bytes()),
            };
            futures::future::ready(response).boxed()
        }
    }

    #[tokio::test]
    async fn messages_follow_each_other_on_one_connection() {
        let server = Server::start(Arc::new(Echo)).await.unwrap();
        let mut stream = Stream::connect(server.address).await.unwrap();
        let answer = stream.ask(b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await.unwrap();
        assert_eq!(answer.body, b"PUT /a HTTP/1.1 abc");
        assert_eq!((answer.word(1), answer.field("x-a")), ("200", Some("b")));
        let chunked =
            b"PUT /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        let answer = stream.ask(chunked).await.unwrap();
        assert_eq!(answer.body, b"PUT /chunks HTTP/1.1 abc");
    }
}
