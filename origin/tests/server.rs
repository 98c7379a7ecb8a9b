//! Connections: stopping in good order, and who is slow, or sends what nobody reads.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tidewall_origin::http::server::{HEAD_MAX, serve};
use tidewall_origin::shutdown::Shutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::interval;

async fn send_request(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    stream
}

#[tokio::test]
async fn a_request_in_flight_ends_before_the_server_does() {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (arrived, go_on) = (Arc::clone(&arrived), Arc::clone(&go_on));
        async move || {
            arrived.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, shutdown) = Shutdown::manual();
    let server = tokio::spawn(serve(listener, Router::new().route("/slow", get(slow)), shutdown));

    let mut stream = send_request(address).await;
    arrived.notified().await;
    stop.send_replace(true);
    // Refused once the server has stopped accepting; the request is still held.
    let mut tries = interval(Duration::from_millis(10));
    while TcpStream::connect(address).await.is_ok() {
        tries.tick().await;
    }
    assert!(!server.is_finished());
    go_on.notify_one();

    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_too_slow_to_say_what_they_want_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, shutdown) = Shutdown::manual();
    tokio::spawn(serve(listener, Router::new().route("/", get(async || "done")), shutdown));
    let begun = tokio::time::Instant::now();
    let mut answer = Vec::new();

    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ").await.unwrap();
    // The end of the connection, however it is told.
    let _ = slow.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    assert!((HEAD_MAX..2 * HEAD_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    answer.clear();
    let asked = tokio::time::Instant::now();
    let _ = idle.read_to_end(&mut answer).await;
    assert!(asked.elapsed() >= HEAD_MAX, "it is kept for the next request: {:?}", asked.elapsed());
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"done"), "{answer:?}");
}

#[tokio::test]
async fn who_sends_what_is_refused_hears_so_and_may_ask_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, shutdown) = Shutdown::manual();
    let refuse = async || StatusCode::UNAUTHORIZED;
    tokio::spawn(serve(listener, Router::new().route("/", post(refuse).get(async || "done")), shutdown));

    // More than the buffers of both sides hold: it is only taken if somebody reads it. Nothing is read
    // of the answer before, as most clients do.
    let body = vec![b'x'; 12 * 1024 * 1024];
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 401"), "{answers}");
    assert!(answers.contains("HTTP/1.1 200") && answers.ends_with("done"), "{answers}");

    // A sender that keeps it back is answered, and not asked for it.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{}Expect: 100-continue\r\n\r\n", &head[..head.len() - 2]);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
