//! The servers under test, the library on them, and what is done to them.

use std::future::Future;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use rustix::process::Signal;
use tidewall_origin::db::{Db, DbSettings, PoolSettings};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::support::poll;
use crate::support::processes::{self, Process};
use crate::support::tidewall::{Folder, Running};

/// A test's name, and what it asks of running servers.
pub(crate) type Test = (&'static str, fn(&World));

/// Longest wait for what must happen sooner or later, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Longest wait for a connection.
const PATIENT: Duration = Duration::from_secs(15);

/// A primary (0) and two replicas (1, 2), and one origin.
pub(crate) struct World {
    pub(crate) stack: Running,
    pub(crate) runtime: Runtime,
    folder: Folder,
}

impl World {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let stack =
            Running::dev(&folder.0, &["--no-edge", "--no-worker", "--origins", "1", "--seed", "1000"]);
        let world = Self { stack, runtime: Runtime::new().unwrap(), folder };
        world.run(async {
            let table = "CREATE TABLE facts (id bigint PRIMARY KEY, value bigint NOT NULL)";
            world.server(0).await.batch_execute(table).await.unwrap();
        });
        world
    }

    /// Removes what a test that failed has left to be delivered, so that the next one doesn't
    /// fail of it.
    pub(crate) fn clear(&self) {
        self.run(async {
            // Once it has stepped down it takes nothing, and has nothing.
            if let Ok(primary) = connect(&self.url(0)).await {
                let left = "DELETE FROM outbox; DELETE FROM jobs; DELETE FROM job_workers; DELETE FROM webhook_endpoints";
                let _ = primary.batch_execute(left).await;
            }
        });
    }

    pub(crate) fn run<T>(&self, test: impl Future<Output = T>) -> T {
        self.runtime.block_on(test)
    }

    pub(crate) fn url(&self, server: usize) -> String {
        match server {
            0 => self.stack.text("/primary"),
            replica => self.stack.text(&format!("/replicas/{}", replica - 1)),
        }
    }

    /// The data directory of the stack.
    pub(crate) fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// A connection of the test's own to a server.
    pub(crate) async fn server(&self, server: usize) -> Client {
        connect(&self.url(server)).await.unwrap()
    }

    /// The same, once the server takes connections.
    pub(crate) async fn server_soon(&self, server: usize) -> Client {
        let url = self.url(server);
        poll::until_async(SOON, || async { connect(&url).await.ok() }).await.expect("the server comes back")
    }

    /// The library on all servers. What it connects is known by the name `app`.
    pub(crate) fn db(&self, app: &str, mut pool: PoolSettings) -> Db {
        // A connection is had in the time of a busy machine, where a test says nothing of it.
        if pool.acquire_deadline == PoolSettings::default().acquire_deadline {
            pool.acquire_deadline = PATIENT;
        }
        let named = |server| format!("{}?application_name={app}", self.url(server));
        let settings = DbSettings::parse(&named(0), &[named(1), named(2)]).unwrap();
        Db::new(settings.with_pool(pool).unwrap())
    }

    /// The same, once it has seen all of them.
    pub(crate) async fn db_ready(&self, app: &str, pool: PoolSettings) -> Db {
        let db = self.db(app, pool);
        until_replicas_serve(&db, 2).await;
        let metrics = Metrics::of(&db);
        until("the primary is found", || async {
            metrics.get("tidewall_db_server_state{server=\"primary\",state=\"primary\"}") > 0.0
        })
        .await;
        db
    }

    /// Every process of a server.
    pub(crate) async fn processes(&self, server: usize) -> Vec<u32> {
        let client = self.server(server).await;
        let row = client.query_one("SELECT pg_read_file('postmaster.pid')", &[]).await.unwrap();
        let pid: u32 = row.get::<_, &str>(0).lines().next().unwrap().parse().unwrap();
        drop(client);
        let mut all: Vec<u32> =
            processes::descendants(pid).into_iter().map(|Process { pid, .. }| pid).collect();
        all.insert(0, pid);
        all
    }

    /// Kills a server as a crash of the machine would; the stack starts it again.
    pub(crate) async fn kill(&self, server: usize) {
        // Its parent alone: the others see that it is gone.
        processes::signal(self.processes(server).await[0], Signal::KILL);
    }
}

/// A connection, driven in the background until it is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Server processes that stand still until dropped.
pub(crate) struct Stopped(Vec<u32>);

impl Stopped {
    pub(crate) fn new(pids: Vec<u32>) -> Self {
        for pid in &pids {
            send(*pid, Signal::STOP);
        }
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            send(*pid, Signal::CONT);
        }
    }
}

/// To a process that may have ended meanwhile, as those of connections do.
fn send(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}

/// What the library measures.
pub(crate) struct Metrics {
    db: Db,
    registry: Registry,
}

impl Metrics {
    pub(crate) fn of(db: &Db) -> Self {
        let mut registry = Registry::default();
        db.register_metrics(&mut registry);
        Self { db: db.clone(), registry }
    }

    /// The value of a series, such as `tidewall_db_connects_total{server="primary",outcome="ok"}`.
    pub(crate) fn get(&self, series: &str) -> f64 {
        self.db.observe();
        let mut page = String::new();
        text::encode(&mut page, &self.registry).unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }

    /// The servers that take reads as replicas.
    pub(crate) fn serving(&self) -> Vec<String> {
        let serves = |name: &str| {
            self.get(&format!("tidewall_db_server_state{{server=\"{name}\",state=\"replica\"}}")) > 0.0
        };
        let names = ["primary", "replica1", "replica2"].into_iter();
        names.filter(|name| serves(name)).map(str::to_owned).collect()
    }
}

/// Waits until this many replicas take reads.
pub(crate) async fn until_replicas_serve(db: &Db, count: usize) {
    let metrics = Metrics::of(db);
    until("as many replicas serve", || async { metrics.serving().len() == count }).await;
}

/// Waits for what must happen sooner or later.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let found = poll::until_async(SOON, || {
        let is_so = is_so();
        async { is_so.await.then_some(()) }
    });
    found.await.unwrap_or_else(|| panic!("it never came about that {what}"));
}
