//! The database: one primary, any number of streaming replicas, and two doors.
//!
//! [`Db::write`] leads to the primary, and says at which position of its log what
//! was written can be seen. [`Db::read`] leads to a copy at or past a position: a
//! replica where one is, else the primary. There is no third way to PostgreSQL.
//! (Each has a variant: [`Db::writer`] for single statements on the primary,
//! [`Db::read_with`] for reads that are done again elsewhere if a server is lost.)
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tidewall_origin::db::{Db, DbError, DbSettings};
//!
//! let replicas = ["postgres://app@db2/notes".to_owned(), "postgres://app@db3/notes".to_owned()];
//! let db = Db::new(DbSettings::parse("postgres://app@db1/notes", &replicas)?);
//!
//! let written = db
//!     .write(async |transaction| {
//!         let insert = "INSERT INTO notes (text) VALUES ($1) RETURNING id";
//!         let row = transaction.query_one(insert, &[&"milk"]).await?;
//!         Ok::<i64, DbError>(row.get(0))
//!     })
//!     .await?;
//!
//! // Whoever wrote it carries `written.position`; whoever brings it sees the note.
//! let connection = db.read(written.position).await?;
//! let note = connection.query_one("SELECT text FROM notes WHERE id = $1", &[&written.value]).await?;
//! # drop(note); Ok(()) }
//! ```
//!
//! A whole service of another kind, with HTTP around it:
//!
//! ```no_run
#![doc = include_str!("../../examples/notes.rs")]
//! ```
//!
//! - `survey`: which server is what; `lag`: how long a replica has been behind;
//!   `route`: which server a read goes to; `cause`: why no connection was free;
//!   `redact`: statements without their values. Pure.
//! - `monitor`: looks at each server; `shared`: what follows from that, for all; `news`: the wait
//!   for more of it.
//! - `server`: one server's pool; `gate`: who is let in; `link`: how connections are
//!   made and end; `upkeep`: how many there are; `holder`: who has them.
//! - `connection`, `transaction`, `rows`: what callers hold; `exclusive`: what one of
//!   all processes holds; `listen`: what is said on channels.
//! - `migrate`: the schema; `hot`: the statements that its indexes are there for.
//!
//! # What is needed of the database
//!
//! PostgreSQL 15 or later, replicas by streaming replication, and for the role
//! that connects `pg_monitor` (or more), without which a replica that was pointed
//! to a new primary is taken up again only after its next restartpoint.
//! `synchronous_commit = off` is switched on again for these connections: a commit
//! that isn't flushed has no position. With `synchronous_standby_names` set, a
//! promotion loses no acknowledged write; without, it can lose the last ones.

mod cause;
mod connection;
mod error;
mod exclusive;
mod gate;
mod holder;
mod hot;
mod lag;
mod link;
mod listen;
mod lsn;
mod metrics;
mod migrate;
mod monitor;
mod news;
mod redact;
mod route;
mod rows;
mod server;
mod settings;
mod shared;
mod survey;
mod transaction;
mod upkeep;

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use tidewall_api::ops::DatabaseServer;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::PgLsn;
use tokio_util::task::AbortOnDropHandle;

pub use cause::Cause;
pub use connection::{Connection, Params, Position, ReadConnection, TypedParams, WriteConnection};
pub use error::{DbError, Exhausted};
pub use exclusive::Exclusive;
pub use holder::Holder;
pub use hot::HotStatement;
pub use listen::Heard;
pub use lsn::Lsn;
pub use migrate::{MigrateError, migrate};
pub(crate) use redact::redact;
pub use rows::Rows;
pub use settings::{DbSettings, PoolSettings, SettingsError};
pub use transaction::{Transaction, Written};

use link::Address;
use metrics::{DbMetrics, Ignored, Routed};
use route::{Route, Why};
use server::{Lane, Purpose, Server};
use shared::Shared;
use survey::{Replica, Whereabouts};

use crate::telemetry::chain;

/// How long a read waits for a replica to catch up with its bookmark. A healthy
/// replica needs a millisecond; one that needs more than this is better left alone.
const REPLICA_WAIT: Duration = Duration::from_millis(50);

/// A server that was told to wait says that it waited in vain within so long.
const ANSWERS_WITHIN: Duration = Duration::from_millis(5);

/// The way to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    lane: Lane,
}

struct Inner {
    shared: Arc<Shared>,
    /// Counts reads, so that equally loaded replicas serve in turn.
    turn: AtomicUsize,
    acquire_deadline: Duration,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Db {
    /// Sets up the pools and begins to watch the servers, on the current Tokio
    /// runtime. Makes no connection itself, so it succeeds without a database in reach.
    pub fn new(settings: DbSettings) -> Self {
        let DbSettings { servers, pool, encryption } = settings;
        let metrics = DbMetrics::new();
        let is_alone = servers.len() == 1;
        let servers: Vec<_> = (servers.into_iter().enumerate())
            .map(|(index, config)| {
                let name = if index == 0 { "primary".to_owned() } else { format!("replica{index}") };
                let server_metrics = metrics.server(&name);
                let address = Address { config, encryption: encryption.clone() };
                Arc::new(Server::new(index, name, address, pool, is_alone, server_metrics))
            })
            .collect();
        let shared = Arc::new(Shared::new(servers, metrics));
        let mut tasks = Vec::new();
        for server in &shared.servers {
            tasks.push(tokio::spawn(monitor::monitor(Arc::clone(server), Arc::clone(&shared))));
            tasks.push(tokio::spawn(upkeep::upkeep(Arc::clone(server))));
        }
        let tasks = tasks.into_iter().map(AbortOnDropHandle::new).collect();
        let acquire_deadline = pool.acquire_deadline;
        let inner = Inner { shared, turn: AtomicUsize::new(0), acquire_deadline, _tasks: tasks };
        Self { inner: Arc::new(inner), lane: Lane::General }
    }

    /// The same database over connections that are kept for what must go on while
    /// all others wait: health, sessions. They are two for each server, so what
    /// uses them must be short.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), lane: Lane::Reserved }
    }

    /// Does `work` in a transaction on the primary, and commits it if that
    /// succeeds. Nothing is changed unless this does; the one exception is
    /// [`DbError::OutcomeUnknown`].
    #[track_caller]
    pub fn write<T, E, F>(&self, work: F) -> impl Future<Output = Result<Written<T>, E>>
    where
        E: From<DbError>,
        F: AsyncFnOnce(&Transaction) -> Result<T, E>,
    {
        let site = Location::caller();
        async move {
            let connection = self.primary(Purpose::Write, site).await?;
            let transaction = Transaction::begin(connection).await?;
            match work(&transaction).await {
                Ok(value) => Ok(Written { value, position: transaction.commit().await? }),
                Err(error) => {
                    transaction.roll_back().await;
                    Err(error)
                }
            }
        }
    }

    /// A connection to the primary for single statements: for writes that need no
    /// more, and for reads that must see the present.
    #[track_caller]
    pub fn writer(&self) -> impl Future<Output = Result<WriteConnection, DbError>> {
        let site = Location::caller();
        async move { Ok(WriteConnection { connection: self.primary(Purpose::Write, site).await? }) }
    }

    /// A connection to a server at or past `bookmark`.
    #[track_caller]
    pub fn read(&self, bookmark: Option<Lsn>) -> impl Future<Output = Result<ReadConnection, DbError>> {
        self.read_at(bookmark, Location::caller())
    }

    /// Does `read` on a connection of [`Db::read`], and again on another one if
    /// the server went away under it: readers don't notice lost servers, even if
    /// all replicas go at once.
    #[track_caller]
    pub fn read_with<T, F>(
        &self,
        bookmark: Option<Lsn>,
        read: F,
    ) -> impl Future<Output = Result<(T, Position), DbError>>
    where
        // Not `AsyncFn`: of its future nobody could say that it is `Send`.
        F: for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbError>>,
    {
        let site = Location::caller();
        async move {
            // Each server that fails is passed over from then on; the last try
            // finds one that was restarted meanwhile.
            let mut tries_left = self.inner.shared.servers.len() + 1;
            loop {
                let connection = self.read_at(bookmark, site).await?;
                match read(&connection).await {
                    Err(error) if error.is_elsewhere() && tries_left > 0 => {
                        tries_left -= 1;
                        tracing::warn!(error = %chain(&error), "read again elsewhere");
                    }
                    done => return Ok((done?, connection.position())),
                }
            }
        }
    }

    async fn read_at(
        &self,
        bookmark: Option<Lsn>,
        site: &'static Location<'static>,
    ) -> Result<ReadConnection, DbError> {
        let Inner { shared, turn, .. } = &*self.inner;
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        let bookmark = self.plausible(bookmark);
        let mut passed_over = Vec::new();
        let mut waited = None;
        loop {
            let (routed, is_complete) = {
                let view = shared.view.borrow();
                let load = |replica: &Replica| shared.servers[replica.index].load();
                let may_wait = waited.is_none_or(|until| Instant::now() < until);
                let routed = if passed_over.is_empty() {
                    route::route(&view.replicas, load, bookmark, turn, may_wait)
                } else {
                    let left: Vec<_> = (view.replicas.iter().copied())
                        .filter(|replica| !passed_over.contains(&replica.index))
                        .collect();
                    route::route(&left, load, bookmark, turn, may_wait)
                };
                (routed, view.is_complete)
            };
            let routed_after = begun.elapsed();
            match routed {
                Route::Replica(replica) => match self.replica(replica, bookmark, site).await {
                    Ok(Some(connection)) => {
                        let routed = if waited.is_some() { Routed::Waited } else { Routed::Replica };
                        self.note(bookmark, routed, routed_after);
                        return Ok(connection);
                    }
                    Ok(None) => passed_over.push(replica.index),
                    // The least loaded of all is: the primary isn't to take what replicas can't.
                    Err(error) if error.is_overload() && self.serving(replica.index).is_some() => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::debug!(error = %chain(&error), "replica passed over");
                        passed_over.push(replica.index);
                    }
                },
                Route::Wait(replica) => {
                    let until = *waited.get_or_insert(begun + REPLICA_WAIT);
                    if let Some(connection) = self.wait(replica, bookmark, &passed_over, until, site).await? {
                        self.note(bookmark, Routed::Waited, begun.elapsed());
                        return Ok(connection);
                    }
                }
                Route::Primary(why) => {
                    if why == Why::NoReplica && !is_complete && self.learns_more(begun).await {
                        continue;
                    }
                    let connection = self.primary(Purpose::PrimaryRead, site).await?;
                    let routed = if why == Why::Behind { Routed::Behind } else { Routed::NoReplica };
                    self.note(bookmark, routed, routed_after);
                    return Ok(ReadConnection { connection, position: Position::Primary });
                }
            }
        }
    }

    /// The bookmark, unless it can't be of this log.
    fn plausible(&self, bookmark: Option<Lsn>) -> Option<Lsn> {
        let shared = &self.inner.shared;
        let plausible = route::plausible(bookmark?, shared.view.borrow().end);
        if plausible.is_none() {
            shared.metrics.ignored(Ignored::Future);
        }
        plausible
    }

    /// Counts a read that waited so long until it was known where it goes.
    fn note(&self, bookmark: Option<Lsn>, routed: Routed, routed_after: Duration) {
        let metrics = &self.inner.shared.metrics;
        metrics.routed(routed);
        if bookmark.is_some() && matches!(routed, Routed::Waited | Routed::Behind) {
            metrics.bookmark_wait_seconds.observe(routed_after.as_secs_f64());
        }
    }

    /// What is known now of a replica that may serve.
    fn serving(&self, index: usize) -> Option<Replica> {
        self.inner.shared.view.borrow().replicas.iter().find(|replica| replica.index == index).copied()
    }

    /// A connection to a replica; `None` if it turns out to be behind, or none.
    async fn replica(
        &self,
        replica: Replica,
        bookmark: Option<Lsn>,
        site: &'static Location<'static>,
    ) -> Result<Option<ReadConnection>, DbError> {
        let shared = &self.inner.shared;
        let server = &shared.servers[replica.index];
        let lease = self.acquire(server, Purpose::ReplicaRead, site).await?;
        // While it waited for its turn the server may have been left behind.
        let Some(replica) = self.serving(replica.index) else { return Ok(None) };
        // What was seen of a server says nothing of one that was restarted since, and
        // may have come back further behind. A connection that was there before
        // the look was not; of a newer one the position was asked when it was made.
        let replayed = if lease.link.made_at < replica.asked_at {
            Some(replica.replayed)
        } else {
            lease.link.replayed.filter(|_| lease.link.in_recovery)
        };
        let connection = Connection::new(lease, server, shared, Purpose::ReplicaRead);
        let at_or_past = |replayed: &Lsn| bookmark.is_none_or(|bookmark| *replayed >= bookmark);
        Ok(replayed.filter(at_or_past).map(|replayed| {
            // From before the read's snapshot, so a lower bound of it.
            ReadConnection { connection, position: Position::AtLeast(replayed) }
        }))
    }

    /// Waits for `replica` to catch up with `bookmark`. Where the server can be told to
    /// wait itself, the connection on which it did serves the read. Else `None`, when
    /// some replica has caught up, or at `until`.
    async fn wait(
        &self,
        replica: Replica,
        bookmark: Option<Lsn>,
        passed_over: &[usize],
        until: Instant,
        site: &'static Location<'static>,
    ) -> Result<Option<ReadConnection>, DbError> {
        let shared = &self.inner.shared;
        let Some(bookmark) = bookmark else { return Ok(None) };
        if shared.servers[replica.index].pool().manager().can_wait() {
            match self.wait_there(replica, bookmark, until, site).await {
                Ok(Some(connection)) => return Ok(Some(connection)),
                Err(error) if error.is_overload() => return Err(error),
                // It is looked at instead, for as long as there is time.
                Ok(None) | Err(_) => {}
            }
        }
        let mut view = shared.view.subscribe();
        let _waiting = shared.wait();
        let serves =
            |replica: &Replica| replica.replayed >= bookmark && !passed_over.contains(&replica.index);
        let caught_up = view.wait_for(|view| view.replicas.iter().any(serves));
        // Past the deadline the read is routed once more, and doesn't come here again.
        let _ = timeout_at(until, caught_up).await;
        Ok(None)
    }

    /// PostgreSQL 19: the server wakes the reader when it has replayed enough.
    async fn wait_there(
        &self,
        replica: Replica,
        bookmark: Lsn,
        until: Instant,
        site: &'static Location<'static>,
    ) -> Result<Option<ReadConnection>, DbError> {
        let Some(connection) = self.replica(replica, None, site).await? else { return Ok(None) };
        // It answers by then; a statement that is given up costs its connection.
        let left = until.saturating_duration_since(Instant::now()).saturating_sub(ANSWERS_WITHIN);
        if left.is_zero() {
            return Ok(None);
        }
        let wait = route::wait_statement(&PgLsn::from(bookmark).to_string(), left);
        let answer = connection.simple(&wait).await?;
        let status = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let has_it = status == Some("success");
        Ok(has_it.then(|| ReadConnection { position: Position::AtLeast(bookmark), ..connection }))
    }

    /// Waits where a server wasn't looked at yet, so that it doesn't count as missing.
    async fn learns_more(&self, begun: Instant) -> bool {
        news::learns_more(self.inner.shared.view.subscribe(), begun + self.inner.acquire_deadline).await
    }

    /// A connection to the primary. Never to a server that follows another one:
    /// it is behind, and what it says must not pass for the present.
    async fn primary(
        &self,
        purpose: Purpose,
        site: &'static Location<'static>,
    ) -> Result<Connection, DbError> {
        let shared = &self.inner.shared;
        let begun = Instant::now();
        loop {
            let whereabouts = shared.view.borrow().whereabouts();
            let server = match whereabouts {
                Whereabouts::At(index) => &shared.servers[index],
                Whereabouts::Unknown if self.learns_more(begun).await => continue,
                Whereabouts::Nowhere | Whereabouts::Unknown => return Err(self.no_primary()),
            };
            let lease = self.acquire(server, purpose, site).await;
            // While it waited for its turn another one may have become the primary.
            if shared.view.borrow().primary != Some(server.index) {
                continue;
            }
            let lease = lease?;
            if lease.link.in_recovery {
                shared.doubt(server);
                return Err(self.no_primary());
            }
            return Ok(Connection::new(lease, server, shared, purpose));
        }
    }

    async fn acquire(
        &self,
        server: &Server,
        purpose: Purpose,
        site: &'static Location<'static>,
    ) -> Result<server::Lease, DbError> {
        let acquired = server.acquire(purpose, self.lane, site).await;
        if acquired.as_ref().is_err_and(DbError::is_disconnect) {
            self.inner.shared.doubt(server);
        }
        acquired
    }

    fn no_primary(&self) -> DbError {
        DbError::NoPrimary { servers: self.inner.shared.describe() }
    }

    /// Counts a bookmark that a client sent and that can't be read.
    pub fn count_malformed_bookmark(&self) {
        self.inner.shared.metrics.ignored(Ignored::Malformed);
    }

    /// Returns when another server has become the primary, as after a promotion.
    pub async fn primary_changed(&self) {
        let mut view = self.inner.shared.view.subscribe();
        let before = view.borrow().primary;
        if view.wait_for(|view| view.primary.is_some() && view.primary != before).await.is_err() {
            // Nobody looks any more.
            std::future::pending::<()>().await;
        }
    }

    /// Reads can be served: by the primary or by a replica.
    pub fn is_ready(&self) -> bool {
        self.inner.shared.is_ready()
    }

    /// What each server is, and how its connections are used.
    pub fn servers(&self) -> Vec<DatabaseServer> {
        self.inner.shared.servers()
    }

    /// Registers what is measured here.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.inner.shared.metrics.register(registry);
    }

    /// Brings the gauges up to date.
    pub fn observe(&self) {
        self.inner.shared.observe();
    }
}
