//! How jobs are run.

use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::error::CommandError;
use crate::http::app;
use crate::http::metrics::Metrics;
use crate::queue::{self, WorkerMetrics, WorkerSettings};
use crate::shop::{self, Means};
use crate::shutdown::Shutdown;

/// Of a process that does nothing else.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Jobs that run here at the same time
    #[arg(long, value_name = "JOBS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Where to tell what is measured here (`/metrics`, for Prometheus), and that this lives
    /// (`/healthz`); without it nowhere
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
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
    pub(super) async fn run(&self, means: &Means, shutdown: Shutdown) -> Result<(), CommandError> {
        let metrics = WorkerMetrics::default();
        let _told = match self.metrics {
            Some(address) => Some(tell(address, means, &metrics).await?),
            None => None,
        };
        run(means, self.concurrency, &metrics, shutdown).await
    }
}

impl InnerWorkerArgs {
    /// Works until `shutdown` begins, if there is to be a worker here.
    pub(super) async fn run(
        &self,
        means: &Means,
        metrics: &WorkerMetrics,
        shutdown: Shutdown,
    ) -> Result<(), CommandError> {
        if self.jobs == 0 {
            return Ok(());
        }
        run(means, self.jobs, metrics, shutdown).await
    }
}

/// Serves what is measured, until it is dropped.
async fn tell(
    address: SocketAddr,
    means: &Means,
    metrics: &WorkerMetrics,
) -> Result<AbortOnDropHandle<()>, CommandError> {
    let listen_error = |source| CommandError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    tracing::info!(address = %listener.local_addr().map_err(listen_error)?, "telling what is measured");
    let metrics = Metrics::new(means.queue.db().clone(), means.outbox.clone(), metrics);
    let served = axum::serve(listener, app::worker_router(metrics)).into_future();
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "what is measured is told no longer");
        }
    })))
}

async fn run(
    means: &Means,
    concurrency: u16,
    metrics: &WorkerMetrics,
    shutdown: Shutdown,
) -> Result<(), CommandError> {
    let schedules = shop::schedules()?;
    let settings = settings(concurrency, metrics);
    queue::work(means.queue.clone(), shop::handlers(means), schedules, settings, shutdown).await;
    Ok(())
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
