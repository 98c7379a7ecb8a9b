//! Two looks at a database, an interval apart.

use std::collections::HashMap;
use std::time::Duration;

use tidewall_api::advice::{Activity, CALLS_MIN, Database, Jobs, Statement};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::{Config, Row};

use super::difference::{Count, Id, Kind, Ran, since};
use super::{machine, storage};
use crate::db::redact;
use crate::index::{
    Found, IndexError, Purpose, Session, Workload, calls_volatile, lacking, statements_schema,
};

/// Between two looks at what sessions do. A look takes well under a millisecond.
const ACTIVITY_EVERY: Duration = Duration::from_millis(200);
/// Statements that are told of.
const STATEMENTS_MAX: usize = 50;
/// Characters of a statement that are shown.
const SHOWN: usize = 300;
/// Statements that indexes are looked for.
const EXPLAINED_MAX: usize = 100;
/// Time that planning them may take.
const EXPLAIN_MAX: Duration = Duration::from_secs(60);
/// Statements that can't be planned, of which it is told why.
const UNREAD_MAX: usize = 3;
/// Share of the time of all statements that such may have.
const UNREAD_SHARE: f64 = 0.2;

/// A server before the interval.
pub(super) struct Look {
    session: Session,
    /// As people know it.
    server: String,
    /// The process that serves the session.
    pid: i32,
    is_primary: bool,
    /// Where its statements are counted.
    schema: Option<String>,
    counters: Counters,
    statements: HashMap<Id, Count>,
    unknown: Vec<String>,
}

/// What is counted of a database, in all.
#[derive(Clone, Copy)]
struct Counters {
    transactions: f64,
    sessions: f64,
    /// Milliseconds of statements that have ended.
    active_ms: f64,
    /// The server's clock, in seconds.
    at: f64,
}

/// What sessions did, looked at so many times.
#[derive(Default)]
pub(super) struct Watched {
    looks: f64,
    activity: Activity,
    /// Sessions that wait in the middle of a statement for what is no work of the server.
    waiting: f64,
    connections: f64,
    idle: f64,
    oldest: Option<f64>,
}

impl Look {
    /// Connects, and looks for the first time.
    pub(super) async fn begin(config: &Config, server: &str, is_primary: bool) -> Result<Self, IndexError> {
        let session = Session::connect(config, server, Purpose::Look).await?;
        let mut unknown = Vec::new();
        let schema = statements_schema(&session).await?;
        let mut statements = HashMap::new();
        let mut is_counted = false;
        if let Some(schema) = &schema {
            match session.rows(&storage::statement_counters(schema), &[]).await {
                Ok(rows) => {
                    statements = rows.iter().map(|row| (id(row), count(row))).collect();
                    is_counted = true;
                }
                Err(IndexError::Statement(error)) if error.as_db_error().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        if !is_counted {
            unknown.push(format!(
                "statements of {server} aren't counted, or can't be read: add pg_stat_statements to \
                 shared_preload_libraries, restart, and `CREATE EXTENSION pg_stat_statements`, or update it"
            ));
        }
        let counters = counters(&session).await?;
        let pid = session.row("SELECT pg_backend_pid()", &[]).await?.get(0);
        let (server, schema) = (server.to_owned(), schema.filter(|_| is_counted));
        Ok(Self { session, server, pid, is_primary, schema, counters, statements, unknown })
    }

    /// Whether this server takes writes.
    pub(super) async fn takes_writes(&self) -> Result<bool, IndexError> {
        Ok(!self.session.row("SELECT pg_is_in_recovery()", &[]).await?.get::<_, bool>(0))
    }

    /// Looks at what sessions do until `done`.
    pub(super) async fn watch(&self, done: impl Future<Output = ()>) -> Result<Watched, IndexError> {
        let mut watched = Watched::default();
        let mut ticks = interval(ACTIVITY_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(done);
        loop {
            tokio::select! {
                () = &mut done => return Ok(watched),
                _ = ticks.tick() => watched.add(&self.session.row(storage::ACTIVITY, &[]).await?),
            }
        }
    }

    /// Looks again, and says what there is and what came in between. The last: why there is less than
    /// there could be.
    pub(super) async fn end(
        mut self,
        watched: Watched,
        cpus: Option<f64>,
    ) -> Result<(Database, Vec<String>), IndexError> {
        let now = counters(&self.session).await?;
        let seconds = (now.at - self.counters.at).max(1e-3);
        let standing = self.session.row(storage::STANDING, &[]).await?;
        let sees_all: bool = standing.get(3);
        let mut database = Database {
            seconds,
            cpus,
            bytes: Some(standing.get(0)),
            connections_max: Some(standing.get(1)),
            // What was asked here is nobody's load.
            transactions: rate(self.counters.transactions + watched.looks, now.transactions, seconds),
            connects: rate(self.counters.sessions, now.sessions, seconds),
            ..Database::default()
        };
        if !sees_all {
            let why =
                "what sessions and other roles do is hidden from this role; `GRANT pg_monitor TO …` shows it";
            self.unknown.push(format!("{}: {why}", self.server));
        } else if self.is_primary {
            database.replicas = Some(u32::try_from(standing.get::<_, i32>(2)).unwrap_or_default());
        }
        let ran = match self.schema.take() {
            Some(schema) => {
                let rows = self.session.rows(&storage::statements(&schema), &[]).await?;
                let text = |row: &Row| row.get::<_, Option<String>>(5).unwrap_or_default();
                let later = rows.iter().map(|row| (id(row), count(row), text(row)));
                Some(since(&self.statements, later.collect(), seconds))
            }
            None => None,
        };
        if sees_all {
            watched.tell(&mut database, (now.active_ms - self.counters.active_ms) / 1_000.0 / seconds);
        }
        if let Some(mut ran) = ran.filter(|_| sees_all) {
            // A function may do anything.
            for one in ran.iter_mut().take(EXPLAINED_MAX).filter(|one| one.kind == Kind::Read) {
                if calls_volatile(&self.session, &one.text).await? {
                    (one.kind, one.is_constant) = (Kind::Other, false);
                }
            }
            tell_statements(&mut database, &ran, seconds);
            if self.is_primary {
                self.look_for_indexes(&mut database, &ran, seconds).await?;
            }
        }
        Ok((database, self.unknown))
    }

    async fn look_for_indexes(
        &mut self,
        database: &mut Database,
        ran: &[Ran],
        seconds: f64,
    ) -> Result<(), IndexError> {
        let workload = ran.iter().take(EXPLAINED_MAX).filter(|ran| ran.kind != Kind::Other);
        let workload = workload.map(|ran| Workload {
            text: ran.text.clone(),
            calls: ran.all.calls,
            rate: ran.lately.calls / seconds,
            mean_ms: ran.mean_ms(),
            rows: ran.all.rows / ran.all.calls.max(1.0),
        });
        let Ok(found) = timeout(EXPLAIN_MAX, lacking(&self.session, workload.collect())).await else {
            self.unknown.push(
                "its statements took too long to be planned; `tidewall index` has more time".to_owned(),
            );
            return Ok(());
        };
        let Found { missing, indexable_ms, unread, unread_ms } = found?;
        let why = unread.iter().map(|(what, why)| format!("{why}: {what}"));
        self.unknown.extend(why.take(UNREAD_MAX));
        let all = database.read_ms.unwrap_or_default() + database.write_ms.unwrap_or_default();
        // Whether a statement lacks an index that can't be planned isn't known.
        if missing.is_empty() && (unread_ms > all * UNREAD_SHARE || (all <= 0.0 && !unread.is_empty())) {
            return Ok(());
        }
        database.indexable_ms = indexable_ms;
        database.indexes = Some(missing);
        Ok(())
    }

    /// Whether this server is on this machine.
    pub(super) fn is_here(&self) -> bool {
        machine::is_postgres(self.pid)
    }

    /// Queues that have their tables in this database.
    pub(super) async fn queues(&self) -> Result<Vec<String>, IndexError> {
        Ok(self.session.rows(storage::QUEUES, &[]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// How Tidewall's jobs did of late. `None`: they may not be read.
    pub(super) async fn jobs(&self) -> Result<Option<Jobs>, IndexError> {
        match self.session.row(storage::JOBS, &[]).await {
            Ok(row) => Ok(Some(Jobs {
                ended: row.get(0),
                p50_ms: row.get(1),
                p95_ms: row.get(2),
                oldest_s: row.get(3),
            })),
            Err(IndexError::Statement(error)) if error.as_db_error().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn counters(session: &Session) -> Result<Counters, IndexError> {
    let row = session.row(storage::COUNTERS, &[]).await?;
    Ok(Counters { transactions: row.get(0), sessions: row.get(1), active_ms: row.get(2), at: row.get(3) })
}

fn id(row: &Row) -> Id {
    (row.get(0), row.get(1))
}

fn count(row: &Row) -> Count {
    Count { calls: row.get(2), ms: row.get(3), rows: row.get(4) }
}

/// In a second. `None`: the counter was set back.
fn rate(earlier: f64, later: f64, seconds: f64) -> Option<f64> {
    // What was asked here is told a moment later than it is done.
    (later - earlier > -10.0).then(|| (later - earlier).max(0.0) / seconds)
}

/// What statements come to.
fn tell_statements(database: &mut Database, ran: &[Ran], seconds: f64) {
    let ms = |kind| -> f64 { ran.iter().filter(|ran| ran.kind == kind).map(|ran| ran.lately.ms).sum() };
    let (reads, writes) = (ms(Kind::Read), ms(Kind::Write));
    database.read_ms = Some(reads / seconds);
    database.write_ms = Some(writes / seconds);
    let all = reads + writes;
    let often = ran.iter().filter(|ran| ran.kind != Kind::Other && ran.all.calls >= CALLS_MIN);
    let often: f64 = often.map(|ran| ran.lately.ms).sum();
    database.known_share = if all > 0.0 { often / all } else { 0.0 };
    let told = ran.iter().filter(|ran| ran.kind != Kind::Other).take(STATEMENTS_MAX);
    database.statements = told
        .map(|ran| Statement {
            text: redact(&ran.text, SHOWN),
            calls: ran.all.calls,
            rate: ran.lately.calls / seconds,
            mean_ms: ran.mean_ms(),
            rows: ran.all.rows / ran.all.calls.max(1.0),
            is_read: ran.kind == Kind::Read,
            is_constant: ran.is_constant,
            share: if all > 0.0 { ran.lately.ms / all } else { 0.0 },
        })
        .collect();
}

impl Watched {
    fn add(&mut self, row: &Row) {
        self.looks += 1.0;
        self.activity.cpu += row.get::<_, f64>(0);
        self.activity.io += row.get::<_, f64>(1);
        self.activity.lock += row.get::<_, f64>(2);
        self.activity.other += row.get::<_, f64>(3);
        self.waiting += row.get::<_, f64>(4);
        self.connections += row.get::<_, f64>(5);
        self.idle += row.get::<_, f64>(6);
        self.oldest = [self.oldest, row.get(7)].into_iter().flatten().reduce(f64::max);
    }

    /// The mean of all looks. `active`: as many sessions were in the middle of statements, as the server
    /// has counted it once each had ended. Short ones are seen by that, and long ones by looking.
    fn tell(&self, database: &mut Database, active: f64) {
        if self.looks <= 0.0 {
            return;
        }
        let Activity { cpu, io, lock, other } = self.activity;
        let mean = |sum: f64| sum / self.looks;
        let (io, lock, other) = (mean(io), mean(lock), mean(other));
        // What ended meanwhile was for the most part before, where there are more of it than sessions.
        let active = active.min(mean(self.connections));
        let cpu = mean(cpu).max(active - io - lock - other - mean(self.waiting));
        database.active = Some(Activity { cpu, io, lock, other });
        database.connections = Some(mean(self.connections));
        database.idle = Some(mean(self.idle));
        database.oldest_transaction = self.oldest;
    }
}
