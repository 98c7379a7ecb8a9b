//! Serves until told to stop, and then stops without failing a request:
//!
//! 1. For a while everything goes on, but `/readyz` says no and each answer closes
//!    its connection.
//! 2. Whoever has connected by then is accepted, and nobody after: new connections
//!    are refused, which tells a client that its request was not begun.
//! 3. Connections that wait for a request are closed, and what was begun ends.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::client::Peer;
use crate::shutdown::{self, Shutdown};

/// Time to see that this origin isn't ready, for those who balance over origins.
const NOTICE: Duration = Duration::from_millis(500);
/// Time for those who connected last to send their request.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// Serves `router` until `shutdown` begins, and ends within [`shutdown::DEADLINE`] of it.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (noticed, closing) = (CancellationToken::new(), CancellationToken::new());
    let acceptor = Acceptor { listener: Some(listener), last: Vec::new(), address, noticed: noticed.clone() };
    let server = axum::serve(acceptor, router.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(closing.clone().cancelled_owned());
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
        served = server.into_future() => served,
        () = stop => {
            tracing::warn!("stopped with requests in flight: the deadline has passed");
            Ok(())
        }
    }
}

/// Accepts connections until everyone had notice and nobody waits any more. The
/// system accepts them before this process does, and would reset those that still
/// wait when the listener is closed.
pub(super) struct Acceptor {
    /// `None` once closed.
    listener: Option<TcpListener>,
    /// Those that waited when it was closed.
    last: Vec<(TcpStream, SocketAddr)>,
    address: SocketAddr,
    noticed: CancellationToken,
}

impl Listener for Acceptor {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            tokio::select! {
                connection = Listener::accept(listener) => return connection,
                () = self.noticed.cancelled() => {}
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

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
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
