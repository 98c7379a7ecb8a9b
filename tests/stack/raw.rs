//! Requests written byte by byte, for what no client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    /// All of it, head and body, as far as it is text.
    pub(crate) text: String,
}

impl Raw {
    /// A field, empty where it isn't there.
    pub(crate) fn field(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    }
}

/// Sends what begins with this line and has these fields, each written as `name: value`, and
/// reads the answer to its end. `edge` is the edge's URL; the host is one of the test's own
/// unless the fields name another.
pub(crate) async fn ask(edge: &str, line: &str, fields: &[&str], body: &str) -> Raw {
    let mut message = format!("{line} HTTP/1.1\r\n");
    if !fields.iter().any(|field| field.starts_with("host:")) {
        message.push_str("host: edge.test\r\n");
    }
    for field in fields {
        message.push_str(field);
        message.push_str("\r\n");
    }
    message.push_str("connection: close\r\n\r\n");
    message.push_str(body);
    send(edge, message.as_bytes()).await
}

/// Sends exactly this.
pub(crate) async fn send(edge: &str, message: &[u8]) -> Raw {
    let address = edge.strip_prefix("http://").unwrap();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(message).await.unwrap();
        let mut answer = Vec::new();
        // One that closes with something unread is a reset, after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = tokio::time::timeout(DEADLINE, exchange).await.expect("no end of the answer");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Raw { status: status.unwrap_or_else(|| panic!("no answer: {text}")), text }
}
