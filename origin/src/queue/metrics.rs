//! What is measured of the queue.

use std::collections::BTreeSet;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidewall_api::job::JobState;

use super::storage;
use crate::db::{Db, DbError};

/// The names are part of the contract with whoever reads them.
#[derive(Clone, Default)]
pub struct QueueMetrics {
    jobs: Family<JobLabels, Gauge>,
    oldest: Family<KindLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: String,
}

impl QueueMetrics {
    /// Registers what is measured here.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("tidewall_jobs", "Jobs, by kind and state", self.jobs.clone());
        registry.register(
            "tidewall_job_oldest_seconds",
            "For how long the job that waits longest has been due",
            self.oldest.clone(),
        );
    }

    /// Brings the gauges up to date. Of a kind that has jobs every state is told, so
    /// that one without any is 0 rather than missing.
    pub async fn observe(&self, db: &Db) -> Result<(), DbError> {
        let connection = db.read(None).await?;
        let counts = storage::counts(&connection).await?;
        let oldest = storage::oldest(&connection).await?;
        let kinds: BTreeSet<_> = counts.iter().map(|(kind, ..)| kind.clone()).collect();
        self.jobs.clear();
        self.oldest.clear();
        for kind in kinds {
            for state in JobState::ALL {
                let labels = JobLabels { kind: kind.clone(), state: state.as_str().to_owned() };
                self.jobs.get_or_create(&labels).set(0);
            }
            self.oldest.get_or_create(&KindLabels { kind }).set(0.0);
        }
        for (kind, state, count) in counts {
            self.jobs.get_or_create(&JobLabels { kind, state }).set(count);
        }
        for (kind, seconds) in oldest {
            self.oldest.get_or_create(&KindLabels { kind }).set(seconds);
        }
        Ok(())
    }
}
