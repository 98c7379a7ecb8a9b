//! What is measured of the outbox.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::answer::Reason;
use super::storage;
use crate::db::{Db, DbError};

/// The names are part of the contract with whoever reads them. Rows are told as the
/// database has them, the same by every process; the rest is what this process did.
#[derive(Clone, Default)]
pub(super) struct OutboxMetrics {
    waiting: Gauge,
    failed: Gauge,
    oldest: Gauge<f64, AtomicU64>,
    pub(super) delivered: Counter,
    pub(super) refused: Counter,
    retries: Family<RetryLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetryLabels {
    reason: &'static str,
}

impl OutboxMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "tidewall_outbox_rows",
            "Invalidations that wait for the edge",
            self.waiting.clone(),
        );
        registry.register(
            "tidewall_outbox_failed_rows",
            "Invalidations that were set aside, as the edge refused them",
            self.failed.clone(),
        );
        registry.register(
            "tidewall_outbox_oldest_seconds",
            "For how long the oldest invalidation has waited",
            self.oldest.clone(),
        );
        registry.register(
            "tidewall_outbox_delivered",
            "Invalidations that every edge has accepted, delivered by this process",
            self.delivered.clone(),
        );
        registry.register(
            "tidewall_outbox_failed",
            "Invalidations that this process has set aside",
            self.refused.clone(),
        );
        registry.register(
            "tidewall_outbox_retries",
            "How often an edge had to be told again by this process, and why",
            self.retries.clone(),
        );
    }

    /// An edge has to be told again.
    pub(super) fn retry(&self, reason: Reason) {
        self.retries.get_or_create(&RetryLabels { reason: reason.as_str() }).inc();
    }

    /// Brings the gauges up to date.
    pub(super) async fn observe(&self, db: &Db) -> Result<(), DbError> {
        let connection = db.read(None).await?;
        let (waiting, failed, oldest) = storage::counts(&connection).await?;
        self.waiting.set(waiting);
        self.failed.set(failed);
        self.oldest.set(oldest);
        Ok(())
    }
}
