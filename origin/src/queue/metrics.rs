//! What is measured of the queue.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tidewall_api::job::JobState;

use super::storage::inspect as storage;
use crate::db::{Db, DbError};

/// The names are part of the contract with whoever reads them.
#[derive(Clone, Default)]
pub struct QueueMetrics {
    jobs: Family<JobLabels, Gauge>,
    oldest: Family<KindLabels, Gauge<f64, std::sync::atomic::AtomicU64>>,
    /// No look at the queue before: it counts every job.
    observe_at: Arc<Mutex<Option<Instant>>>,
}

/// Time to the next look after one that was given up.
const OBSERVE_AGAIN: Duration = Duration::from_secs(5);
/// A look at the queue takes at most the inverse of this of a scraper's time.
const OBSERVE_PAUSE: u32 = 20;

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
        let begun = Instant::now();
        {
            let mut next = self.observe_at.lock().unwrap_or_else(PoisonError::into_inner);
            if next.is_some_and(|next| begun < next) {
                return Ok(());
            }
            // Also if this one is given up.
            *next = Some(begun + OBSERVE_AGAIN);
        }
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
        let next = Instant::now() + begun.elapsed() * OBSERVE_PAUSE;
        *self.observe_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(())
    }
}

/// From a claim at once to a backlog.
const PICKUP_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0, 600.0];
/// From nothing to the longest that a job may take.
const ATTEMPT_BUCKETS: [f64; 11] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0];

/// What one worker measures; cheap to clone.
#[derive(Clone)]
pub struct WorkerMetrics {
    pickup_seconds: Family<KindLabels, Histogram>,
    attempt_seconds: Family<KindLabels, Histogram>,
    attempts: Family<AttemptLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    kind: String,
    outcome: &'static str,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            pickup_seconds: Family::new_with_constructor(|| Histogram::new(PICKUP_BUCKETS)),
            attempt_seconds: Family::new_with_constructor(|| Histogram::new(ATTEMPT_BUCKETS)),
            attempts: Family::default(),
        }
    }
}

impl WorkerMetrics {
    /// Registers what is measured here.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tidewall_job_pickup_seconds",
            "From when a job could have run to its claim",
            self.pickup_seconds.clone(),
        );
        registry.register(
            "tidewall_job_attempt_seconds",
            "How long attempts took",
            self.attempt_seconds.clone(),
        );
        registry.register("tidewall_job_attempts", "Attempts that ended, by outcome", self.attempts.clone());
    }

    pub(super) fn begun(&self, kind: &'static str, waited: Duration) {
        let labels = KindLabels { kind: kind.to_owned() };
        self.pickup_seconds.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    pub(super) fn ended(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        let labels = KindLabels { kind: kind.to_owned() };
        self.attempt_seconds.get_or_create(&labels).observe(took.as_secs_f64());
        self.attempts.get_or_create(&AttemptLabels { kind: kind.to_owned(), outcome }).inc();
    }
}
