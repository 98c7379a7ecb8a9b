//! A connection as the pool keeps it, how it is made, and why it ends.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool::managed::{Manager as _, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::{ClientWrapper, Connect, ManagerConfig, RecyclingMethod};
use futures::future::BoxFuture;
use tidewall_api::postgres::Encryption;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{AsyncMessage, Client, Notification, SimpleQueryMessage, Socket};

use super::holder::{Slot, Slots};
use super::lsn::Lsn;
use super::metrics::ServerMetrics;
use super::settings::PoolSettings;

/// PostgreSQL 19 has `WAIT FOR LSN`; as `server_version_num` counts.
const WAIT_FOR_LSN_SINCE: u32 = 190_000;
/// Statements that one connection keeps prepared; more are made by code that puts
/// values into their text, and would fill the server's memory.
pub(super) const STATEMENTS_MAX: usize = 500;

/// Messages of channels that wait to be heard; who is behind by more is told so.
const HEARD_MAX: usize = 64;

/// Asked once of each new connection. A commit that isn't flushed when it is
/// acknowledged has no position that could be told (`synchronous_commit = off`), so
/// that is set here, where no change of the server's configuration reaches it.
const GREET: &str = "
    SELECT pg_is_in_recovery(),
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END,
        current_setting('server_version_num'),
        set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)";

/// Where a server is.
pub(super) struct Address {
    pub(super) config: tokio_postgres::Config,
    /// How connections to it are encrypted.
    pub(super) encryption: Encryption,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: ClientWrapper,
    pub(super) slot: Arc<Slot>,
    pub(super) made_at: Instant,
    lifetime: Duration,
    /// Of the server's role when this was made.
    term: u64,
    /// The server replayed another one's log when this was made. As long as the
    /// connection lives that can change in one way only: by a promotion.
    pub(super) in_recovery: bool,
    /// What it had replayed, at least, when this was made.
    pub(super) replayed: Option<Lsn>,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CloseReason {
    /// Not used for a while, and more than are kept.
    Idle,
    /// Old enough.
    Lifetime,
    /// The other side was gone.
    Broken,
    /// Given back in the middle of a statement or transaction.
    Abandoned,
    /// The server's role changed.
    RoleChanged,
}

impl CloseReason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
            Self::RoleChanged => "role_changed",
        }
    }
}

impl Link {
    /// It is due to be replaced.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.made_at) >= self.lifetime
    }
}

/// Connects, and disconnects once the server is found not to answer: then every
/// statement under way fails at once, whose answer may never come.
struct Dial {
    encryption: Encryption,
    reached: watch::Receiver<bool>,
    /// What the server says of channels.
    heard: broadcast::Sender<Notification>,
}

/// Drives a connection to its end.
async fn drive<S: AsyncRead + AsyncWrite + Unpin>(
    mut connection: tokio_postgres::Connection<Socket, S>,
    heard: broadcast::Sender<Notification>,
) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            // Nobody may be interested.
            let _ = heard.send(notification);
        }
    }
}

impl Connect for Dial {
    fn connect(
        &self,
        config: &tokio_postgres::Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let (config, encryption) = (config.clone(), self.encryption.clone());
        let (mut reached, heard) = (self.reached.clone(), self.heard.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(encryption).await?;
            let lost = async move {
                // Connected anew, it may not have been looked at yet.
                let _ = reached.wait_for(|reached| *reached).await;
                let _ = reached.wait_for(|reached| !reached).await;
            };
            let task = tokio::spawn(async move {
                tokio::select! {
                    // What it ends with, the statements under way are told as well.
                    () = drive(connection, heard) => {}
                    () = lost => {}
                }
            });
            Ok((client, task))
        })
    }
}

/// Makes connections to one server.
pub(super) struct Connector {
    manager: deadpool_postgres::Manager,
    encryption: Encryption,
    heard: broadcast::Sender<Notification>,
    pool: PoolSettings,
    slots: Slots,
    metrics: ServerMetrics,
    /// Counts the changes of the server's role; connections of an earlier one aren't lent again.
    term: AtomicU64,
    /// The server can be told to wait for a position.
    can_wait: AtomicBool,
    /// The last try to connect failed.
    refused: AtomicBool,
    /// With what, for the log: once, not for each try.
    refusal: Mutex<Option<String>>,
}

impl Connector {
    /// `reached` tells whether the server answers.
    pub(super) fn new(
        Address { config, encryption }: Address,
        pool: PoolSettings,
        metrics: ServerMetrics,
        reached: watch::Receiver<bool>,
    ) -> Self {
        // Fast: whether the connection is open, without a query; the monitor asks those.
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let heard = broadcast::Sender::new(HEARD_MAX);
        let dial = Dial { encryption: encryption.clone(), reached, heard: heard.clone() };
        Self {
            manager: deadpool_postgres::Manager::from_connect(config, dial, recycling),
            encryption,
            heard,
            pool,
            slots: Slots::default(),
            metrics,
            term: AtomicU64::new(0),
            can_wait: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            refusal: Mutex::default(),
        }
    }

    /// What the server says of channels from now on.
    pub(super) fn heard(&self) -> broadcast::Receiver<Notification> {
        self.heard.subscribe()
    }

    /// How its connections are encrypted.
    pub(super) fn encryption(&self) -> Encryption {
        self.encryption.clone()
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The server can be told to wait for a position.
    pub(super) fn can_wait(&self) -> bool {
        self.can_wait.load(Ordering::Relaxed)
    }

    /// The last try to connect failed.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// The server's role has changed: what is connected to it by now is not lent again.
    pub(super) fn begin_term(&self) {
        self.term.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection was made in the server's present role.
    pub(super) fn is_of_this_term(&self, link: &Link) -> bool {
        link.term == self.term.load(Ordering::Relaxed)
    }

    async fn connect(&self) -> Result<Link, tokio_postgres::Error> {
        let term = self.term.load(Ordering::Relaxed);
        let client = self.manager.create().await?;
        let greeting = client.simple_query(GREET).await?;
        let row = greeting.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let field = |column| row.and_then(|row| row.get(column));
        let version: u32 = field(2).and_then(|version| version.parse().ok()).unwrap_or_default();
        self.can_wait.store(version >= WAIT_FOR_LSN_SINCE, Ordering::Relaxed);
        let made_at = Instant::now();
        Ok(Link {
            client,
            slot: self.slots.add(made_at),
            made_at,
            lifetime: self.pool.lifetime(fastrand::u16(..)),
            term,
            in_recovery: field(0) == Some("t"),
            replayed: field(1).and_then(|lsn| lsn.parse::<PgLsn>().ok()).map(Lsn::from),
        })
    }

    fn note(&self, outcome: Result<&Link, &tokio_postgres::Error>) {
        self.metrics.connected(outcome.is_ok());
        self.refused.store(outcome.is_err(), Ordering::Relaxed);
        let refusal = outcome.err().map(|error| crate::telemetry::chain(error).to_string());
        let mut last = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusal) = refusal.as_ref().filter(|refusal| last.as_ref() != Some(refusal)) {
            tracing::warn!(server = self.metrics.server(), refusal, "database server refuses connections");
        }
        *last = refusal;
    }
}

impl deadpool::managed::Manager for Connector {
    type Type = Link;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Link, tokio_postgres::Error> {
        let connected = self.connect().await;
        self.note(connected.as_ref());
        connected
    }

    async fn recycle(&self, link: &mut Link, _: &Metrics) -> RecycleResult<tokio_postgres::Error> {
        let reason = if link.client.is_closed() {
            CloseReason::Broken
        } else if !self.is_of_this_term(link) {
            CloseReason::RoleChanged
        } else {
            return Ok(());
        };
        self.metrics.closed(reason);
        Err(RecycleError::message(reason.as_str()))
    }

    fn detach(&self, link: &mut Link) {
        self.manager.detach(&mut link.client);
    }
}
