//! A product's database: a real one, on the servers that there are, whose statements run on the CPUs of
//! the product's database machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};

use super::definition::{Database, Route};
use super::machine::Machine;
use crate::database::{connect, drop_database};
use crate::error::Reason;

/// What is set up once.
const BASE: &str = "scenario_base";
/// A copy of it for each run: what one leaves behind meets no other.
const COPY: &str = "scenario";
/// Connections that are kept: as many as Tidewall's pool has.
const CONNECTIONS: usize = 20;
/// Time that a replica has to show what was set up.
const REPLAYED_MAX: Duration = Duration::from_secs(60);
/// How often that is looked at.
const REPLAYED_POLL: Duration = Duration::from_millis(20);
/// A statement runs on one CPU of its machine, and a commit is durable.
const OPTIONS: &str = "-c max_parallel_workers_per_gather=0 -c synchronous_commit=on";

/// What a product's database is copied from.
pub(super) struct Store {
    /// To a database that is neither.
    server: Client,
    primary: Config,
    replica: Config,
    database: Database,
}

impl Store {
    /// Makes it.
    pub(super) async fn create(primary: &str, replica: &str, database: &Database) -> Result<Self, Reason> {
        let (primary, replica): (Config, Config) = (primary.parse()?, replica.parse()?);
        let store = Self { server: connect(&primary).await?, primary, replica, database: database.clone() };
        drop_database(&store.server, BASE).await?;
        store.server.batch_execute(&format!("CREATE DATABASE {BASE}")).await?;
        let client = connect(&of(&store.primary, BASE)).await?;
        client.batch_execute(&setup(database)).await?;
        client.batch_execute("VACUUM (FREEZE, ANALYZE)").await?;
        Ok(store)
    }

    /// A fresh copy, on the replica as well.
    pub(super) async fn copy(&self) -> Result<Copy<'_>, Reason> {
        drop_database(&self.server, COPY).await?;
        self.server.batch_execute(&format!("CREATE DATABASE {COPY} TEMPLATE {BASE}")).await?;
        let copy = Copy {
            primary: of(&self.primary, COPY),
            replica: of(&self.replica, COPY),
            database: &self.database,
        };
        let replayed = tokio::time::timeout(REPLAYED_MAX, self.replayed(&copy.replica)).await;
        replayed.map_err(|_| Reason::new("the replica does not follow"))??;
        Ok(copy)
    }

    async fn replayed(&self, replica: &Config) -> Result<(), Reason> {
        let flushed = "SELECT pg_current_wal_flush_lsn()::text";
        let position: String = self.server.query_one(flushed, &[]).await?.try_get(0)?;
        loop {
            // The database may not be there yet.
            if let Ok(client) = connect(replica).await {
                let replayed = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
                if client.query_one(replayed, &[&position]).await?.try_get(0)? {
                    return Ok(());
                }
            }
            tokio::time::sleep(REPLAYED_POLL).await;
        }
    }

    /// Drops it, and its copy.
    pub(super) async fn remove(self) -> Result<(), Reason> {
        drop_database(&self.server, COPY).await?;
        drop_database(&self.server, BASE).await
    }
}

/// A database of a server.
fn of(server: &Config, name: &str) -> Config {
    let mut config = server.clone();
    config.dbname(name);
    config
}

/// Orders of users and shops, whose rows lie in the order of their ids.
fn setup(Database { rows, users, .. }: &Database) -> String {
    format!(
        "CREATE EXTENSION pg_stat_statements;
         CREATE TABLE orders AS
             SELECT id, 1 + id * 7919 % {users} AS user_id, 1 + id * 104729 % 50 AS shop_id,
                 (id * 31 % 9000)::integer AS total,
                 timestamptz '2026-01-01' + id * interval '1 minute' AS created_at, repeat('x', 40) AS note
             FROM generate_series(1::bigint, {rows}) id;
         ALTER TABLE orders ADD PRIMARY KEY (id)"
    )
}

/// A product's database.
pub(super) struct Copy<'a> {
    primary: Config,
    replica: Config,
    database: &'a Database,
}

impl Copy<'_> {
    /// To look at it.
    pub(super) fn primary(&self) -> Config {
        self.primary.clone()
    }

    /// Builds indexes.
    pub(super) async fn build(&self, indexes: &[String]) -> Result<(), Reason> {
        let client = connect(&self.primary).await?;
        for index in indexes {
            client.batch_execute(&index.replace(" CONCURRENTLY", "")).await?;
        }
        Ok(client.batch_execute("VACUUM (ANALYZE)").await?)
    }

    /// Connections to it: `keeps` them, or as the product does; to a replica as well, or not. The
    /// primary's machine may be the server's.
    pub(super) async fn connections(
        &self,
        machine: &Arc<Machine>,
        has_replica: bool,
        keeps: bool,
    ) -> Result<Connections, Reason> {
        let is_kept = keeps || !self.database.connects_each;
        let mut servers = vec![Server::new(&self.primary, Arc::clone(machine), is_kept)?];
        if has_replica {
            let machine = Arc::new(Machine::new(self.database.cpus));
            servers.push(Server::new(&self.replica, machine, is_kept)?);
        }
        let mut idle = Vec::new();
        for _ in 0..if keeps { 0 } else { self.database.idle } {
            idle.push(connect(&self.primary).await?);
        }
        let beside = match &self.database.beside {
            Some(sql) => {
                let (client, sql) = (connect(&self.primary).await?, sql.clone());
                let again = async move { while client.batch_execute(&sql).await.is_ok() {} };
                Some(Beside(tokio::spawn(again)))
            }
            None => None,
        };
        Ok(Connections { servers, turn: AtomicUsize::new(0), _idle: idle, _beside: beside })
    }
}

/// What somebody runs all the time. Ends when dropped; what the server does of it, with the database.
struct Beside(JoinHandle<()>);

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A product's connections.
pub(super) struct Connections {
    /// The primary first.
    servers: Vec<Server>,
    turn: AtomicUsize,
    _idle: Vec<Client>,
    _beside: Option<Beside>,
}

impl Connections {
    /// Asks all that a route asks.
    pub(super) async fn ask(&self, route: &Route, key: u32) -> Result<(), Reason> {
        if route.statements.is_empty() {
            return Ok(());
        }
        let is_read = route.statements.iter().all(|statement| !statement.is_write);
        let turn = if is_read { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        self.servers[turn % self.servers.len()].ask(route, key).await
    }
}

struct Server {
    config: Config,
    machine: Arc<Machine>,
    /// Connections that are kept.
    pool: Option<Pool>,
}

impl Server {
    fn new(config: &Config, machine: Arc<Machine>, is_kept: bool) -> Result<Self, Reason> {
        let mut config = config.clone();
        config.options(OPTIONS);
        let manager = || Manager::new(config.clone(), NoTls);
        let pool = is_kept.then(|| Pool::builder(manager()).max_size(CONNECTIONS).build()).transpose()?;
        Ok(Self { config, machine, pool })
    }

    async fn ask(&self, route: &Route, key: u32) -> Result<(), Reason> {
        match &self.pool {
            Some(pool) => self.ask_over(&*pool.get().await?, route, key).await,
            None => {
                let client = self.machine.run(connect(&self.config)).await?;
                self.ask_over(&client, route, key).await
            }
        }
    }

    async fn ask_over(&self, client: &Client, route: &Route, key: u32) -> Result<(), Reason> {
        let key = i64::from(key);
        for statement in &route.statements {
            for _ in 0..statement.times {
                let values: [(&(dyn ToSql + Sync), Type); 1] = [(&key, Type::INT8)];
                let asked = client.query_typed(&statement.sql, &values);
                match statement.waits {
                    true => asked.await?,
                    false => self.machine.run(asked).await?,
                };
            }
        }
        Ok(())
    }
}
