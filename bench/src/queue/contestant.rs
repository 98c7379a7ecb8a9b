//! What is asked of every queue.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::error::Reason;

/// A queue with its workers, which don't run yet.
pub(super) trait Contestant: Send {
    /// Adds so many jobs by the batch API; returns once they are committed.
    fn enqueue(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>>;

    /// Adds jobs one by one on so many connections.
    fn enqueue_singly(
        &mut self,
        length: Duration,
        connections: u32,
    ) -> BoxFuture<'_, Result<Counted, Reason>>;

    /// Starts the workers; returns once handlers were called for so many jobs.
    fn work(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>>;

    /// Stops them; returns once what they have done is committed.
    fn stop(&mut self) -> BoxFuture<'_, Result<(), Reason>>;

    /// Starts the workers, adds jobs for a time, and stops them.
    fn flow(&mut self, flow: Flow) -> BoxFuture<'_, Result<Flowed, Reason>>;
}

/// Jobs in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) jobs: u32,
    pub(super) elapsed: Duration,
}

impl Counted {
    /// Jobs a second.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.jobs) / self.elapsed.as_secs_f64()
    }
}

/// How jobs are added while workers run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// How long it goes on before anything counts.
    pub(super) lead: Duration,
    /// How long what happens counts.
    pub(super) length: Duration,
    /// Callers of the batch API at the same time.
    pub(super) producers: u32,
    /// Jobs of each of their calls.
    pub(super) batch: u32,
    /// When they call.
    pub(super) pace: Pace,
}

/// When jobs are added.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// So many a second, whether or not the workers keep up.
    Rate(f64),
    /// As soon as fewer than so many wait.
    Waiting(u32),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flowed {
    /// Jobs whose handler was called while it counted.
    pub(super) handled: Counted,
    /// Median time from the answer to the commit of a job to the call of its
    /// handler, of the jobs that were added while it counted, if any were; 0 where
    /// a handler was faster than the answer.
    pub(super) p50_ms: Option<f64>,
    /// The same for the slowest but one percent.
    pub(super) p99_ms: Option<f64>,
}
