//! What is known of a running product, from wherever it could be learned. What isn't known is `None`:
//! no rule takes it for nothing.

use serde::{Deserialize, Serialize};

use super::traffic::Traffic;
use super::verdict::Tool;

/// All of it. What is recorded of a scenario is this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Users of a month, as somebody said.
    pub users: Option<f64>,
    /// What an access log says, or the server's own counters.
    pub traffic: Option<Traffic>,
    /// What the database says.
    pub database: Option<Database>,
    /// The machine of the application.
    pub host: Option<Host>,
    /// Servers of the application that answer.
    pub origins: Option<u32>,
    /// The edge before them.
    pub edge: Option<Edge>,
    /// Background jobs.
    pub jobs: Option<Jobs>,
    /// What is there already.
    pub in_place: Vec<InPlace>,
    /// What could not be learned, and why.
    pub unknown: Vec<String>,
}

/// A tool that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InPlace {
    /// Which.
    pub tool: Tool,
    /// By what that is known.
    pub how: String,
}

/// What an edge counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Edge {
    /// Answers out of its cache.
    pub hits: f64,
    /// Answers that it had to ask for.
    pub misses: f64,
}

/// Background jobs of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Jobs {
    /// That have ended.
    pub ended: f64,
    /// Milliseconds of their last attempts, the median. Unknown where none has ended.
    pub p50_ms: Option<f64>,
    /// The 95th percentile of these.
    pub p95_ms: Option<f64>,
    /// Seconds for which one has been due that nobody has begun.
    pub oldest_s: Option<f64>,
}

/// A database, by two looks an interval apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Database {
    /// Seconds between the looks.
    pub seconds: f64,
    /// CPUs of its machine, where they are known.
    pub cpus: Option<f64>,
    /// Streaming replicas.
    pub replicas: Option<u32>,
    /// Milliseconds of statements that the replicas answered, in a second.
    pub replicas_ms: Option<f64>,
    /// Transactions in a second.
    pub transactions: Option<f64>,
    /// Connections made in a second.
    pub connects: Option<f64>,
    /// Connections there are.
    pub connections: Option<f64>,
    /// As many as there may be.
    pub connections_max: Option<f64>,
    /// Of those there are, such as do nothing.
    pub idle: Option<f64>,
    /// Sessions that are at work at a time, on the average: what they do by kind.
    pub active: Option<Activity>,
    /// Seconds that the oldest transaction is open.
    pub oldest_transaction: Option<f64>,
    /// Milliseconds of reading statements in a second.
    pub read_ms: Option<f64>,
    /// Milliseconds of writing statements in a second.
    pub write_ms: Option<f64>,
    /// Bytes of the database.
    pub bytes: Option<f64>,
    /// Statements by the time that they took, the greatest first.
    pub statements: Vec<Statement>,
    /// Indexes that aren't there, for statements that read what each would leave out. Unknown where
    /// statements are hidden, or can't be planned.
    pub indexes: Option<Vec<Missing>>,
    /// Milliseconds in a second that all of them would take off together, at most.
    pub indexable_ms: f64,
    /// Share of the time of statements that were counted fifty times.
    pub known_share: f64,
}

/// What sessions that are at work do, each a number of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// Compute.
    pub cpu: f64,
    /// Wait for pages.
    pub io: f64,
    /// Wait for locks of others.
    pub lock: f64,
    /// Wait for what else the server shares: its own short locks, and pages that others hold.
    pub other: f64,
}

/// A statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// Its text without values.
    pub text: String,
    /// How often it was counted.
    pub calls: f64,
    /// Calls in a second.
    pub rate: f64,
    /// Milliseconds.
    pub mean_ms: f64,
    /// Rows that a call gives.
    pub rows: f64,
    /// It changes nothing.
    pub is_read: bool,
    /// It reads, and asks the same each time.
    pub is_constant: bool,
    /// Share of the time of all statements.
    pub share: f64,
}

/// An index that isn't there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// How to build it.
    pub ddl: String,
    /// Milliseconds in a second of the statements that it could serve.
    pub ms_per_s: f64,
    /// Milliseconds of the slowest of them.
    pub slowest_ms: f64,
}

/// The machine that answers requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// CPUs.
    pub cpus: f64,
    /// CPUs that were in use, on the average.
    pub used: f64,
    /// A database runs there as well.
    pub has_database: bool,
}

impl Activity {
    /// Sessions at work.
    pub fn sessions(self) -> f64 {
        self.cpu + self.io + self.lock + self.other
    }
}

impl Host {
    /// Share of the CPUs that were in use.
    pub fn load(self) -> f64 {
        self.used / self.cpus.max(1.0)
    }
}

impl Evidence {
    /// By what it is known that a tool is there.
    pub(super) fn in_place(&self, tool: Tool) -> Option<&str> {
        self.in_place.iter().find(|one| one.tool == tool).map(|one| one.how.as_str())
    }
}
