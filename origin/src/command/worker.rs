//! How jobs are run.

use clap::Args;

use crate::queue::{self, Handlers, Queue, WorkerMetrics, WorkerSettings};
use crate::shop;
use crate::shutdown::Shutdown;

/// Of a process that does nothing else.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Jobs that run here at the same time
    #[arg(long, value_name = "JOBS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

/// Of one that answers requests as well.
#[derive(Debug, Args)]
pub(super) struct InnerWorkerArgs {
    /// Jobs that run here at the same time, beside requests; 0: none do, as where `work` runs
    #[arg(long, value_name = "JOBS", default_value_t = 0)]
    jobs: u16,
}

impl WorkerArgs {
    /// Works until `shutdown` begins.
    pub(super) async fn run(&self, queue: Queue, handlers: Handlers, shutdown: Shutdown) {
        let metrics = WorkerMetrics::default();
        queue::work(queue, handlers, shop::schedules(), settings(self.concurrency, &metrics), shutdown).await;
    }
}

impl InnerWorkerArgs {
    /// Works until `shutdown` begins, if there is to be a worker here.
    pub(super) async fn run(
        &self,
        queue: Queue,
        handlers: Handlers,
        metrics: &WorkerMetrics,
        shutdown: Shutdown,
    ) {
        if self.jobs > 0 {
            queue::work(queue, handlers, shop::schedules(), settings(self.jobs, metrics), shutdown).await;
        }
    }
}

fn settings(concurrency: u16, metrics: &WorkerMetrics) -> WorkerSettings {
    WorkerSettings {
        name: format!("{}:{}", host(), std::process::id()),
        concurrency: concurrency.into(),
        metrics: metrics.clone(),
    }
}

/// The machine's name, by which people find a worker.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
