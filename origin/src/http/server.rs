//! Serves until told to stop, and then stops without failing a request:
//!
//! 1. For a while everything goes on, but `/readyz` says no and each answer closes
//!    its connection.
//! 2. Whoever has connected by then is accepted, and nobody after: new connections
//!    are refused, which tells a client that its request was not begun.
//! 3. Connections that wait for a request are closed, and what was begun ends.
//!
//! Whoever is too slow to say what they want is not waited for: the head of a request, the first of
//! a connection and any later one, must be there in time.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::client::Peer;
use super::linger::Lingering;
use crate::shutdown::{self, Shutdown};

/// Time to see that this origin isn't ready, for those who balance over origins.
const NOTICE: Duration = Duration::from_millis(500);
/// Time for those who connected last to send their request.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// Longest wait for the head of a request. A connection that is kept for the next one waits as long, which
/// is what those who keep connections to servers are used to: nginx has the same `keepalive_timeout`.
pub const HEAD_MAX: Duration = Duration::from_secs(75);
/// Wait after a connection could not be accepted for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves `router` until `shutdown` begins, and ends within [`shutdown::DEADLINE`] of it.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    let (noticed, closing) = (CancellationToken::new(), CancellationToken::new());
    let mut acceptor = Acceptor { listener: Some(listener), last: Vec::new(), noticed: noticed.clone() };
    let served = async {
        // Once, so that no route is made ready again for each request.
        let router = router.with_state::<()>(());
        let (mut http, connections) = (auto::Builder::new(TokioExecutor::new()), GracefulShutdown::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
        loop {
            let (stream, address) = tokio::select! {
                connection = acceptor.accept() => connection,
                () = closing.cancelled() => break,
            };
            let router = router.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let mut request = Lingering::over(request);
                request.extensions_mut().insert(ConnectInfo(Peer(address)));
                router.clone().oneshot(request)
            });
            let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let connection = connections.watch(connection.into_owned());
            // It ends with an error where the client is gone, or was too slow: nobody is left to tell.
            tokio::spawn(async { drop(connection.await) });
        }
        connections.shutdown().await;
    };
    let stop = async {
        shutdown.begun().await;
        tracing::info!("stopping: not ready any more, requests in flight may end");
        sleep(NOTICE).await;
        noticed.cancel();
        sleep(LAST_REQUESTS).await;
        closing.cancel();
        sleep(shutdown::DEADLINE.saturating_sub(NOTICE + LAST_REQUESTS)).await;
    };
    tokio::select! {
        () = served => Ok(()),
        () = stop => {
            tracing::warn!("stopped with requests in flight: the deadline has passed");
            Ok(())
        }
    }
}

/// Accepts connections until everyone had notice and nobody waits any more. The
/// system accepts them before this process does, and would reset those that still
/// wait when the listener is closed.
struct Acceptor {
    /// `None` once closed.
    listener: Option<TcpListener>,
    /// Those that waited when it was closed.
    last: Vec<(TcpStream, SocketAddr)>,
    noticed: CancellationToken,
}

impl Acceptor {
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let mut is_short = false;
        while let Some(listener) = &mut self.listener {
            tokio::select! {
                connection = listener.accept() => match connection {
                    Ok(connection) => return connection,
                    // Of one client, who went away meanwhile.
                    Err(error) if is_of_a_connection(&error) => {}
                    Err(error) => {
                        if !is_short {
                            tracing::error!(%error, "connections can't be accepted");
                        }
                        is_short = true;
                        sleep(ACCEPT_AGAIN).await;
                    }
                },
                () = self.noticed.cancelled() => break,
            }
        }
        if let Some(listener) = self.listener.take() {
            self.last = close(listener);
        }
        match self.last.pop() {
            Some(connection) => connection,
            None => pending().await,
        }
    }
}

fn is_of_a_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Closes `listener`; the connections that waited to be accepted. The system is
/// asked for them itself, since the runtime may not have been told of all yet.
fn close(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    std::iter::from_fn(|| listener.accept().ok())
        .filter_map(|(stream, address)| {
            stream.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, address))
        })
        .collect()
}
