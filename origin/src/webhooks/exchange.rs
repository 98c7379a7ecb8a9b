//! One request to an endpoint.
//!
//! It is made by hand rather than by a client of many abilities: one connection to an address
//! that was looked at, no proxy, no redirect, no cookie, and of the answer the head alone. The
//! name is resolved here, and the connection goes to what came of that: nobody resolves it
//! a second time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::answer;
use super::target::{Addresses, Target};

/// The whole request has so long, from the name to the head of the answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Most that is read of an answer: its head must fit.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Speaks to endpoints; cheap to clone.
#[derive(Clone)]
pub(super) struct Exchange {
    addresses: Addresses,
    tls: TlsConnector,
}

/// What is sent.
pub(super) struct Outgoing {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The seconds of `Retry-After`, where it names some.
    pub(super) retry_after_s: Option<u64>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The name leads to no address that may be spoken to.
    #[error("the endpoint has no public address")]
    Address,
    /// No address, or no connection.
    #[error("the endpoint can't be reached")]
    Unreachable(#[source] io::Error),
    /// Another name's certificate, or none that is trusted.
    #[error("the endpoint's certificate or TLS can't be used")]
    Tls(#[source] io::Error),
    /// No HTTP.
    #[error("the endpoint gave no answer that can be read")]
    Http(#[from] hyper::Error),
    /// The request can't be put into words.
    #[error("the request can't be made")]
    Request(#[from] axum::http::Error),
    /// Too slow.
    #[error("the endpoint gave no answer within {} s", ANSWER_MAX.as_secs())]
    Timeout,
}

impl Exchange {
    pub(super) fn new(addresses: Addresses) -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| unreachable!("the provider knows TLS 1.2 and 1.3"))
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { addresses, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// Sends, and waits for the head of the answer.
    pub(super) async fn post(&self, target: &Target, outgoing: Outgoing) -> Result<Answer, ExchangeError> {
        timeout(ANSWER_MAX, self.post_now(target, outgoing)).await.unwrap_or(Err(ExchangeError::Timeout))
    }

    async fn post_now(&self, target: &Target, outgoing: Outgoing) -> Result<Answer, ExchangeError> {
        let Outgoing { id, timestamp, signature, body } = outgoing;
        let request = Request::post(target.path_and_query())
            .header(HOST, target.authority())
            .header(USER_AGENT, concat!("tidewall/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body)))?;
        let stream = self.connect(target).await?;
        let response = if target.is_tls() {
            let tls_error = |error| ExchangeError::Tls(error);
            let name = ServerName::try_from(target.host());
            let name = name.map_err(|error| tls_error(io::Error::other(error)))?;
            send(self.tls.connect(name, stream).await.map_err(tls_error)?, request).await?
        } else {
            send(stream, request).await?
        };
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after_s: retry_after.and_then(answer::seconds),
        })
    }

    /// A connection to one of the target's addresses, none of which was not looked at.
    async fn connect(&self, target: &Target) -> Result<TcpStream, ExchangeError> {
        let found = lookup_host((target.host(), target.port())).await.map_err(ExchangeError::Unreachable)?;
        let allowed: Vec<SocketAddr> = found.filter(|address| self.addresses.allow(address.ip())).collect();
        if allowed.is_empty() {
            return Err(ExchangeError::Address);
        }
        // One after the other.
        TcpStream::connect(&*allowed).await.map_err(ExchangeError::Unreachable)
    }
}

/// Sends one request over a connection, which ends with what is returned.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    sender.send_request(request).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn outgoing() -> Outgoing {
        Outgoing {
            id: "job-7".to_owned(),
            timestamp: 1_600_000_000,
            signature: "v1,abc=".to_owned(),
            body: b"{}".to_vec(),
        }
    }

    /// An endpoint that answers once; what it was sent.
    async fn endpoint(answer: &'static [u8]) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut got, mut buffer) = (Vec::new(), [0; 1024]);
            while !got.ends_with(b"{}") {
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0);
                got.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer).await.unwrap();
            // A body without an end: nobody waits for it.
            let _closed = stream.read(&mut buffer).await;
            String::from_utf8(got).unwrap()
        });
        (port, serving)
    }

    async fn post(answer: &'static [u8]) -> (Result<Answer, String>, String) {
        let (port, serving) = endpoint(answer).await;
        let target = Target::parse(&format!("http://localhost:{port}/hook?a=b"), Addresses::Any).unwrap();
        let answer = Exchange::new(Addresses::Any).post(&target, outgoing()).await;
        (answer.map_err(|error| error.to_string()), serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_message_is_sent_and_the_head_of_the_answer_is_read() {
        let (answer, got) =
            post(b"HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 99999999999\r\n\r\nx").await;
        assert_eq!(answer, Ok(Answer { status: 503, retry_after_s: Some(7) }));
        let head = got.to_lowercase();
        assert!(head.starts_with("post /hook?a=b http/1.1\r\nhost: localhost:"), "{head}");
        for field in [
            "webhook-id: job-7",
            "webhook-timestamp: 1600000000",
            "webhook-signature: v1,abc=",
            "content-type: application/json",
            "content-length: 2",
        ] {
            assert!(head.contains(&format!("\r\n{field}\r\n")), "{field} is missing in {head}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_like_any_other() {
        let (answer, _) =
            post(b"HTTP/1.1 307 There\r\nlocation: http://localhost:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(answer, Ok(Answer { status: 307, retry_after_s: None }));
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_no_answer() {
        static LONG: [u8; 2 * HEAD_BYTES_MAX] = [b'x'; 2 * HEAD_BYTES_MAX];
        assert!(post(&LONG).await.0.is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_refused_before_anything_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Target::parse(&format!("https://localhost:{port}/"), Addresses::Public).unwrap();
        let refused = Exchange::new(Addresses::Public).post(&target, outgoing()).await;
        assert!(matches!(refused, Err(ExchangeError::Address)), "{refused:?}");
        let nobody = futures::poll!(std::pin::pin!(listener.accept()));
        assert!(nobody.is_pending(), "somebody has connected");
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_not_told_the_message() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = vec![0; 4096];
            let read = stream.read(&mut got).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            got.truncate(read);
            got
        });
        let target = Target::parse(&format!("https://localhost:{port}/"), Addresses::Any).unwrap();
        let refused = Exchange::new(Addresses::Any).post(&target, outgoing()).await;
        assert!(matches!(refused, Err(ExchangeError::Tls(_))), "{refused:?}");
        assert!(!serving.await.unwrap().windows(7).any(|window| window == b"webhook"));
    }
}
