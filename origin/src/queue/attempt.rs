//! One attempt: from the claim to how it ended.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::ending::{End, Rules, Stop, ending};
use super::handler::{JobContext, Kind};
use super::job::Claimed;
use super::metrics::WorkerMetrics;
use super::running::Running;
use super::seal::Seal;
use super::storage::settle::Ended;
use crate::telemetry::chain;

/// What attempts of one worker share.
#[derive(Clone)]
pub(super) struct Attempts {
    pub(super) running: Arc<Running>,
    pub(super) ends: mpsc::UnboundedSender<Ended>,
    pub(super) seal: Option<Seal>,
    pub(super) metrics: WorkerMetrics,
}

impl Attempts {
    /// Runs `job` until it ends or is stopped, and passes its end on.
    pub(super) async fn run(
        self,
        kind: &'static Kind,
        job: Claimed,
        context: JobContext,
        stopped: oneshot::Receiver<Stop>,
    ) {
        let Claimed { id, attempt, attempts_max, uncounted, .. } = job;
        tracing::debug!(job = id, kind = kind.name, attempt, "attempt begins");
        let begun = Instant::now();
        let run = AssertUnwindSafe(kind.run(job, context, self.seal.as_ref())).catch_unwind();
        let end = tokio::select! {
            biased;
            returned = timeout(kind.timeout, run) => match returned {
                Ok(Ok(returned)) => End::Returned(returned),
                // What it panicked with was logged where it did.
                Ok(Err(_)) => End::Panicked,
                Err(_) => End::TimedOut,
            },
            // It is gone before its job is handed on.
            Ok(why) = stopped => End::Stopped(why),
        };
        let took = begun.elapsed();
        if let End::Returned(Err(error)) = &end {
            tracing::warn!(job = id, kind = kind.name, attempt, error = %chain(error), "attempt failed");
        }
        let rules = Rules { backoff: kind.backoff, retention: kind.retention };
        let counted = attempt - uncounted;
        let ending = ending(rules, counted, attempts_max - uncounted, end, fastrand::u32(..));
        let outcome = ending.as_str();
        match outcome {
            "completed" => {
                tracing::debug!(job = id, kind = kind.name, attempt, ?took, outcome, "attempt ended")
            }
            _ => tracing::info!(job = id, kind = kind.name, attempt, ?took, outcome, "attempt ended"),
        }
        self.metrics.ended(kind.name, outcome, took);
        let failed = matches!(outcome, "failed" | "discarded");
        let is_written = !ending.is_silent();
        self.running.end(id, attempt, is_written, kind.name, failed, took);
        if is_written {
            // Nobody takes it only once the worker has stopped without waiting for this attempt.
            let _not_taken = self.ends.send(Ended { id, attempt, ending });
        }
    }
}
