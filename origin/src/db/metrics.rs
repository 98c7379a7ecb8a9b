//! What is measured of the database's use.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The names are part of the contract with whoever reads them.
#[derive(Clone)]
pub(super) struct DbMetrics {
    queries: Family<QueryLabels, Counter>,
    connections: Family<ConnectionLabels, Gauge>,
    replica_lag: Family<ServerLabels, Gauge>,
    pub(super) acquire_seconds: Histogram,
}

/// Through which door a query came.
#[derive(Clone, Copy, Debug)]
pub(super) enum QueryKind {
    /// [`super::Db::read`].
    Read,
    /// [`super::Db::write`].
    Write,
}

impl QueryKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    server: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    server: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

/// From a connection that lies ready to the longest wait allowed.
const ACQUIRE_BUCKETS: [f64; 9] = [0.0001, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5];

impl DbMetrics {
    pub(super) fn new() -> Self {
        Self {
            queries: Family::default(),
            connections: Family::default(),
            replica_lag: Family::default(),
            acquire_seconds: Histogram::new(ACQUIRE_BUCKETS),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("tidewall_db_queries", "Queries sent, by server and door", self.queries.clone());
        registry.register(
            "tidewall_db_connections",
            "Connections of each pool; the monitor of a server keeps one in use",
            self.connections.clone(),
        );
        registry.register(
            "tidewall_db_acquire_seconds",
            "How long callers waited for a connection",
            self.acquire_seconds.clone(),
        );
        registry.register(
            "tidewall_db_replica_lag_bytes",
            "Log that the primary has and the replica has not replayed",
            self.replica_lag.clone(),
        );
    }

    pub(super) fn queries(&self, server: &str, kind: QueryKind) -> Counter {
        self.queries.get_or_create_owned(&QueryLabels { server: server.to_owned(), kind: kind.as_str() })
    }

    pub(super) fn set_connections(&self, server: &str, idle: usize, in_use: usize) {
        for (state, count) in [("idle", idle), ("in_use", in_use)] {
            let labels = ConnectionLabels { server: server.to_owned(), state };
            self.connections.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn set_replica_lag(&self, server: &str, bytes: Option<u64>) {
        let labels = ServerLabels { server: server.to_owned() };
        match bytes {
            Some(bytes) => {
                self.replica_lag.get_or_create(&labels).set(i64::try_from(bytes).unwrap_or(i64::MAX));
            }
            // A replica that can't be asked has no known lag, and 0 would be a lie.
            None => {
                self.replica_lag.remove(&labels);
            }
        }
    }
}
