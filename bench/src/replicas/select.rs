//! Reads on the replicas: what the router costs over pools that are asked in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tidewall_origin::db::{Db, DbSettings};
use tokio_postgres::NoTls;

use crate::catalog::Setting;
use crate::contest::{Contest, Driven};
use crate::error::{BenchError, Reason};
use crate::load::{Client, Load};
use crate::peers;
use crate::pool::product;
use crate::report::{Better, Measurement};

const TIDEWALL: &str = "tidewall";
/// Connections to each replica: of two at most 47 are for reads, of which 64 tasks
/// need 32 each.
const CONNECTIONS: usize = 47;

pub(super) async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let deadpool = format!("{}, replicas in turn", peers::cargo("deadpool-postgres"));
    let mut contest = Contest::default();
    contest.enter(TIDEWALL, router(setting)).await?;
    contest.enter(&deadpool, in_turn(setting)).await?;
    let outcome = contest.run("reads on replicas", &setting.effort).await?;
    let ours = outcome.sample(TIDEWALL, Load::rate)?;
    let theirs = outcome.sample(&deadpool, Load::rate)?;
    let select = Measurement::new("replicas/select", "requests/s", Better::Higher, &ours);
    let mut results = vec![outcome.beside(select, &[TIDEWALL], Load::rate)];
    if let Some(ratio) = ours.over(&theirs) {
        let unit = "percent of deadpool's throughput";
        let percent = ratio.times(100.0);
        results.push(Measurement::new("replicas/overhead", unit, Better::Higher, &percent).limit(100.0));
    }
    Ok(results)
}

struct Router(Db);

async fn router(setting: &Setting) -> Result<Driven<Router>, Reason> {
    Ok(Driven::new(Router(Db::new(DbSettings::parse(&setting.primary, &setting.replicas)?))))
}

impl Client for Router {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let row = self.0.read(None).await?.query_opt(product::SELECT, &[&id]).await?;
        product::check(row, id)
    }
}

/// What one writes who knows nothing of positions.
struct InTurn {
    pools: Vec<Pool>,
    turn: AtomicUsize,
}

async fn in_turn(setting: &Setting) -> Result<Driven<InTurn>, Reason> {
    let mut pools = Vec::new();
    for replica in &setting.replicas {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(replica.parse()?, NoTls, recycling);
        pools.push(Pool::builder(manager).max_size(CONNECTIONS).build()?);
    }
    Ok(Driven::new(InTurn { pools, turn: AtomicUsize::new(0) }))
}

impl Client for InTurn {
    async fn request(&self, task: u32, turn: u32) -> Result<(), Reason> {
        let id = product::id(task, turn);
        let index = self.turn.fetch_add(1, Ordering::Relaxed) % self.pools.len();
        let client = self.pools[index].get().await?;
        let statement = client.prepare_cached(product::SELECT).await?;
        product::check(client.query_opt(&statement, &[&id]).await?, id)
    }
}
