//! A write and the read after it, many times, while faults befall the replicas:
//! with its bookmark no read may be stale, and replicas are to serve whenever one
//! has caught up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidewall_origin::db::{Db, DbError, DbSettings, Lsn, Position};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::faults::Faults;
use super::{once, percent};
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};

/// Writers, each of which reads what it wrote.
const WRITERS: u32 = 8;
/// Time that the replicas have to serve.
const SERVED_MAX: Duration = Duration::from_secs(30);
/// Faults of the bench.
const FAULTS: Faults = Faults {
    span: Duration::from_millis(600),
    settled: Duration::from_millis(500),
    kill_one_in: 12,
    seed: 1,
};

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Pairs of a write and a read.
    pub pairs: u64,
    /// Reads that missed their own write.
    pub stale: u64,
    /// Writes or reads that failed.
    pub failed: u64,
    /// Reads while a replica had been left alone for long enough to serve,
    pub could: u64,
    /// of which so many were served by one.
    pub did: u64,
    /// How often a replica was paused,
    pub pauses: u64,
    /// and killed.
    pub kills: u64,
}

/// What the readers bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The bookmark of their write.
    Bookmarked,
    /// Nothing: what is measured can be missed.
    Forgetful,
}

pub(super) async fn run(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    progress::tell(format!("{} pairs of a write and a read, under faults", setting.pairs));
    let Pairs { pairs, stale, failed, could, did, pauses, kills } =
        drive(setting, setting.pairs, Reader::Bookmarked, FAULTS).await?;
    progress::tell(format!("{pairs} pairs, {pauses} pauses, {kills} kills"));
    let forgetful = drive(setting, setting.pairs.div_ceil(20), Reader::Forgetful, FAULTS).await?;
    let count = |value: u64| Ok::<f64, Reason>(f64::from(u32::try_from(value)?));
    let stale_percent = percent(forgetful.stale, forgetful.pairs);
    Ok(vec![
        once("replicas/pairs", "pairs under faults", Better::Higher, count(pairs)?)?,
        once("replicas/stale-reads", "of the pairs", Better::Lower, count(stale)?)?
            .limit(0.0)
            .peer("without a bookmark, of as many", stale_percent * count(pairs)? / 100.0),
        once("replicas/failed-pairs", "of the pairs", Better::Lower, count(failed)?)?.limit(0.0),
        once("replicas/share-when-caught-up", "percent", Better::Higher, percent(did, could))?.limit(100.0),
    ])
}

/// Runs `pairs` pairs.
///
/// # Errors
/// The servers can't be reached, or don't come back.
pub async fn drive(setting: &Setting, pairs: u32, reader: Reader, faults: Faults) -> Result<Pairs, Reason> {
    let db = Db::new(DbSettings::parse(&setting.primary, &setting.replicas)?);
    let facts = Arc::new(Facts::create(&db).await?);
    until_served_by_replicas(&db).await?;
    let running = Arc::new(faults.start(&setting.replicas).await?);
    let count = Arc::new(Count::default());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (facts, running, count) = (Arc::clone(&facts), Arc::clone(&running), Arc::clone(&count));
        writers.spawn(async move {
            for value in 1.. {
                if count.begun.fetch_add(1, Ordering::Relaxed) >= u64::from(pairs) {
                    return;
                }
                let could = running.one_is_settled();
                let outcome = facts.pair(writer, value, reader).await;
                count.note(&outcome, could);
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended?;
    }
    let running = Arc::try_unwrap(running).map_err(|_| Reason::new("a writer goes on"))?;
    let (pauses, kills) = running.stop().await?;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(Pairs {
        pairs: of(&count.done),
        stale: of(&count.stale),
        failed: of(&count.failed),
        could: of(&count.could),
        did: of(&count.did),
        pauses,
        kills,
    })
}

#[derive(Default)]
struct Count {
    begun: AtomicU64,
    done: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
    could: AtomicU64,
    did: AtomicU64,
}

impl Count {
    fn note(&self, outcome: &Result<(bool, Position), DbError>, could: bool) {
        let mut counters = vec![&self.done];
        match outcome {
            Ok((is_stale, read_at)) => {
                counters.extend(is_stale.then_some(&self.stale));
                counters.extend(could.then_some(&self.could));
                counters.extend((could && *read_at != Position::Primary).then_some(&self.did));
            }
            Err(error) => {
                progress::tell(format!("a pair failed: {}", Reason::from(error)));
                counters.push(&self.failed);
            }
        }
        for counter in counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits until reads go to replicas.
pub(super) async fn until_served_by_replicas(db: &Db) -> Result<(), Reason> {
    let begun = Instant::now();
    while db.read(None).await?.position() == Position::Primary {
        if begun.elapsed() > SERVED_MAX {
            return Err(Reason::new("no replica serves"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A table of numbers, each of which only grows.
pub(super) struct Facts {
    db: Db,
}

impl Facts {
    pub(super) async fn create(db: &Db) -> Result<Self, Reason> {
        let create = "CREATE TABLE IF NOT EXISTS bench_facts (id bigint PRIMARY KEY, value bigint NOT NULL);
            TRUNCATE bench_facts";
        db.write(async |transaction| transaction.batch(create).await).await?;
        Ok(Self { db: db.clone() })
    }

    /// Writes a number; the position at which it can be seen.
    pub(super) async fn write(&self, id: u32, value: i64) -> Result<Option<Lsn>, DbError> {
        let upsert = "INSERT INTO bench_facts (id, value) VALUES ($1, $2)
            ON CONFLICT (id) DO UPDATE SET value = excluded.value";
        let id = i64::from(id);
        let write = self.db.write(async |transaction| transaction.execute(upsert, &[&id, &value]).await);
        Ok(write.await?.position)
    }

    /// The number, and where it was read; 0 where there is none yet.
    pub(super) async fn read(&self, id: u32, bookmark: Option<Lsn>) -> Result<(i64, Position), DbError> {
        let id = i64::from(id);
        self.db
            .read_with(bookmark, |connection| {
                Box::pin(async move {
                    let row =
                        connection.query_opt("SELECT value FROM bench_facts WHERE id = $1", &[&id]).await?;
                    Ok(row.map_or(0, |row| row.get(0)))
                })
            })
            .await
    }

    /// Writes a number and reads it; whether the read missed it.
    async fn pair(&self, id: u32, value: i64, reader: Reader) -> Result<(bool, Position), DbError> {
        let position = self.write(id, value).await?;
        let bookmark = position.filter(|_| reader == Reader::Bookmarked);
        let (found, read_at) = self.read(id, bookmark).await?;
        Ok((found < value, read_at))
    }
}
