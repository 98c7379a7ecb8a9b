//! One PostgreSQL server: its pool, and what its monitor last saw of it.

use std::time::{Duration, Instant};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use tokio::sync::{Notify, watch};
use tokio_postgres::NoTls;

use super::error::DbError;
use super::lsn::Lsn;
use super::metrics::DbMetrics;

/// Longest wait for a free connection: a caller that waits longer is better told to come back.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a server to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);

pub(super) struct Server {
    /// As it stands in metrics and messages: `primary`, `replica1` ….
    pub(super) name: String,
    pub(super) metrics: DbMetrics,
    /// Wakes the monitor before its time.
    pub(super) look_now: Notify,
    pool: Pool,
    health: watch::Sender<Health>,
}

/// What the last look at a server said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// It answered.
    pub(super) reachable: bool,
    /// It replays another server's log.
    pub(super) in_recovery: bool,
    /// The end of its log: flushed on a primary, replayed on a replica.
    pub(super) lsn: Option<Lsn>,
}

impl Health {
    /// How far it is at least, if it is a replica that can serve.
    pub(super) fn replayed(self) -> Option<Lsn> {
        self.lsn.filter(|_| self.reachable && self.in_recovery)
    }

    /// It is a primary that can serve.
    pub(super) fn is_primary(self) -> bool {
        self.reachable && !self.in_recovery
    }
}

impl Server {
    pub(super) fn new(
        name: String,
        mut config: tokio_postgres::Config,
        connections_max: usize,
        metrics: DbMetrics,
    ) -> Self {
        config.connect_timeout(CONNECT_MAX).application_name("tidewall");
        // Fast: whether the connection is open, without a query; the monitor asks those.
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections_max)
            .timeouts(Timeouts {
                wait: Some(WAIT_MAX),
                create: Some(CONNECT_MAX),
                recycle: Some(CONNECT_MAX),
            })
            .runtime(Runtime::Tokio1)
            .build()
            .unwrap_or_else(|_| unreachable!("a pool with timeouts fails to build only without a runtime"));
        Self { name, metrics, look_now: Notify::new(), pool, health: watch::Sender::default() }
    }

    pub(super) fn health(&self) -> Health {
        *self.health.borrow()
    }

    pub(super) fn set_health(&self, health: Health) {
        let before = self.health.send_replace(health);
        if before.reachable != health.reachable {
            tracing::info!(server = self.name, reachable = health.reachable, "database server changed state");
        }
    }

    /// Takes it out of the turn until its monitor reaches it again.
    pub(super) fn lost(&self) {
        self.set_health(Health { reachable: false, ..self.health() });
        self.look_now.notify_one();
    }

    pub(super) async fn acquire(&self) -> Result<Object, DbError> {
        let begun = Instant::now();
        let acquired = self.pool.get().await;
        let waited = begun.elapsed();
        self.metrics.acquire_seconds.observe(waited.as_secs_f64());
        acquired.map_err(|error| {
            let error = self.acquire_error(error, waited);
            if error.is_disconnect() {
                self.lost();
            }
            error
        })
    }

    fn acquire_error(&self, error: PoolError, waited: Duration) -> DbError {
        let server = self.name.clone();
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        match error {
            PoolError::Backend(source) => DbError::Connect { server, source },
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                let status = self.pool.status();
                DbError::Busy {
                    server,
                    waited_ms,
                    in_use: status.size.saturating_sub(status.available),
                    size: status.max_size,
                    waiting: status.waiting,
                }
            }
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => DbError::ConnectTimeout { server, waited_ms },
        }
    }

    pub(super) fn observe_pool(&self) {
        let status = self.pool.status();
        let idle = status.available.min(status.size);
        self.metrics.set_connections(&self.name, idle, status.size - idle);
    }
}
