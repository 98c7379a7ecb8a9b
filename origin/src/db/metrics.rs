//! What is measured of the database's use.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::link::CloseReason;
use super::survey::Standing;

/// Where a read went, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Routed {
    /// To a replica.
    Replica,
    /// To a replica, after it had caught up.
    Waited,
    /// To the primary: no replica could serve.
    NoReplica,
    /// To the primary: no replica had what the reader has seen.
    Behind,
}

impl Routed {
    const ALL: [Self; 4] = [Self::Replica, Self::Waited, Self::NoReplica, Self::Behind];

    fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Waited => "replica_waited",
            Self::NoReplica => "primary_no_replica",
            Self::Behind => "primary_behind",
        }
    }
}

/// Why a bookmark was not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ignored {
    /// It can't be read.
    Malformed,
    /// It is past the end of the log.
    Future,
}

impl Ignored {
    fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Future => "future",
        }
    }
}

/// Why a caller got no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refused {
    /// Too many wait already.
    Overloaded,
    /// It waited in vain.
    Late,
}

impl Refused {
    fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Late => "late",
        }
    }
}

/// The names are part of the contract with whoever reads them.
#[derive(Clone)]
pub(super) struct DbMetrics {
    queries: Family<QueryLabels, Counter>,
    connections: Family<StateLabels, Gauge>,
    waiting: Family<ServerLabels, Gauge>,
    connects: Family<OutcomeLabels, Counter>,
    closes: Family<ReasonLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
    standing: Family<StateLabels, Gauge>,
    replay_lag: Family<ServerLabels, Gauge>,
    receive_lag: Family<ServerLabels, Gauge>,
    routed: Family<RouteLabels, Counter>,
    /// In the order of [`Routed::ALL`]: looked up once, and not for each read.
    routed_each: [Counter; 4],
    bookmarks_ignored: Family<IgnoredLabels, Counter>,
    pub(super) acquire_seconds: Histogram,
    pub(super) bookmark_wait_seconds: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    server: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    server: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    server: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    server: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IgnoredLabels {
    reason: &'static str,
}

/// From a connection that lies ready to the longest wait allowed.
const ACQUIRE_BUCKETS: [f64; 9] = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Around what a healthy replica needs, up to the longest wait allowed.
const BOOKMARK_WAIT_BUCKETS: [f64; 8] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

fn gauge(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl DbMetrics {
    pub(super) fn new() -> Self {
        let routed: Family<RouteLabels, Counter> = Family::default();
        let routed_each =
            Routed::ALL.map(|each| routed.get_or_create_owned(&RouteLabels { to: each.as_str() }));
        Self {
            queries: Family::default(),
            connections: Family::default(),
            waiting: Family::default(),
            connects: Family::default(),
            closes: Family::default(),
            refused: Family::default(),
            standing: Family::default(),
            replay_lag: Family::default(),
            receive_lag: Family::default(),
            routed,
            routed_each,
            bookmarks_ignored: Family::default(),
            acquire_seconds: Histogram::new(ACQUIRE_BUCKETS),
            bookmark_wait_seconds: Histogram::new(BOOKMARK_WAIT_BUCKETS),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("tidewall_db_queries", "Queries sent, by server and door", self.queries.clone());
        registry.register(
            "tidewall_db_connections",
            "Connections of each pool; the monitor of a server keeps one in use",
            self.connections.clone(),
        );
        registry.register("tidewall_db_waiting", "Callers that wait for a connection", self.waiting.clone());
        registry.register(
            "tidewall_db_acquire_seconds",
            "How long callers waited for a connection",
            self.acquire_seconds.clone(),
        );
        registry.register("tidewall_db_connects", "Tries to connect", self.connects.clone());
        registry.register("tidewall_db_closes", "Connections closed, by reason", self.closes.clone());
        registry.register(
            "tidewall_db_refused",
            "Callers that got no connection, because too many waited or the wait was too long",
            self.refused.clone(),
        );
        registry.register(
            "tidewall_db_server_state",
            "1 for what each server is: primary, replica, or why it serves nothing",
            self.standing.clone(),
        );
        registry.register(
            "tidewall_db_replica_lag_bytes",
            "Log that the primary has and the replica has not replayed",
            self.replay_lag.clone(),
        );
        registry.register(
            "tidewall_db_replica_receive_lag_bytes",
            "Log that the primary has and the replica has not even received",
            self.receive_lag.clone(),
        );
        registry.register("tidewall_db_reads", "Where reads went, and why", self.routed.clone());
        registry.register(
            "tidewall_db_bookmark_wait_seconds",
            "How long reads waited for a replica to catch up with their bookmark",
            self.bookmark_wait_seconds.clone(),
        );
        registry.register(
            "tidewall_db_bookmarks_ignored",
            "Bookmarks that can't be read, or are past the end of the log",
            self.bookmarks_ignored.clone(),
        );
    }

    /// What is measured of one server.
    pub(super) fn server(&self, name: &str) -> ServerMetrics {
        let counter = |kind| self.queries.get_or_create_owned(&QueryLabels { server: name.to_owned(), kind });
        ServerMetrics {
            all: self.clone(),
            reads: counter("read"),
            writes: counter("write"),
            server: name.into(),
        }
    }

    /// Counts a read.
    pub(super) fn routed(&self, routed: Routed) {
        self.routed_each[routed as usize].inc();
    }

    pub(super) fn ignored(&self, ignored: Ignored) {
        self.bookmarks_ignored.get_or_create(&IgnoredLabels { reason: ignored.as_str() }).inc();
    }
}

/// What is measured of one server; cheap to clone.
#[derive(Clone)]
pub(super) struct ServerMetrics {
    all: DbMetrics,
    pub(super) reads: Counter,
    pub(super) writes: Counter,
    server: Arc<str>,
}

impl ServerMetrics {
    /// The server's name.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    fn labels(&self) -> ServerLabels {
        ServerLabels { server: (*self.server).to_owned() }
    }

    fn state(&self, state: &'static str) -> StateLabels {
        StateLabels { server: (*self.server).to_owned(), state }
    }

    fn reason(&self, reason: &'static str) -> ReasonLabels {
        ReasonLabels { server: (*self.server).to_owned(), reason }
    }

    pub(super) fn acquired(&self, seconds: f64) {
        self.all.acquire_seconds.observe(seconds);
    }

    pub(super) fn connected(&self, is_ok: bool) {
        let outcome = if is_ok { "ok" } else { "failed" };
        let labels = OutcomeLabels { server: (*self.server).to_owned(), outcome };
        self.all.connects.get_or_create(&labels).inc();
    }

    pub(super) fn closed(&self, reason: CloseReason) {
        self.all.closes.get_or_create(&self.reason(reason.as_str())).inc();
    }

    pub(super) fn refused(&self, reason: Refused) {
        self.all.refused.get_or_create(&self.reason(reason.as_str())).inc();
    }

    pub(super) fn set_pool(&self, idle: usize, in_use: usize, waiting: usize) {
        for (state, count) in [("idle", idle), ("in_use", in_use)] {
            self.all.connections.get_or_create(&self.state(state)).set(gauge(count));
        }
        self.all.waiting.get_or_create(&self.labels()).set(gauge(waiting));
    }

    pub(super) fn set_standing(&self, standing: Standing) {
        for each in Standing::ALL {
            self.all.standing.get_or_create(&self.state(each.as_str())).set((each == standing).into());
        }
    }

    /// Bytes not replayed, and bytes not received.
    pub(super) fn set_lag(&self, lag: Option<(u64, u64)>) {
        let labels = self.labels();
        match lag {
            Some((replay, receive)) => {
                self.all.replay_lag.get_or_create(&labels).set(gauge(replay));
                self.all.receive_lag.get_or_create(&labels).set(gauge(receive));
            }
            // A replica that can't be asked has no known lag, and 0 would be a lie.
            None => {
                self.all.replay_lag.remove(&labels);
                self.all.receive_lag.remove(&labels);
            }
        }
    }
}
