//! Products under load, by which the advisor is judged: for each of the seven tools some that need it,
//! some that don't yet, and some whose trouble only looks as if it helped. What helps is measured: each
//! tool is added, by itself, and what readers wait for is measured again, each time on a fresh copy of the
//! database. What people may expect, and which of several that heal is to be taken, are said (`within_ms`,
//! `outcome`).
//!
//! A product is small, and runs within this process: its server's CPUs are places of which each request
//! holds one while it computes, and distance is time. Database and replica, connections, index, edge,
//! cache and queue are real.
//!
//! - `definition`: what a scenario is, as its file in `bench/scenarios` says.
//! - `machine`, `product`, `store`, `log`: a server, its CPUs, its database, its access log.
//! - `load`: readers. `outcome`: what they waited for, and what that says of each tool.
//! - `record`: what is kept of a run.

mod definition;
mod load;
mod log;
mod machine;
mod outcome;
mod product;
mod record;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidewall_api::advice::{Evidence, Host, Tool};
use tidewall_origin::advise::{Question, look};
use tidewall_origin::db::{self, Db, DbSettings};
use tidewall_origin::queue::{self, Handlers, Queue, WorkerMetrics, WorkerSettings};
use tidewall_origin::shutdown::Shutdown;

pub use definition::{Definition, Kind};
use load::{Front, Waited, drive};
use log::Log;
use machine::Machine;
pub use outcome::{Outcome, Pain};
use product::{Keeps, Later, Product, Sends};
pub use record::{Judgement, Record};
use store::{Copy, Store};

use crate::database::{Own, connect};
use crate::edge::folder::Folder;
use crate::edge::http::Server;
use crate::edge::storage::{self, Storage};
use crate::edge::tidewall;
use crate::edge::workerd::Workerd;
use crate::error::Reason;
use crate::{machine as this_machine, progress};

/// What comes before isn't counted: connections are made, caches filled.
const WARM_UP: Duration = Duration::from_secs(1);
/// What comes after isn't counted, either: what waits in line grows with time, and has to do so for
/// as long in each case.
const COUNTED_UNTIL: Duration = Duration::from_secs(4);
/// For as long the advisor looks.
const LOOKED_AT: Duration = Duration::from_secs(6);
/// Jobs that run at a time.
const JOBS: usize = 50;
/// Time that they have once nobody comes any more.
const JOBS_MAX: Duration = Duration::from_secs(4);
/// How often they are looked at.
const JOBS_POLL: Duration = Duration::from_millis(50);
/// What it is like where they never end.
const PILED_UP: f64 = 1_000.0;
/// Readers of all cases come at the same times.
const SEED: u64 = 7;

/// On what scenarios run.
#[derive(Clone, Debug)]
pub struct Place {
    /// URL of the primary.
    pub primary: String,
    /// URL of its replica.
    pub replica: String,
    /// Folder of the built Worker.
    pub worker: PathBuf,
}

/// Runs a scenario, with these of the tools that could be added.
///
/// # Errors
/// Something can't be started or fails, or the advisor can't look.
pub async fn run(definition: &Definition, tools: &[Tool], place: &Place) -> Result<Record, Reason> {
    let definition = Arc::new(definition.clone());
    let store = match &definition.database {
        Some(database) => Some(Store::create(&place.primary, &place.replica, database).await?),
        None => None,
    };
    let run = Run { definition: &definition, store: store.as_ref(), place };
    let outcome = run.all(tools).await;
    let removed = match store {
        Some(store) => store.remove().await,
        None => Ok(()),
    };
    let (evidence, outcome) = outcome?;
    removed?;
    Ok(Record { digest: definition.digest.clone(), machine: this_machine::describe(), evidence, outcome })
}

/// Runs a scenario with each tool that could be added, keeps what came of it, and tells it; what the
/// advisor says of it as well, unless that is held out.
///
/// # Errors
/// As of [`run`]; it doesn't clearly show what it is there to show; or the record can't be written.
pub async fn record(definition: &Definition, place: &Place) -> Result<(), Reason> {
    progress::tell(format!("{}: {}", definition.name, definition.what));
    let record = run(definition, &definition.applicable(), place).await?;
    let Outcome { alone, with } = &record.outcome;
    progress::tell(format!("  alone {:.2}: {}", alone.times, alone.what));
    for (tool, pain) in with {
        progress::tell(format!("  {} {:.2}: {}", tool.as_str(), pain.times, pain.what));
    }
    let Judgement { said, needed, is_right, harmful } = record.judge(definition);
    progress::tell(format!("  needed: {}", needed.map_or("nothing", Tool::as_str)));
    if !record.shows(definition) {
        return Err(Reason::new(
            "it does not clearly show what it is for, and was not kept: change its file",
        ));
    }
    record.write(definition)?;
    if definition.is_held_out() {
        progress::tell("  what the advisor says of it is held out, and not told");
        return Ok(());
    }
    for (tool, verdict) in said {
        progress::tell(format!("  said: {}, {}", tool.as_str(), verdict.as_str()));
    }
    let harm = if harmful.is_empty() { "" } else { ", and of harm" };
    progress::tell(format!("  that is {}{harm}", if is_right { "right" } else { "WRONG" }));
    Ok(())
}

struct Run<'a> {
    definition: &'a Arc<Definition>,
    store: Option<&'a Store>,
    place: &'a Place,
}

/// What a run of a product has, beside its definition.
struct Parts {
    tool: Option<Tool>,
    /// Of its server.
    machine: Arc<Machine>,
    queue: Option<Queue>,
    log: Option<Arc<Log>>,
}

impl Run<'_> {
    async fn all(&self, tools: &[Tool]) -> Result<(Evidence, Outcome), Reason> {
        let evidence = self.looked_at().await?;
        let alone = self.measured(self.parts(None), &[]).await?;
        let mut with = BTreeMap::new();
        for tool in tools {
            with.insert(*tool, self.with(*tool, &evidence).await?);
        }
        Ok((evidence, Outcome { alone, with }))
    }

    fn parts(&self, tool: Option<Tool>) -> Parts {
        Parts { tool, machine: Arc::new(Machine::new(self.definition.cpus)), queue: None, log: None }
    }

    /// What the advisor sees of it, as it is.
    async fn looked_at(&self) -> Result<Evidence, Reason> {
        let folder = Folder::new()?;
        let file = folder.path().join("access.log");
        let log = Arc::new(Log::create(&file)?);
        let parts = Parts { log: Some(Arc::clone(&log)), ..self.parts(None) };
        let copy = self.copy().await?;
        let standing = self.stand(&parts, copy.as_ref()).await?;
        let (waited, evidence) = tokio::join!(
            drive(self.definition, standing.front, WARM_UP + LOOKED_AT, SEED),
            self.seen(&parts.machine, copy.as_ref())
        );
        waited?;
        let mut evidence = evidence?;
        log.flush()?;
        let question = Question { access_log: Some(file), ..Question::default() };
        let read = look(&question, std::future::pending()).await?;
        evidence.traffic = read.traffic;
        evidence.unknown.extend(read.unknown);
        Ok(evidence)
    }

    /// What it sees of database and server while the load goes on.
    async fn seen(&self, machine: &Machine, copy: Option<&Copy<'_>>) -> Result<Evidence, Reason> {
        tokio::time::sleep(WARM_UP).await;
        let used = async {
            let (begun, used) = (Instant::now(), machine.used());
            tokio::time::sleep(LOOKED_AT).await;
            (machine.used() - used) / begun.elapsed().as_secs_f64()
        };
        let looked = async {
            let (Some(copy), Some(database)) = (copy, &self.definition.database) else {
                return Ok(Evidence::default());
            };
            let question = Question {
                primary: vec![copy.primary()],
                database_cpus: Some(database.cpus.into()),
                interval: LOOKED_AT,
                ..Question::default()
            };
            look(&question, std::future::pending()).await
        };
        let (used, looked) = tokio::join!(used, looked);
        let mut evidence = looked?;
        let has_database = self.definition.database.as_ref().is_some_and(|database| database.is_on_server);
        evidence.host = Some(Host { cpus: machine.cpus(), used, has_database });
        // The replica that streams is this machine's, and the product has none.
        if let Some(database) = &mut evidence.database {
            database.replicas = Some(0);
        }
        Ok(evidence)
    }

    /// With one tool.
    async fn with(&self, tool: Tool, evidence: &Evidence) -> Result<Pain, Reason> {
        match tool {
            Tool::Queue => {
                let jobs = Own::create(&self.place.primary, "scenario_jobs").await?;
                let pain = self.with_queue(&jobs.url).await;
                jobs.remove().await?;
                pain
            }
            Tool::Index => self.with_indexes(evidence).await,
            _ => self.measured(self.parts(Some(tool)), &[]).await,
        }
    }

    /// With the index that somebody would build, or those that the advisor would, whichever helps more.
    async fn with_indexes(&self, evidence: &Evidence) -> Result<Pain, Reason> {
        let own = self.definition.database.iter().map(|database| database.index.clone()).collect();
        let advised = evidence.database.iter().flat_map(|database| database.indexes.iter().flatten());
        let advised: Vec<_> = advised.map(|missing| missing.ddl.clone()).collect();
        let mut least: Option<Pain> = None;
        for indexes in [own, advised].iter().filter(|indexes: &&Vec<_>| !indexes.is_empty()) {
            let pain = self.measured(self.parts(Some(Tool::Index)), indexes).await?;
            if least.as_ref().is_none_or(|least| pain.times < least.times) {
                least = Some(pain);
            }
        }
        least.ok_or_else(|| Reason::new("there is no index to build"))
    }

    /// What readers wait for, with what there is.
    async fn measured(&self, parts: Parts, indexes: &[String]) -> Result<Pain, Reason> {
        let copy = self.copy().await?;
        if let Some(copy) = copy.as_ref().filter(|_| !indexes.is_empty()) {
            copy.build(indexes).await?;
        }
        let standing = self.stand(&parts, copy.as_ref()).await?;
        let waited = drive(self.definition, standing.front, COUNTED_UNTIL, SEED).await?;
        Ok(self.pain(&waited, &standing))
    }

    async fn copy(&self) -> Result<Option<Copy<'_>>, Reason> {
        match self.store {
            Some(store) => Ok(Some(store.copy().await?)),
            None => Ok(None),
        }
    }

    /// With the queue, whose jobs run on the server's machine. Where they pile up they are no help.
    async fn with_queue(&self, url: &str) -> Result<Pain, Reason> {
        let db = Db::new(DbSettings::parse(url, &[])?);
        db::migrate(&db).await?;
        let queue = Queue::new(db, None);
        let parts = Parts { queue: Some(queue.clone()), ..self.parts(Some(Tool::Queue)) };
        let copy = self.copy().await?;
        let standing = self.stand(&parts, copy.as_ref()).await?;
        let (sender, shutdown) = Shutdown::manual();
        let settings = WorkerSettings {
            name: "scenario".to_owned(),
            concurrency: JOBS,
            metrics: WorkerMetrics::default(),
        };
        let handlers = Handlers::default().with(Later(Arc::clone(&parts.machine)));
        let (_, waited) = tokio::join!(queue::work(queue, handlers, Vec::new(), settings, shutdown), async {
            let waited = drive(self.definition, standing.front, COUNTED_UNTIL, SEED).await;
            let left = jobs_left(url).await;
            sender.send_replace(true);
            Ok::<_, Reason>((waited?, left?))
        });
        let (waited, left) = waited?;
        match left {
            0 => Ok(self.pain(&waited, &standing)),
            left => Ok(Pain { times: PILED_UP, what: format!("{left} jobs are left long after") }),
        }
    }

    /// Has the product stand, with at most one tool.
    async fn stand(&self, parts: &Parts, copy: Option<&Copy<'_>>) -> Result<Standing, Reason> {
        let Parts { tool, machine, queue, log } = parts;
        let connections = match (copy, &self.definition.database) {
            (Some(copy), Some(database)) => {
                let own = || Arc::new(Machine::new(database.cpus));
                let machine = if database.is_on_server { Arc::clone(machine) } else { own() };
                let (has_replica, keeps) = (*tool == Some(Tool::ReadReplica), *tool == Some(Tool::Pool));
                Some(Arc::new(copy.connections(&machine, has_replica, keeps).await?))
            }
            _ => None,
        };
        let sent = Arc::new(AtomicU64::new(0));
        let (sends, keeps) = match tool {
            Some(Tool::Cdn) => (Sends::EdgeAfar, Keeps::Files),
            Some(Tool::Cache) => (Sends::Edge, Keeps::Answers),
            Some(Tool::LoadBalancer) => (Sends::Edge, Keeps::None),
            _ => (Sends::Readers, Keeps::None),
        };
        let mut machines = vec![Arc::clone(machine)];
        machines.extend((*tool == Some(Tool::LoadBalancer)).then(|| self.parts(None).machine));
        let mut servers = Vec::new();
        for machine in machines {
            let product = Product {
                definition: Arc::clone(self.definition),
                machine,
                connections: connections.clone(),
                queue: queue.clone(),
                log: log.clone(),
                sends,
                keeps,
                sent: Arc::clone(&sent),
            };
            servers.push(Server::start(Arc::new(product)).await?);
        }
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        if sends == Sends::Readers {
            let front = Front::Server(addresses[0]);
            return Ok(Standing { front, sent, _servers: servers, _edge: None });
        }
        let storage = Storage::start(storage::Keeps::All, storage::Keeps::All).await?;
        let edge = tidewall::before(&self.place.worker, &addresses, "round-robin", storage).await?;
        let front = match sends {
            Sends::EdgeAfar => Front::EdgeNear(edge.address),
            _ => Front::Edge(edge.address),
        };
        Ok(Standing { front, sent, _servers: servers, _edge: Some(edge) })
    }

    fn pain(&self, waited: &[Waited], standing: &Standing) -> Pain {
        let mut of_routes = vec![Vec::new(); self.definition.routes.len()];
        for Waited { route, at, ms } in waited {
            if (WARM_UP..COUNTED_UNTIL).contains(at) {
                of_routes[*route].push(*ms);
            }
        }
        let sent = standing.sent.load(Ordering::Relaxed) as f64;
        outcome::pain(self.definition, &of_routes, sent / COUNTED_UNTIL.as_secs_f64())
    }
}

/// Jobs that are not done a while after the load has ended: those that it may take are, by then.
async fn jobs_left(url: &str) -> Result<i64, Reason> {
    let client = connect(&url.parse()?).await?;
    let counts = "SELECT count(*) FILTER (WHERE finished_at IS NULL), count(*) FILTER (WHERE state NOT IN ('completed', 'available', 'running')) FROM jobs";
    let begun = Instant::now();
    loop {
        let row = client.query_one(counts, &[]).await?;
        let (left, failed): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if failed > 0 {
            return Err(Reason::new(&format!("{failed} jobs failed")));
        }
        if left == 0 || begun.elapsed() > JOBS_MAX {
            return Ok(left);
        }
        tokio::time::sleep(JOBS_POLL).await;
    }
}

/// A product that stands. Gone when dropped.
struct Standing {
    front: Front,
    /// Bytes that its servers have sent.
    sent: Arc<AtomicU64>,
    _servers: Vec<Server>,
    _edge: Option<Workerd>,
}
