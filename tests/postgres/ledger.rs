//! A queue worker in a process of its own, for tests that kill it: each of its jobs is to write
//! one line into a ledger, once. It is this program, started once more.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tidewall_origin::db::{Db, DbSettings};
use tidewall_origin::queue::{
    self, Handler, Handlers, JobContext, JobError, Limits, Outcome, Queue, Retention, WorkerMetrics,
    WorkerSettings,
};
use tidewall_origin::shutdown::Shutdown;
use tokio::runtime::Runtime;

use crate::support::processes::signal;
use crate::world::World;

/// Jobs of one key that run at the same time.
pub(crate) const PER_KEY: u32 = 2;

/// Where it is told which database is its.
const DATABASE: &str = "LEDGER_DATABASE_URL";

/// Does the work.
pub(crate) struct Ledger;

/// What is to be written.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) number: i64,
}

impl Handler for Ledger {
    const KIND: &'static str = "ledger";
    const ATTEMPTS_MAX: i32 = 100;
    const LIMITS: Limits = Limits { concurrency: None, per_key: Some(PER_KEY), rate: None };
    const RETENTION: Retention = Retention::NONE;
    type Payload = Line;
    type Output = ();

    async fn run(&self, line: Line, job: JobContext) -> Result<Outcome<()>, JobError> {
        if line.number % 100 == 0 {
            // Long enough to be killed in the middle.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        job.complete(async |transaction| {
            transaction.execute("INSERT INTO ledger (number) VALUES ($1)", &[&line.number]).await?;
            Ok(())
        })
        .await
    }
}

/// Works, if this process was started for that; `false` if not.
pub(crate) fn work() -> bool {
    let Ok(url) = std::env::var(DATABASE) else { return false };
    Runtime::new().unwrap().block_on(async {
        let queue = Queue::new(Db::new(DbSettings::parse(&url, &[]).unwrap()), None);
        let settings = WorkerSettings {
            name: format!("ledger:{}", std::process::id()),
            concurrency: 64,
            metrics: WorkerMetrics::default(),
        };
        let shutdown = Shutdown::on_signals().unwrap();
        queue::work(queue, Handlers::default().with(Ledger), Vec::new(), settings, shutdown).await;
    });
    true
}

/// A running one; killed when dropped.
pub(crate) struct LedgerWorker(Child);

impl LedgerWorker {
    pub(crate) fn start(world: &World) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(DATABASE, format!("{}?application_name=ledger", world.url(0)))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for LedgerWorker {
    fn drop(&mut self) {
        signal(self.0.id(), Signal::KILL);
        let _ = self.0.wait();
    }
}
