//! A primary that stands still all at once, a replica that is promoted, and what
//! was acknowledged before.
//!
//! With `synchronous_standby_names = 'ANY 1 (…)'` a commit is acknowledged once one
//! replica has it, so the replica that has most of the log has all that was
//! acknowledged. The price is measured beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidewall_origin::db::{Db, DbError, DbSettings};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::once;
use super::server::Server;
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};

/// Writers before and during the failover.
const WRITERS: u32 = 8;
/// How long they write before.
const BEFORE: Duration = Duration::from_secs(2);
/// Time that writes have to be back: ten times what is promised.
const BACK_MAX: Duration = Duration::from_secs(20);

const SYNCHRONOUS: &str = "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (replica1, replica2)'";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS bench_ledger (id bigint PRIMARY KEY)";

pub(super) async fn run(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    progress::tell("failover: writes with and without a synchronous replica");
    let db = Db::new(DbSettings::parse(&setting.primary, &setting.replicas)?);
    db.write(async |transaction| transaction.batch(CREATE).await).await?;
    let primary = Server::connect(&setting.primary).await?;
    let ledger = Arc::new(Ledger { db, stop: AtomicBool::new(false) });
    let (mut alone, mut synchronous) = (0.0, 0.0);
    for _ in 0..3 {
        set_synchronous(&primary, false).await?;
        alone += ledger.rate().await?;
        set_synchronous(&primary, true).await?;
        synchronous += ledger.rate().await?;
    }

    progress::tell("failover: the primary stands still, a replica is promoted");
    let mut replicas = Vec::new();
    for url in &setting.replicas {
        replicas.push(Server::connect(url).await?);
    }
    ledger.db.write(async |transaction| transaction.batch("TRUNCATE bench_ledger").await).await?;
    let writers = Arc::clone(&ledger);
    let writing = tokio::spawn(async move { writers.write_all().await });
    sleep(BEFORE).await;
    let frozen = primary.freeze().await?;
    let mut furthest = &replicas[0];
    for replica in &replicas[1..] {
        if replica.received().await? > furthest.received().await? {
            furthest = replica;
        }
    }
    furthest.promote().await?;
    let promoted = Instant::now();
    let written = timeout(BACK_MAX, async {
        while ledger.insert(-1).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    written.await.map_err(|_| Reason::new("writes did not come back after the promotion"))?;
    let back = promoted.elapsed();
    ledger.stop.store(true, Ordering::Relaxed);
    let acknowledged = writing.await??;
    let found = furthest.client().query("SELECT id FROM bench_ledger", &[]).await?;
    let found: std::collections::HashSet<i64> = found.iter().map(|row| row.get(0)).collect();
    let lost = acknowledged.iter().filter(|id| !found.contains(id)).count();
    drop(frozen);

    let percent = 100.0 * synchronous / alone;
    Ok(vec![
        once("replicas/writes-back-after-promotion", "ms", Better::Lower, back.as_secs_f64() * 1000.0)?
            .limit(0.0),
        once(
            "replicas/acknowledged-writes-lost",
            "of those before",
            Better::Lower,
            f64::from(u32::try_from(lost)?),
        )?
        .limit(0.0)
        .peer("acknowledged", f64::from(u32::try_from(acknowledged.len())?)),
        once("replicas/synchronous-writes", "percent of the throughput without", Better::Higher, percent)?
            .limit(100.0),
    ])
}

async fn set_synchronous(primary: &Server, is_on: bool) -> Result<(), Reason> {
    let set = if is_on { SYNCHRONOUS } else { "ALTER SYSTEM RESET synchronous_standby_names" };
    primary.client().batch_execute(set).await?;
    primary.client().batch_execute("SELECT pg_reload_conf()").await?;
    // Every backend has read it once a new one has.
    let wanted = if is_on { "ANY 1 (replica1, replica2)" } else { "" };
    while primary.client().query_one("SHOW synchronous_standby_names", &[]).await?.get::<_, &str>(0) != wanted
    {
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// What was acknowledged, and where it should be.
struct Ledger {
    db: Db,
    stop: AtomicBool,
}

impl Ledger {
    async fn insert(&self, id: i64) -> Result<(), DbError> {
        let insert = "INSERT INTO bench_ledger (id) VALUES ($1) ON CONFLICT DO NOTHING";
        self.db.write(async |transaction| transaction.execute(insert, &[&id]).await).await.map(drop)
    }

    /// Writes a second's worth; how many were acknowledged in each.
    async fn rate(self: &Arc<Self>) -> Result<f64, Reason> {
        let begun = Instant::now();
        self.stop.store(false, Ordering::Relaxed);
        let writers = Arc::clone(self);
        let writing = tokio::spawn(async move { writers.write_all().await });
        sleep(Duration::from_secs(1)).await;
        self.stop.store(true, Ordering::Relaxed);
        let acknowledged = writing.await??;
        let rate = f64::from(u32::try_from(acknowledged.len())?) / begun.elapsed().as_secs_f64();
        self.stop.store(false, Ordering::Relaxed);
        self.db.write(async |transaction| transaction.batch("TRUNCATE bench_ledger").await).await?;
        Ok(rate)
    }

    /// Writes until told to stop; the ids that were acknowledged.
    async fn write_all(self: Arc<Self>) -> Result<Vec<i64>, Reason> {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let ledger = Arc::clone(&self);
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                for turn in 0_u32.. {
                    if ledger.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = i64::from(turn) * i64::from(WRITERS) + i64::from(writer);
                    // One that failed may be there or not: nobody was told that it is.
                    match ledger.insert(id).await {
                        Ok(()) => acknowledged.push(id),
                        Err(_) => sleep(Duration::from_millis(5)).await,
                    }
                }
                acknowledged
            });
        }
        let mut all = Vec::new();
        while let Some(acknowledged) = writers.join_next().await {
            all.extend(acknowledged?);
        }
        Ok(all)
    }
}
