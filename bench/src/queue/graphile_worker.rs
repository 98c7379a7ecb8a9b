//! The crate `graphile_worker`, another implementation of graphile-worker's
//! tables, set as its own benchmark of throughput is: 500 jobs at the same time, a
//! local queue of 5,000, completions sent together every 5 ms. On tokio-postgres,
//! as Tidewall is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::tokio_postgres::TokioPostgresDatabase;
use graphile_worker::{
    Database, IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};

use super::CONNECTIONS;
use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_graphile_worker_rs",
    // It deletes what is completed.
    is_left: "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)",
    clear: "TRUNCATE graphile_worker._private_jobs CASCADE",
};

const SCHEMA: &str = "graphile_worker";
const CONCURRENCY: usize = 500;
const LOCAL_QUEUE: usize = 5_000;
const DELAY: Duration = Duration::from_millis(5);

pub(super) struct GraphileWorker {
    database: Database,
    utils: WorkerUtils,
}

pub(super) async fn connect(url: String) -> Result<InProcess<GraphileWorker>, Reason> {
    let database: Database = TokioPostgresDatabase::from_url(&url, usize::try_from(CONNECTIONS)?)?.into();
    let utils = WorkerUtils::new(database.clone(), SCHEMA);
    utils.migrate().await?;
    Ok(InProcess::new(GraphileWorker { database, utils }))
}

#[derive(Clone, Deserialize, Serialize)]
struct Noop {
    number: u32,
}

/// How a handler finds it.
#[derive(Clone)]
struct Told(Arc<Tally>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        match context.get_ext::<Told>() {
            Some(told) => {
                told.0.begun(self.number);
                Ok(())
            }
            None => Err("nobody is told".to_owned()),
        }
    }
}

impl Library for GraphileWorker {
    const BATCH: usize = 5_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        let spec = JobSpec::default();
        let jobs: Vec<_> = numbers.iter().map(|&number| (Noop { number }, &spec)).collect();
        self.utils.add_jobs(&jobs).await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        self.utils.add_job(Noop { number }, JobSpec::default()).await?;
        Ok(())
    }

    async fn work(&self, tally: Arc<Tally>, mut stop: Stop) -> Result<(), Reason> {
        let worker = WorkerOptions::default()
            .database(self.database.clone())
            .schema(SCHEMA)
            .concurrency(CONCURRENCY)
            .poll_interval(DELAY)
            .complete_job_batch_delay(DELAY)
            .local_queue(LocalQueueConfig::default().with_size(LOCAL_QUEUE))
            .listen_os_shutdown_signals(false)
            .add_extension(Told(tally))
            .define_job::<Noop>()
            .init()
            .await?;
        let (ended, ()) = tokio::join!(worker.run(), async {
            stop.told().await;
            worker.request_shutdown();
        });
        Ok(ended?)
    }
}
