//! Tidewall's queue, as an origin runs it.

use std::sync::Arc;

use tidewall_origin::db::{self, Db, DbError, DbSettings};
use tidewall_origin::queue::{self, Handler, Handlers, JobContext, JobError, NewJob};
use tidewall_origin::shutdown::Shutdown;

use super::library::{InProcess, Library, Stop};
use super::place::Place;
use super::tally::Tally;
use crate::error::Reason;

pub(super) const PLACE: Place = Place {
    database: "bench_queue_tidewall",
    is_left: "SELECT EXISTS (SELECT FROM jobs WHERE state <> 'completed')",
    clear: "TRUNCATE jobs",
};

pub(super) struct Tidewall {
    db: Db,
}

pub(super) async fn connect(url: String) -> Result<InProcess<Tidewall>, Reason> {
    let db = Db::new(DbSettings::parse(&url, &[])?);
    db::migrate(&db).await?;
    Ok(InProcess::new(Tidewall { db }))
}

/// Does nothing but tell that it was called.
struct Noop(Arc<Tally>);

impl Handler for Noop {
    const KIND: &'static str = "noop";
    type Payload = u32;
    type Output = ();

    async fn run(&self, number: u32, _job: JobContext) -> Result<(), JobError> {
        self.0.begun(number);
        Ok(())
    }
}

impl Library for Tidewall {
    const BATCH: usize = 5_000;

    async fn enqueue(&self, numbers: &[u32]) -> Result<(), Reason> {
        let jobs = numbers.iter().map(NewJob::of::<Noop>).collect::<Result<Vec<_>, _>>()?;
        let write = self.db.write(async |transaction| {
            for job in &jobs {
                queue::enqueue(transaction, job).await?;
            }
            Ok::<_, DbError>(())
        });
        write.await?;
        Ok(())
    }

    async fn enqueue_one(&self, number: u32) -> Result<(), Reason> {
        let job = NewJob::of::<Noop>(&number)?;
        self.db.write(async |transaction| queue::enqueue(transaction, &job).await).await?;
        Ok(())
    }

    async fn work(&self, tally: Arc<Tally>, mut stop: Stop) -> Result<(), Reason> {
        let (sender, shutdown) = Shutdown::manual();
        let handlers = Handlers::default().with(Noop(tally));
        tokio::join!(queue::work(self.db.clone(), handlers, shutdown), async {
            stop.told().await;
            sender.send_replace(true);
        });
        Ok(())
    }
}
