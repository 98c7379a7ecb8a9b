//! Who serves a site, and how far away they are.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::super::http::{self, Stream};
use super::super::storage::{Keeps, Storage};
use super::super::tidewall;
use super::super::workerd::Workerd;
use super::link::Link;
use super::relay::Relay;
use super::server::Server;
use super::site::Site;
use crate::error::Reason;

/// The article's link: 2 Mbit/s, to wherever.
const BITS_PER_SECOND: Option<u64> = Some(2_000_000);
/// To the origin, on another continent.
const FAR: Link = Link { round_trip: Duration::from_millis(200), bits_per_second: BITS_PER_SECOND };
/// To the edge, in the same town.
const NEAR: Link = Link { round_trip: Duration::from_millis(5), bits_per_second: BITS_PER_SECOND };

/// A site's origin, and the edge before it.
pub(super) struct Places {
    /// The way to the origin.
    pub(super) origin: Relay,
    /// The way to the edge.
    pub(super) edge: Relay,
    /// The way from the edge to the origin, whose length makes no difference here.
    behind_edge: Relay,
    _worker: Workerd,
    _server: Server,
}

impl Places {
    /// Both serve `site`; the edge by the Worker in the folder `worker`.
    pub(super) async fn start(worker: &Path, site: &Site) -> Result<Self, Reason> {
        let server = Server::start(site.path()).await?;
        let behind_edge = Relay::start(server.address, Link::NONE).await?;
        let storage = Storage::start(Keeps::All, Keeps::All).await?;
        let worker = tidewall::with_site(worker, behind_edge.address, site.path(), storage).await?;
        for address in [server.address, worker.address] {
            warm_up(address).await?;
        }
        Ok(Self {
            origin: Relay::start(server.address, FAR).await?,
            edge: Relay::start(worker.address, NEAR).await?,
            behind_edge,
            _worker: worker,
            _server: server,
        })
    }

    /// Bytes that the edge has had from the origin.
    pub(super) fn bytes_behind_edge(&self) -> u64 {
        self.behind_edge.bytes()
    }
}

/// Lets a server read what it serves: who comes first is not who is measured.
async fn warm_up(address: SocketAddr) -> Result<(), Reason> {
    let answer = Stream::connect(address).await?.ask(&http::get("/")).await?;
    match answer.word(1) {
        "200" => Ok(()),
        _ => Err(Reason::new(&format!("the home page is answered with {}", answer.start()))),
    }
}
