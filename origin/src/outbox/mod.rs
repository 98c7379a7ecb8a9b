//! Invalidations, told to the edge as often as it takes.
//!
//! A write makes stored responses invalid. Its answer says which (`http::caching`), and
//! the edge through which it passes acts on that before it hands the answer on. But an
//! answer can be lost, a write can come past the edge or out of a job, and the edge may
//! not reach its own log. So the same invalidation is a row here, written in the write's
//! transaction, and a deliverer tells the edge until that has accepted it.
//!
//! ```text
//! enqueue (in the write's transaction) --commit--> waiting --every edge accepts--> deleted
//!                                                     |
//!                                                     +--an edge refuses it (422)--> set aside
//! ```
//!
//! - Both ways tell the write's transaction, so the edge drops what it was told already.
//!   Answers come first mostly: a row waits 200 ms.
//! - One process at a time delivers (`db::Exclusive`), always from the beginning and in
//!   the order of the rows, so an earlier row of a group is never behind a later one. A
//!   row that commits late, behind greater ids, is found by the next look.
//! - The position that is sent is asked once the row was seen: then its commit is before
//!   it. A response that was read earlier doesn't show the write.
//! - A row goes once every edge has accepted it, and is told again if the deliverer was
//!   lost in between: at least once.
//! - When the primary writes another log than before, as after a promotion, everything
//!   that is stored is invalid: positions of two logs don't compare. Whoever sees it
//!   first enqueues that, once for each log.
//!
//! Files:
//!
//! - `invalidation`: what is made invalid, and what the write's answer says of it. Pure.
//! - `delivery`: which rows are told next, in one purge or each in its own. Pure.
//! - `answer`: what an edge's answer means. Pure.
//! - `settings`: which edges there are; `edge`: one of them, over HTTP.
//! - `deliverer`: the loop; `storage`: every SQL statement; `metrics`: what is measured.

mod answer;
mod deliverer;
mod delivery;
mod edge;
mod invalidation;
mod metrics;
mod settings;
mod storage;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tidewall_api::ops::EdgeView;
use tokio::sync::Notify;

pub use invalidation::{InBand, Invalidated, Invalidation};
pub use settings::{EdgeSettings, EdgeSettingsError};
pub use storage::hot_statements;

use crate::db::{Db, DbError, Transaction};
use deliverer::Deliverer;
use metrics::OutboxMetrics;

/// Where writes put what they make invalid; cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    edges: Option<EdgeSettings>,
    /// A row was enqueued in this process.
    wake: Notify,
    /// What asks edges how they are; none: it can't be made.
    client: OnceLock<Option<reqwest::Client>>,
    metrics: OutboxMetrics,
}

impl Outbox {
    /// For these edges. Without any, nothing is written down: then invalidations are told
    /// in the writes' answers alone, to whichever cache reads them.
    pub fn new(edges: Option<EdgeSettings>) -> Self {
        Self {
            inner: Arc::new(Inner {
                edges,
                wake: Notify::new(),
                client: OnceLock::new(),
                metrics: OutboxMetrics::default(),
            }),
        }
    }

    /// Writes down what `transaction` makes invalid; it is delivered if that commits. Once for
    /// each transaction, which fails otherwise: of several invalidations make one.
    ///
    /// What it returns belongs into the write's answer (`http::caching::invalidated`).
    pub async fn enqueue(
        &self,
        transaction: &Transaction,
        invalidation: Invalidation,
    ) -> Result<Invalidated, DbError> {
        if self.inner.edges.is_none() || invalidation.is_empty() {
            return Ok(Invalidated::new(invalidation, None));
        }
        let write = storage::enqueue(transaction, &invalidation).await?;
        // By the time that the row is due its transaction has mostly committed. If it
        // hasn't, a later look finds it.
        self.inner.wake.notify_one();
        Ok(Invalidated::new(invalidation, write))
    }

    /// Delivers, for as long as it is polled; to be dropped when the process stops, which
    /// loses nothing. Returns at once where there is no edge. Rows that are younger than `patience`
    /// are left to other processes.
    pub async fn deliver(&self, db: Db, patience: Duration) {
        let Some(settings) = &self.inner.edges else { return };
        match Deliverer::new(db, settings, &self.inner.metrics, patience) {
            Ok(mut deliverer) => deliverer.run(&self.inner.wake).await,
            Err(error) => tracing::error!(
                error = %crate::telemetry::chain(&error),
                "no invalidations are delivered: the HTTP client could not be made"
            ),
        }
    }

    /// What the edges say of themselves: the token that opens that stays here.
    pub async fn edges(&self) -> Vec<EdgeView> {
        let Some(settings) = &self.inner.edges else { return Vec::new() };
        let Some(client) = self.inner.client.get_or_init(|| edge::client().ok()) else { return Vec::new() };
        let each = settings.endpoints.iter().map(async |endpoint| EdgeView {
            url: endpoint.name.clone(),
            status: edge::status(client, endpoint, &settings.authorization).await,
        });
        futures::future::join_all(each).await
    }

    /// Registers what is measured here.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.inner.metrics.register(registry);
    }

    /// Brings the gauges up to date.
    pub async fn observe(&self, db: &Db) -> Result<(), DbError> {
        self.inner.metrics.observe(db).await
    }
}
