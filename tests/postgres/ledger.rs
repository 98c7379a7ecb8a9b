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

/// Keys that its jobs have: so few that workers always have room for more than they may run.
pub(crate) const KEYS: i64 = 20;

/// Which attempts there were, and when.
pub(crate) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS ledger (number bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS ledger_attempts (
        job bigint NOT NULL, attempt integer NOT NULL, key bigint NOT NULL,
        began_at timestamptz NOT NULL, ended_at timestamptz);
    TRUNCATE ledger, ledger_attempts";

/// The most attempts of a key that there were at any time, and attempts that were begun twice. One
/// that didn't come to its end counts when it began.
pub(crate) const MOST: &str = "
    WITH steps AS (
        SELECT key, began_at AS at, 1 AS step FROM ledger_attempts
        UNION ALL
        SELECT key, coalesce(ended_at, began_at + interval '1 us'), -1 FROM ledger_attempts
    ), counts AS (
        SELECT sum(step) OVER (PARTITION BY key ORDER BY at, step ROWS UNBOUNDED PRECEDING) AS count FROM steps
    )
    SELECT (SELECT max(count) FROM counts)::bigint,
        (SELECT count(*) - count(DISTINCT (job, attempt)) FROM ledger_attempts)";

/// Where it is told which database is its.
const DATABASE: &str = "LEDGER_DATABASE_URL";

/// Does the work.
pub(crate) struct Ledger {
    db: Db,
}

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
        let (attempt, key) = (&job.attempt, line.number % KEYS);
        let begin = "INSERT INTO ledger_attempts VALUES ($1, $2, $3, clock_timestamp()) RETURNING TRUE";
        self.db.writer().await?.query_one(begin, &[&job.id, attempt, &key]).await?;
        if line.number % 97 == 0 {
            // Long enough to be killed in the middle.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        job.complete(async |transaction| {
            transaction.execute("INSERT INTO ledger (number) VALUES ($1)", &[&line.number]).await?;
            let end =
                "UPDATE ledger_attempts SET ended_at = clock_timestamp() WHERE job = $1 AND attempt = $2";
            transaction.execute(end, &[&job.id, attempt]).await?;
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
        let handlers = Handlers::default().with(Ledger { db: queue.db().clone() });
        let settings = WorkerSettings {
            name: format!("ledger:{}", std::process::id()),
            concurrency: 64,
            metrics: WorkerMetrics::default(),
        };
        let shutdown = Shutdown::on_signals().unwrap();
        queue::work(queue, handlers, Vec::new(), settings, shutdown).await;
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
