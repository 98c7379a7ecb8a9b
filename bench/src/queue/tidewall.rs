//! Tidewall's queue, as an origin runs it.

use std::sync::Arc;

use tidewall_origin::db::{self, Db, DbSettings};
use tidewall_origin::queue::{
    self, Handler, Handlers, JobContext, JobError, NewJob, Outcome, Queue, Retention, WorkerMetrics,
    WorkerSettings,
};
use tidewall_origin::shutdown::Shutdown;

use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_tidewall",
    is_left: "SELECT EXISTS (SELECT FROM jobs)",
    clear: "TRUNCATE jobs",
};

/// Jobs that run at the same time: as many as two claims take.
const CONCURRENCY: usize = 1_000;

pub(super) struct Tidewall {
    queue: Queue,
}

pub(super) async fn connect(url: String) -> Result<InProcess<Tidewall>, Reason> {
    let db = Db::new(DbSettings::parse(&url, &[])?);
    db::migrate(&db).await?;
    Ok(InProcess::new(Tidewall { queue: Queue::new(db, None) }))
}

/// Does nothing but tell that it was called.
struct Noop(Arc<Tally>);

impl Handler for Noop {
    const KIND: &'static str = "noop";
    // As graphile-worker does: what is done is gone.
    const RETENTION: Retention = Retention::NONE;
    type Payload = u32;
    type Output = ();

    async fn run(&self, number: u32, _job: JobContext) -> Result<Outcome<()>, JobError> {
        self.0.begun(number);
        Ok(Outcome::Done(()))
    }
}

impl Library for Tidewall {
    const BATCH: usize = 5_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        let jobs = numbers.iter().map(NewJob::of::<Noop>).collect::<Result<Vec<_>, _>>()?;
        let write =
            self.queue.db().write(async |transaction| self.queue.enqueue_all(transaction, &jobs).await);
        write.await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        let job = NewJob::of::<Noop>(&number)?;
        self.queue.add(&job).await?;
        Ok(())
    }

    async fn work(&self, tally: Arc<Tally>, mut stop: Stop) -> Result<(), Reason> {
        let (sender, shutdown) = Shutdown::manual();
        let handlers = Handlers::default().with(Noop(tally));
        let settings = WorkerSettings {
            name: "bench".to_owned(),
            concurrency: CONCURRENCY,
            metrics: WorkerMetrics::default(),
        };
        tokio::join!(queue::work(self.queue.clone(), handlers, Vec::new(), settings, shutdown), async {
            stop.told().await;
            sender.send_replace(true);
        });
        Ok(())
    }
}
