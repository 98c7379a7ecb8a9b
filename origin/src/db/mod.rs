//! The database: one primary, any number of streaming replicas, and two doors.
//!
//! [`Db::write`] leads to the primary. [`Db::read`] leads to a copy at or past
//! the reader's bookmark: a replica where one is, else the primary. There is no
//! third way to reach PostgreSQL.
//!
//! - `route`: which server a read goes to. Pure.
//! - `monitor`: keeps what is known of each server.
//! - `server`: one server's pool and health.
//! - `connection`: what callers hold, and the transactions they begin; `rows`: long results.
//! - `migrate`: the schema.

mod connection;
mod error;
mod lsn;
mod metrics;
mod migrate;
mod monitor;
mod route;
mod rows;
mod server;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

pub use connection::{Connection, Params, Position, ReadConnection, Transaction, WriteConnection};
pub use error::DbError;
pub use lsn::Lsn;
pub use migrate::{MigrateError, migrate};
pub use rows::Rows;
pub use settings::{DbSettings, SettingsError};

use metrics::{DbMetrics, QueryKind};
use route::Route;
use server::Server;

use crate::telemetry::chain;

/// Connections to the primary, per process.
const PRIMARY_CONNECTIONS_MAX: usize = 20;
/// Connections to each replica, per process.
const REPLICA_CONNECTIONS_MAX: usize = 50;
/// How long a read waits for a replica to catch up with its bookmark. A healthy
/// replica needs a millisecond; one that needs more than this is better left alone.
const REPLICA_WAIT: Duration = Duration::from_millis(50);

/// The way to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    primary: Arc<Server>,
    replicas: Vec<Arc<Server>>,
    metrics: DbMetrics,
    /// Counts reads, so that replicas serve in turn.
    turn: AtomicUsize,
    /// Changes after each look at any server.
    moved: watch::Sender<()>,
    _monitors: Vec<AbortOnDropHandle<()>>,
}

impl Db {
    /// Sets up the pools and begins to watch the servers. Makes no connection
    /// itself, so it succeeds without a database in reach.
    pub fn new(settings: DbSettings) -> Self {
        let metrics = DbMetrics::new();
        let server = |name: String, config, connections_max| {
            Arc::new(Server::new(name, config, connections_max, metrics.clone()))
        };
        let primary = server("primary".to_owned(), settings.primary, PRIMARY_CONNECTIONS_MAX);
        let replicas: Vec<_> = (1..)
            .zip(settings.replicas)
            .map(|(number, config)| server(format!("replica{number}"), config, REPLICA_CONNECTIONS_MAX))
            .collect();
        let moved = watch::Sender::new(());
        let monitors = std::iter::once(&primary)
            .chain(&replicas)
            .map(|server| monitor::monitor(Arc::clone(server), moved.clone()))
            .map(|monitor| AbortOnDropHandle::new(tokio::spawn(monitor)))
            .collect();
        let turn = AtomicUsize::new(0);
        Self { inner: Arc::new(Inner { primary, replicas, metrics, turn, moved, _monitors: monitors }) }
    }

    /// A connection to the primary: for writes, and for reads that must see the present.
    pub async fn write(&self) -> Result<WriteConnection, DbError> {
        Ok(WriteConnection { connection: self.primary(QueryKind::Write).await? })
    }

    /// A connection to the primary, unless it has become a standby: that one is
    /// behind, and what it says must not pass for the present.
    async fn primary(&self, kind: QueryKind) -> Result<Connection, DbError> {
        let primary = &self.inner.primary;
        if primary.health().in_recovery {
            return Err(DbError::Standby { server: primary.name.clone() });
        }
        Connection::acquire(primary, kind).await
    }

    /// A connection to a server at or past `bookmark`.
    pub async fn read(&self, bookmark: Option<Lsn>) -> Result<ReadConnection, DbError> {
        let Inner { replicas, moved, turn, .. } = &*self.inner;
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + REPLICA_WAIT;
        let mut moved = moved.subscribe();
        let mut may_wait = true;
        let mut failed = vec![false; replicas.len()];
        loop {
            let replayed: Vec<_> = replicas
                .iter()
                .zip(&failed)
                .map(|(replica, &failed)| replica.health().replayed().filter(|_| !failed))
                .collect();
            match route::route(&replayed, bookmark, turn, may_wait) {
                Route::Replica(index, replayed) => {
                    // From before the read's snapshot, so a lower bound of it.
                    let position = Position::AtLeast(replayed);
                    match Connection::acquire(&replicas[index], QueryKind::Read).await {
                        Ok(connection) => return Ok(ReadConnection { connection, position }),
                        Err(error) => {
                            tracing::debug!(error = %chain(&error), "replica passed over");
                            failed[index] = true;
                        }
                    }
                }
                Route::Wait => {
                    for replica in replicas {
                        replica.look_now.notify_one();
                    }
                    may_wait = timeout_at(deadline, moved.changed()).await.is_ok();
                }
                Route::Primary => {
                    let connection = self.primary(QueryKind::Read).await?;
                    return Ok(ReadConnection { connection, position: Position::Primary });
                }
            }
        }
    }

    /// Runs `read` on a connection of [`Db::read`], and again on another one if
    /// the server went away under it: readers don't notice lost replicas, even if
    /// all go at once. Each is passed over once it failed, so one more try than
    /// there are replicas reaches the primary; one more still finds it restarted.
    pub async fn read_with<T>(
        &self,
        bookmark: Option<Lsn>,
        read: impl for<'c> Fn(&'c Connection) -> BoxFuture<'c, Result<T, DbError>>,
    ) -> Result<(T, Position), DbError> {
        let mut retries = self.inner.replicas.len() + 1;
        loop {
            let connection = self.read(bookmark).await?;
            match read(&connection).await {
                Err(error) if error.is_unavailable() && retries > 0 => {
                    retries -= 1;
                    tracing::warn!(error = %chain(&error), "read again elsewhere");
                }
                done => return Ok((done?, connection.position())),
            }
        }
    }

    /// Reads can be served: by the primary or by a replica.
    pub fn is_ready(&self) -> bool {
        let Inner { primary, replicas, .. } = &*self.inner;
        primary.health().is_primary() || replicas.iter().any(|replica| replica.health().replayed().is_some())
    }

    /// Registers what is measured here.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.inner.metrics.register(registry);
    }

    /// Brings the gauges up to date.
    pub fn observe(&self) {
        let Inner { primary, replicas, metrics, .. } = &*self.inner;
        primary.observe_pool();
        let flushed = primary.health().lsn;
        for replica in replicas {
            replica.observe_pool();
            let health = replica.health();
            let lag = health.reachable.then_some(flushed.zip(health.lsn)).flatten();
            metrics
                .set_replica_lag(&replica.name, lag.map(|(flushed, replayed)| flushed.bytes_since(replayed)));
        }
    }
}
