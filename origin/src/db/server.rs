//! One PostgreSQL server: its pool, and who is let in.

use std::panic::Location;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType, Timeouts};
use tokio::sync::{Notify, watch};

use super::cause::cause;
use super::error::{DbError, Exhausted, OLDEST_NAMED};
use super::gate::{Gate, Permit, Refusal};
use super::link::{Address, CloseReason, Connector, Link};
use super::metrics::{Refused, ServerMetrics};
use super::settings::{PoolSettings, RESERVED};

pub(super) struct Server {
    /// Its place among the servers.
    pub(super) index: usize,
    /// As it stands in metrics and messages: `primary`, `replica1` …. It keeps its
    /// name when it is promoted.
    pub(super) name: String,
    pub(super) metrics: ServerMetrics,
    /// Wakes the monitor before its time.
    pub(super) look_now: Notify,
    /// Whether the last look was answered.
    pub(super) reached: watch::Sender<bool>,
    pool: Pool<Connector>,
    settings: PoolSettings,
    gates: Gates,
}

/// Which callers are let in while the server is what.
struct Gates {
    /// What must go on while everything else waits, whatever the server is.
    reserved: Gate,
    /// Reads, while it is a replica.
    replica: Gate,
    /// Everything, while it is the primary;
    primary: Gate,
    /// of which so much may be reads, so that writes go on while replicas lag. Where
    /// there are no replicas, all of it.
    primary_reads: Option<Gate>,
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads on a replica.
    ReplicaRead,
    /// Reads on the primary.
    PrimaryRead,
    /// Writes.
    Write,
}

/// Who asks for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Whoever comes.
    General,
    /// What must work while everything else waits.
    Reserved,
}

/// How the connections of a server are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// They lie ready.
    pub(super) idle: usize,
    /// They are lent.
    pub(super) in_use: usize,
    /// Callers that wait for one.
    pub(super) waiting: usize,
}

/// A lent connection, and the leave to use it.
pub(super) struct Lease {
    pub(super) link: Object<Connector>,
    /// Given back after the connection: who is let in next finds it in the pool.
    pub(super) permits: [Option<Permit>; 2],
}

impl Server {
    /// `is_alone`: there are no others that reads could go to.
    pub(super) fn new(
        index: usize,
        name: String,
        address: Address,
        settings: PoolSettings,
        is_alone: bool,
        metrics: ServerMetrics,
    ) -> Self {
        let connections = if index == 0 { settings.max } else { settings.replica_max };
        // Less those that are kept, and the monitor's.
        let general = |connections: usize| connections.saturating_sub(RESERVED + 1).max(1);
        let primary = general(settings.max.min(connections));
        let gates = Gates {
            reserved: Gate::new(RESERVED),
            replica: Gate::new(general(connections)),
            primary: Gate::new(primary),
            primary_reads: (!is_alone).then(|| Gate::new(primary.div_ceil(2))),
        };
        let (look_now, reached) = (Notify::new(), watch::Sender::new(true));
        let connector = Connector::new(address, settings, metrics.clone(), reached.subscribe());
        let pool = Pool::builder(connector)
            .max_size(connections)
            // The last used first, so that those too many are left idle, and closed.
            .queue_mode(deadpool::managed::QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .unwrap_or_else(|_| unreachable!("a pool fails to build only for timeouts without a runtime"));
        Self { index, name, metrics, look_now, reached, pool, settings, gates }
    }

    /// Waits until the server is found not to answer.
    async fn lost(&self) {
        let mut reached = self.reached.subscribe();
        if reached.wait_for(|reached| !reached).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Callers that read here, as a replica, or wait to.
    pub(super) fn load(&self) -> usize {
        self.gates.replica.inside() + self.gates.replica.waiting()
    }

    /// A connection for the code at `site`, which waits its turn for it.
    pub(super) async fn acquire(
        &self,
        purpose: Purpose,
        lane: Lane,
        site: &'static Location<'static>,
    ) -> Result<Lease, DbError> {
        let begun = Instant::now();
        let deadline = begun + self.settings.acquire_deadline;
        let acquired = tokio::select! {
            biased;
            acquired = self.wait_for_turn(purpose, lane, begun, deadline) => acquired,
            // Nobody waits for who doesn't answer.
            () = self.lost() => Err(self.no_connection(begun)),
        };
        let now = Instant::now();
        self.metrics.acquired(now.saturating_duration_since(begun).as_secs_f64());
        let lease = acquired?;
        lease.link.slot.lend(site, now);
        Ok(lease)
    }

    async fn wait_for_turn(
        &self,
        purpose: Purpose,
        lane: Lane,
        begun: Instant,
        deadline: Instant,
    ) -> Result<Lease, DbError> {
        match self.admit(purpose, lane, deadline).await {
            Ok(permits) => self.take(deadline).await.map(|link| Lease { link, permits }),
            Err((gate, Refusal::Full)) => {
                self.metrics.refused(Refused::Overloaded);
                Err(DbError::Overloaded { server: self.name.clone(), waiting: gate.waiting() })
            }
            Err((gate, Refusal::Late)) => Err(self.exhausted(gate, begun.elapsed())),
        }
    }

    fn no_connection(&self, begun: Instant) -> DbError {
        let waited_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        DbError::ConnectTimeout { server: self.name.clone(), waited_ms }
    }

    async fn admit(
        &self,
        purpose: Purpose,
        lane: Lane,
        deadline: Instant,
    ) -> Result<[Option<Permit>; 2], (&Gate, Refusal)> {
        let Gates { reserved, replica, primary, primary_reads } = &self.gates;
        let enter = async |gate| Gate::enter(gate, deadline.into()).await.map_err(|refusal| (gate, refusal));
        Ok(match (lane, purpose, primary_reads) {
            (Lane::Reserved, ..) => [Some(enter(reserved).await?), None],
            (_, Purpose::ReplicaRead, _) => [Some(enter(replica).await?), None],
            (_, Purpose::PrimaryRead, Some(reads)) => {
                let read = enter(reads).await?;
                [Some(read), Some(enter(primary).await?)]
            }
            (_, Purpose::PrimaryRead, None) | (_, Purpose::Write, _) => [Some(enter(primary).await?), None],
        })
    }

    /// A connection out of turn: for those that were let in, and for the monitor.
    pub(super) async fn take(&self, deadline: Instant) -> Result<Object<Connector>, DbError> {
        let begun = Instant::now();
        let left = deadline.saturating_duration_since(begun);
        // Who was let in finds a connection, or leave to make one, without a wait;
        // only out of turn, or while roles change, there may be none.
        let at_once = Timeouts { wait: Some(Duration::ZERO), create: Some(left), recycle: None };
        let taken = match self.pool.timeout_get(&at_once).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => {
                self.pool.timeout_get(&Timeouts { wait: Some(left), ..at_once }).await
            }
            taken => taken,
        };
        taken.map_err(|error| match error {
            PoolError::Backend(source) => DbError::Connect { server: self.name.clone(), source },
            PoolError::Timeout(TimeoutType::Wait) => self.exhausted(&self.gates.primary, left),
            PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_) => self.no_connection(begun),
        })
    }

    fn exhausted(&self, gate: &Gate, waited: Duration) -> DbError {
        self.metrics.refused(Refused::Late);
        let connector = self.pool.manager();
        let lent = connector.slots().look(Instant::now());
        DbError::Exhausted(Box::new(Exhausted {
            server: self.name.clone(),
            waited,
            cause: cause(lent.iter().map(|(_, doing)| *doing), connector.is_refused()),
            in_use: gate.inside(),
            capacity: gate.capacity(),
            waiting: gate.waiting(),
            oldest: lent.into_iter().take(OLDEST_NAMED).map(|(holder, _)| holder).collect(),
        }))
    }

    /// Takes a connection back.
    pub(super) fn give_back(&self, link: Object<Connector>) {
        link.slot.give_back();
        if !self.pool.manager().is_of_this_term(&link) {
            self.close(link, CloseReason::RoleChanged);
        } else if link.is_old(Instant::now()) && self.pool.status().size > self.settings.min {
            self.close(link, CloseReason::Lifetime);
        }
    }

    /// Closes a connection.
    pub(super) fn close(&self, link: Object<Connector>, reason: CloseReason) {
        self.metrics.closed(reason);
        drop(Object::take(link));
    }

    /// The server's role has changed: connections made before are given up.
    pub(super) fn begin_term(&self) {
        self.pool.manager().begin_term();
        self.retain(|link| (!self.pool.manager().is_of_this_term(link)).then_some(CloseReason::RoleChanged));
    }

    /// Closes the idle connections for which there is a reason.
    pub(super) fn retain(&self, mut reason: impl FnMut(&Link) -> Option<CloseReason>) {
        self.pool.retain(|link, _| match reason(link) {
            Some(reason) => {
                self.metrics.closed(reason);
                false
            }
            None => true,
        });
    }

    pub(super) fn pool(&self) -> &Pool<Connector> {
        &self.pool
    }

    pub(super) fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// How its connections are used.
    pub(super) fn usage(&self) -> Usage {
        let status = self.pool.status();
        let idle = status.available.min(status.size);
        let Gates { reserved, replica, primary, primary_reads } = &self.gates;
        let reads = primary_reads.as_ref().map_or(0, Gate::waiting);
        let waiting = reserved.waiting() + replica.waiting() + primary.waiting() + reads;
        Usage { idle, in_use: status.size - idle, waiting }
    }

    /// Brings the gauges of the pool up to date.
    pub(super) fn observe(&self) {
        let Usage { idle, in_use, waiting } = self.usage();
        self.metrics.set_pool(idle, in_use, waiting);
    }
}
