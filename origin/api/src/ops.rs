//! How it goes, for those who work here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The system, as one origin sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// The database's servers.
    pub servers: Vec<DatabaseServer>,
    /// The edges that are told of writes.
    pub edges: Vec<EdgeView>,
}

/// A server of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DatabaseServer {
    /// Its name.
    pub name: String,
    /// What it is: `primary`, `replica`, or why it serves nothing.
    pub state: String,
    /// Log that the primary has and it has not replayed.
    pub lag_bytes: Option<u64>,
    /// Connections of this origin's that lie ready.
    pub idle: usize,
    /// Those that are in use.
    pub in_use: usize,
    /// Most that there may be.
    pub max: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// An edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EdgeView {
    /// Where it is.
    pub url: String,
    /// What it says of itself; `None`: it doesn't answer.
    pub status: Option<EdgeStatus>,
}

/// What an edge says of itself, of one of its isolates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct EdgeStatus {
    /// Its position in the control log.
    pub seq: u64,
    /// The origins.
    pub origins: Vec<EdgeOrigin>,
    /// What the cache has done.
    pub cache: EdgeCache,
    /// Bytes of stored responses in memory.
    pub memory_bytes: u64,
    /// The newest invalidations, the last one first.
    pub invalidations: Vec<EdgeInvalidation>,
}

/// An origin, as an edge sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EdgeOrigin {
    /// Its name.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// Whether it gets requests: `up`, `probation`, `ejected` or `draining`.
    pub state: String,
    /// Requests that wait for its answer.
    pub in_flight: usize,
}

/// What an edge's cache has done since the isolate began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct EdgeCache {
    /// Requests that it answered.
    pub hits: u64,
    /// Requests that it forwarded.
    pub misses: u64,
    /// The same by the reason.
    pub missed: BTreeMap<String, u64>,
    /// Answers that it stored.
    pub stored: u64,
    /// Answers that it did not, by the reason.
    pub rejected: BTreeMap<String, u64>,
    /// Hits by the level that had the copy.
    pub levels: BTreeMap<String, u64>,
}

/// What is out of date since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EdgeInvalidation {
    /// Its position, which is a time in milliseconds as well.
    pub seq: u64,
    /// Which responses: `group`, `path`, …
    pub scope: String,
    /// Of which name.
    pub name: String,
    /// They may still be used as stale ones may.
    pub soft: bool,
}

/// The queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    /// By kind.
    pub kinds: BTreeMap<String, KindView>,
    /// The workers that are there.
    pub workers: Vec<WorkerView>,
    /// Workers that it takes so that what waits now is done in time.
    pub workers_needed: Option<u64>,
}

/// Jobs of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindView {
    /// Jobs by state.
    pub states: BTreeMap<String, u64>,
    /// For how many seconds the job that waits longest has been due.
    pub oldest_seconds: f64,
    /// Attempts that end in a second.
    pub ended_per_second: f64,
    /// Of those, the share that failed.
    pub failed_share: f64,
    /// Seconds until all that is due is done; `None`: nothing is being done.
    pub eta_seconds: Option<f64>,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub name: String,
    /// Jobs that it runs at the same time.
    pub concurrency: u32,
}

/// Jobs, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Jobs {
    /// Some of them.
    pub items: Vec<crate::job::Job>,
}
