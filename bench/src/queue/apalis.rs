//! The crate `apalis-postgres`: batches of 500, each job in a task of its own,
//! NOTIFY to wake the worker, and no statement that marks each job as running (its
//! example has that off). What came of a job is kept, or it would never be completed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use apalis_core::backend::ext::BackendExt as _;
use apalis_core::backend::ext::poll_strategy::Strategy;
use apalis_core::error::{BoxDynError, WorkerError};
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::ext::parallelize::ParallelizeExt as _;
use apalis_postgres::{Config, PgPool, PostgresStorage, queries};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sqlx::postgres::PgPoolOptions;

use super::CONNECTIONS;
use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_apalis",
    is_left: "SELECT EXISTS (SELECT FROM apalis.jobs WHERE status <> 'Done')",
    clear: "TRUNCATE apalis.jobs",
};

const QUEUE: &str = "noop";
const BATCH: usize = 500;
/// Time to the next look where no NOTIFY comes. An interval that is over before a
/// fetch has ended is lost, and the worker sleeps; so it must be longer than any fetch.
const POLL: Duration = Duration::from_millis(100);

pub(super) struct Apalis {
    pool: PgPool,
    /// Each worker has a name of its own.
    workers: AtomicU32,
}

pub(super) async fn connect(url: String) -> Result<InProcess<Apalis>, Reason> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
    PostgresStorage::setup(&pool).await?;
    Ok(InProcess::new(Apalis { pool, workers: AtomicU32::new(0) }))
}

async fn noop(number: u32, tally: Data<Arc<Tally>>) -> Result<(), BoxDynError> {
    tally.begun(number);
    Ok(())
}

impl Library for Apalis {
    const BATCH: usize = 5_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        let tasks = numbers.iter().map(|number| Ok(TaskBuilder::new(serde_json::to_vec(number)?).build()));
        let tasks = tasks.collect::<Result<Vec<_>, serde_json::Error>>()?;
        let mut connection = self.pool.acquire().await?;
        queries::push_tasks(&mut *connection, QUEUE, tasks).await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        self.enqueue(&[number]).await
    }

    async fn work(&self, tally: Arc<Tally>, stop: Stop) -> Result<(), Reason> {
        let name = format!("noop-{}", self.workers.fetch_add(1, Ordering::Relaxed));
        Ok(run(&self.pool, &name, tally, stop).await?)
    }
}

/// A worker, boxed: the compiler can't see that the future of an async function that
/// holds it can be sent.
fn run(
    pool: &PgPool,
    name: &str,
    tally: Arc<Tally>,
    mut stop: Stop,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    let config = Config::default().queue(QUEUE).batch_size(BATCH).lock_tasks(false);
    let backend = PostgresStorage::<u32>::new(pool)
        .with_config(config)
        .with_pubsub()
        .poll_with_strategy(Strategy::new().interval(POLL));
    let worker = WorkerBuilder::new(name).backend(backend).data(tally).parallelize(tokio::spawn).build(noop);
    let told = async move {
        stop.told().await;
        Ok::<(), std::io::Error>(())
    };
    worker.run_until(told).boxed()
}
