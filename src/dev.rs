//! `tidewall dev`: the whole system on this machine.

mod browser;
mod watch;

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::build::{self, Part};
use crate::cli::DevArgs;
use crate::data::{self, DataDir};
use crate::detour::Detour;
use crate::edge::place;
use crate::failure::Failure;
use crate::interpose::Interposer;
use crate::leftovers::Records;
use crate::origins::{self, Origins};
use crate::ports::Ports;
use crate::postgres::{Embedded, Servers};
use crate::progress::Progress;
use crate::ready::{self, ReadyFile};
use crate::service::{Service, Supervisor};
use crate::signals::told_to_stop;
use crate::stage::Layout;
use crate::workerd::Workerd;
use crate::workspace::{Flavor, Workspace};
use crate::wrangler::{self, Config, Origin, Wrangler, origin_id};
use crate::{cargo, loopback, npm, rolling};

/// Time that the first page and the first answer through the edge may take.
const FIRST_ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// How often they are asked for.
const FIRST_ANSWER_POLL: Duration = Duration::from_millis(100);
/// Orders of the demo, where nobody says how many.
const ORDERS: u32 = 100_000;

/// Brings the system up and keeps it up until it is told to stop.
///
/// # Errors
/// What keeps it from starting. Everything that was started has then been stopped.
pub(crate) async fn run(args: DevArgs, progress: &Progress) -> Result<(), Failure> {
    let plan = Plan::make(args, Flavor::Dev, progress).await?;
    let stopped = || {
        progress.step("stopping");
        Ok(())
    };
    let work = async |stack: &Stack, supervisor: &Supervisor| plan.keep_up(stack, supervisor, progress).await;
    plan.during(work, stopped, progress).await
}

/// Brings the system up in this flavor, works with it, and takes it down.
///
/// # Errors
/// What keeps it from starting, what is wrong with the work, and the wish to stop.
pub(crate) async fn with_stack<T>(
    args: DevArgs,
    flavor: Flavor,
    progress: &Progress,
    work: impl AsyncFnOnce(ready::Stack) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let plan = Plan::make(args, flavor, progress).await?;
    plan.during_work(async |running, _: &Supervisor| work(running).await, progress).await
}

/// As [`with_stack`], as it is run to develop, with ways between edge, origins and servers that can be
/// made slow, and cut, and with clocks and disks that can be made to fail.
///
/// # Errors
/// As of [`with_stack`].
pub(crate) async fn with_faults<T>(
    args: DevArgs,
    progress: &Progress,
    work: impl AsyncFnOnce(ready::Stack, &Detours, &Supervisor) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut plan = Plan::make(args, Flavor::Dev, progress).await?;
    let detours = Arc::new(Detours::open(&plan.origin_ports, &plan.postgres_ports).await?);
    plan.reached = detours.to_origins(&plan.origins)?;
    plan.detours = Some(Arc::clone(&detours));
    let work = async |running, supervisor: &Supervisor| work(running, &detours, supervisor).await;
    plan.during_work(work, progress).await
}

/// Ways to the origins and to the servers.
pub(crate) struct Detours {
    /// From the edge.
    pub(crate) origins: Vec<Detour>,
    /// From origins and worker: to the primary, then to the replicas.
    pub(crate) servers: Vec<Detour>,
}

impl Detours {
    async fn open(origins: &[u16], servers: &[u16]) -> Result<Self, Failure> {
        let mut detours = Self { origins: Vec::new(), servers: Vec::new() };
        for (ports, ways) in [(origins, &mut detours.origins), (servers, &mut detours.servers)] {
            for port in ports {
                ways.push(Detour::open(*port).await?);
            }
        }
        Ok(detours)
    }

    /// The origins, as the edge is told of them.
    fn to_origins(&self, origins: &[Origin]) -> Result<Vec<Origin>, Failure> {
        let by = |(origin, way): (&Origin, &Detour)| Ok(Origin::new(origin.id.clone(), way.by(&origin.url)?));
        origins.iter().zip(&self.origins).map(by).collect()
    }

    /// The servers, as the origins are told of them.
    fn to_servers(&self, servers: &Servers) -> Result<Servers, Failure> {
        let all = std::iter::once(&servers.primary).chain(&servers.replicas);
        let mut all = all.zip(&self.servers).map(|(url, way)| way.by(url)).collect::<Result<Vec<_>, _>>()?;
        let primary = all.remove(0);
        Ok(Servers { primary, replicas: all, ..servers.clone() })
    }
}

/// What is to run where: decided, and found to be possible, before anything starts.
struct Plan {
    args: DevArgs,
    flavor: Flavor,
    workspace: Workspace,
    config: Config,
    data: DataDir,
    records: Records,
    ready_files: [ReadyFile; 2],
    /// Servers that run already, where the person named some.
    foreign: Option<Servers>,
    origins: Vec<Origin>,
    /// The same as the edge reaches them.
    reached: Vec<Origin>,
    origin_ports: Vec<u16>,
    postgres_ports: Vec<u16>,
    edge_port: u16,
    inspector_port: u16,
    purge_token: String,
    staff: origins::Staff,
    sticky_secret: String,
    /// Where parts are to fail: then there is something between services and the C library as well.
    detours: Option<Arc<Detours>>,
}

/// Whose servers are used.
enum Postgres {
    /// They run already and are not ours.
    Foreign(Servers),
    /// They are to be started.
    Embedded(Embedded),
}

/// What runs.
struct Stack {
    servers: Servers,
    origins: Vec<Arc<Service>>,
    workers: Vec<Arc<Service>>,
}

impl Plan {
    async fn make(args: DevArgs, flavor: Flavor, progress: &Progress) -> Result<Self, Failure> {
        let args = checked(args)?;
        let workspace = Workspace::find()?;
        let config = Config::read(&workspace)?;
        let data = DataDir::open(&args.data.clone().unwrap_or_else(|| workspace.join(data::FOLDER)))?;
        // One for whoever wants it, and one for other commands.
        let ready_files = [args.ready_file.clone(), Some(data.join(ready::FILE))];
        let [theirs, ours] = ready_files.map(ReadyFile::new);
        let ready_files = [theirs?, ours?];
        let records = Records::new(data.join("run"));
        workspace.children().end_leftovers(progress).await?;
        records.end_leftovers(progress).await?;
        let mut ports = Ports::new(data::random_u32()?);
        let origin_ports = ports.take(args.origin_port, args.origins, "--origin-port")?;
        let postgres_ports = match args.database_url {
            Some(_) => Vec::new(),
            None => ports.take(args.pg_port, args.replicas + 1, "--pg-port")?,
        };
        let (edge_port, inspector_port) = if args.no_edge {
            (0, 0)
        } else {
            (ports.take(args.edge_port, 1, "--edge-port")?[0], ports.take(0, 1, "--edge-port")?[0])
        };
        let origins = origin_ports
            .iter()
            .enumerate()
            .map(|(index, port)| Origin::new(origin_id(index), format!("http://127.0.0.1:{port}")))
            .collect::<Vec<_>>();
        let foreign = match &args.database_url {
            Some(url) => Some(Servers::foreign(url.clone(), args.replica_urls.clone()).await?),
            None => None,
        };
        let purge_token = data.secret(data::PURGE_TOKEN)?;
        let staff = origins::Staff::of(&data)?;
        let sticky_secret = data.secret(data::STICKY_SECRET)?;
        Ok(Self {
            args,
            flavor,
            workspace,
            config,
            data,
            records,
            ready_files,
            foreign,
            reached: origins.clone(),
            origins,
            origin_ports,
            postgres_ports,
            edge_port,
            inspector_port,
            purge_token,
            staff,
            sticky_secret,
            detours: None,
        })
    }

    /// Brings the system up, works with it until it is told to stop, and takes it down.
    async fn during<T>(
        &self,
        work: impl AsyncFnOnce(&Stack, &Supervisor) -> Result<T, Failure>,
        stopped: impl FnOnce() -> Result<T, Failure>,
        progress: &Progress,
    ) -> Result<T, Failure> {
        let mut supervisor = Supervisor::new(self.records.clone(), *progress);
        if self.detours.is_some() {
            supervisor = supervisor.with_interposer(Interposer::make()?);
        }
        let outcome = tokio::select! {
            outcome = async {
                let stack = self.bring_up(&supervisor, progress).await?;
                work(&stack, &supervisor).await
            } => outcome,
            () = told_to_stop() => stopped(),
        };
        supervisor.stop().await;
        outcome
    }

    /// As [`Self::during`], for work that ends by itself and is to be done.
    async fn during_work<T>(
        &self,
        work: impl AsyncFnOnce(ready::Stack, &Supervisor) -> Result<T, Failure>,
        progress: &Progress,
    ) -> Result<T, Failure> {
        let work = async |stack: &Stack, supervisor: &Supervisor| {
            // By it the origins find the system that they are of.
            self.write_ready_file(stack)?;
            work(self.describe(stack), supervisor).await
        };
        self.during(work, || Err(Failure::new("stopped before it was done")), progress).await
    }

    /// Where the edge answers, if there is one.
    fn edge_url(&self) -> Option<String> {
        (!self.args.no_edge).then(|| wrangler::url(self.edge_port))
    }

    /// Where people reach the shop: through the edge, if there is one.
    fn shop_url(&self) -> String {
        self.edge_url().or_else(|| Some(self.origins.first()?.url.clone())).unwrap_or_default()
    }

    /// The folder whose sources are watched.
    fn sources(&self) -> &Path {
        self.args.watch_folder.as_deref().unwrap_or_else(|| self.workspace.root())
    }

    fn watches(&self) -> bool {
        self.args.watch || (!self.args.no_watch && std::io::stdout().is_terminal())
    }

    /// Where the edge keeps what it stores, as it is run now and as it isn't. What another database has
    /// answered must not be met here.
    fn edge_states(&self, servers: &Servers) -> Result<[PathBuf; 2], Failure> {
        let folder = self.data.folder("edge")?;
        let [wrangler, workerd] =
            ["wrangler", "workerd"].map(|of| folder.join(format!("{of}-{}", servers.identity)));
        Ok(if self.watches() { [wrangler, workerd] } else { [workerd, wrangler] })
    }

    /// Removes what an edge has stored that hears of no write now: of the other way to run it, and of both
    /// where there is none.
    fn forget_stored(&self, servers: &Servers) -> Result<(), Failure> {
        let [ours, other] = self.edge_states(servers)?;
        place::remove(&other)?;
        if self.args.no_edge {
            place::remove(&ours)?;
        }
        Ok(())
    }

    /// Starts the edge: while sources are watched under wrangler, whose pages load themselves again when
    /// something is built; else in plain workerd, as it is hosted.
    async fn start_edge(
        &self,
        servers: &Servers,
        url: &str,
        supervisor: &Supervisor,
    ) -> Result<Arc<Service>, Failure> {
        let (folder, logs) = (self.data.folder("edge")?, self.data.folder("logs")?);
        let [state, _] = self.edge_states(servers)?;
        if self.watches() {
            let edge = Wrangler {
                workspace: &self.workspace,
                config: &self.config,
                origins: &self.reached,
                flavor: self.flavor,
                port: self.edge_port,
                inspector_port: self.inspector_port,
                purge_token: &self.purge_token,
                sticky_secret: &self.sticky_secret,
                folder,
                state,
                logs,
            };
            return edge.start(url, supervisor).await;
        }
        let edge = Workerd {
            workspace: &self.workspace,
            config: &self.config,
            origins: &self.reached,
            // Nobody stands before a local edge who could tell it.
            client_address_field: "",
            worker: self.workspace.worker(self.flavor),
            site: Some(self.workspace.site(self.flavor)),
            host: Ipv4Addr::LOCALHOST.into(),
            port: self.edge_port,
            purge_token: &self.purge_token,
            sticky_secret: &self.sticky_secret,
            folder,
            state,
            logs,
        };
        edge.start(supervisor).await
    }

    async fn bring_up(&self, supervisor: &Supervisor, progress: &Progress) -> Result<Stack, Failure> {
        cargo::ensure_wasm_target(&self.workspace).await?;
        npm::ensure(&self.workspace, progress).await?;
        let postgres = match &self.foreign {
            Some(servers) => Postgres::Foreign(servers.clone()),
            None => Postgres::Embedded(Embedded::prepare(
                &self.workspace,
                &self.data,
                self.postgres_ports.clone(),
                self.args.synchronous,
            )?),
        };
        // The database starts while the origin is built, and is filled while the site is.
        progress.step("starting Postgres, building the origin");
        // Where one half fails, the other is given up.
        let (servers, program) = tokio::try_join!(
            async {
                match postgres {
                    Postgres::Foreign(servers) => Ok(servers),
                    Postgres::Embedded(embedded) => embedded.start(supervisor, progress).await,
                }
            },
            cargo::build(&self.workspace, cargo::Artifact::Binary("tidewall-origin"))
        )?;
        progress.step(format!("Postgres is ready: a primary and {} replicas", servers.replicas.len()));
        let edge = self.edge_url().map(|url| origins::Edge { url, purge_token: &self.purge_token });
        let reached = match &self.detours {
            Some(detours) => detours.to_servers(&servers)?,
            None => servers.clone(),
        };
        let origins = Origins {
            program,
            data: &self.data,
            servers: &reached,
            edge,
            public_url: self.shop_url(),
            jobs: self.args.stage.map_or(0, |stage| Layout::of(stage).jobs()),
            has_lab: true,
        };
        let site = self.workspace.site(self.flavor);
        let parts: &[Part] = if self.args.no_edge { &[Part::Site] } else { &[Part::Site, Part::Worker] };
        tokio::try_join!(
            async {
                origins.migrate(supervisor).await?;
                origins.seed(supervisor, self.args.seed.unwrap_or(ORDERS), Some(&self.staff)).await?;
                progress.step(self.filling(&origins).await?);
                Ok(())
            },
            build::build(&self.workspace, self.flavor, parts, progress)
        )?;

        let mut services = Vec::new();
        for (origin, port) in self.origins.iter().zip(&self.origin_ports) {
            services.push(origins.serve(supervisor, &origin.id, *port, &site)?);
        }
        let workers = if self.args.no_worker { Vec::new() } else { vec![origins.work(supervisor)?] };
        for (service, origin) in services.iter().zip(&self.origins) {
            origins::wait_for_origin(service, &origin.url).await?;
        }
        for worker in &workers {
            origins::wait_for_worker(worker).await?;
        }
        progress.step(format!("{} origins are ready", services.len()));
        self.forget_stored(&servers)?;
        if let Some(url) = self.edge_url() {
            let service = self.start_edge(&servers, &url, supervisor).await?;
            let client = loopback::client()?;
            service.ready(FIRST_ANSWER_DEADLINE, wait_for_first_answers(&client, &url)).await?;
            progress.step("the edge is ready");
        }
        Ok(Stack { servers, origins: services, workers })
    }

    /// What came of filling the database. Rows that were there stay, however many are wanted.
    async fn filling(&self, origins: &Origins<'_>) -> Result<String, Failure> {
        let filled = "the database is filled".to_owned();
        let Some(wanted) = self.args.seed else { return Ok(filled) };
        let orders = origins.orders().await?;
        if orders == i64::from(wanted) {
            return Ok(filled);
        }
        Ok(format!(
            "the database keeps the {orders} orders that it has: --seed {wanted} fills an empty one only"
        ))
    }

    /// Tells what runs, keeps the ready file true, and rebuilds what changes.
    async fn keep_up(
        &self,
        stack: &Stack,
        supervisor: &Supervisor,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut changes = supervisor.changes();
        // Whoever reads that all is ready may go on to change a source.
        let mut watcher = if self.watches() { Some(watch::Watcher::start(self.sources())?) } else { None };
        let mut wishes = rolling::Wishes::listen()?;
        self.write_ready_file(stack)?;
        self.print_table(stack, progress);
        if !self.args.no_open {
            browser::open(&self.shop_url());
        }
        loop {
            let changed_part = async {
                match &mut watcher {
                    Some(watcher) => watcher.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => self.write_ready_file(stack)?,
                () = wishes.next() => {
                    progress.step("restarting the origins one by one");
                    rolling::restart(&stack.origins, &self.origins, progress).await;
                }
                part = changed_part => watch::rebuild(part, &self.workspace, stack.origins.iter().chain(&stack.workers), progress).await,
            }
        }
    }

    fn write_ready_file(&self, stack: &Stack) -> Result<(), Failure> {
        let running = stack.origins.iter().chain(&stack.workers).all(|service| service.pid().is_some());
        if !running {
            // It is written again once what died is back.
            return Ok(());
        }
        let running = self.describe(stack);
        self.ready_files.iter().try_for_each(|file| file.write(&running))
    }

    /// What runs where.
    fn describe(&self, stack: &Stack) -> ready::Stack {
        ready::Stack {
            edge: self.edge_url(),
            origins: (self.origins.iter().zip(&stack.origins))
                .map(|(origin, service)| ready::Origin {
                    id: origin.id.clone(),
                    url: origin.url.clone(),
                    pid: service.pid(),
                })
                .collect(),
            workers: stack.workers.iter().map(|worker| ready::Worker { pid: worker.pid() }).collect(),
            primary: stack.servers.primary.clone(),
            replicas: stack.servers.replicas.clone(),
            purge_token: self.purge_token.clone(),
            staff: self.staff.clone(),
            pid: std::process::id(),
        }
    }

    fn print_table(&self, stack: &Stack, progress: &Progress) {
        let mut rows = Vec::new();
        rows.push(("shop".to_owned(), format!("{}/", self.shop_url())));
        rows.extend(self.origins.iter().map(|origin| (format!("origin {}", origin.id), origin.url.clone())));
        if self.args.database_url.is_none() {
            rows.push(("primary".into(), stack.servers.primary.clone()));
            for (index, replica) in stack.servers.replicas.iter().enumerate() {
                rows.push((format!("replica {}", index + 1), replica.clone()));
            }
        }
        rows.push((
            "staff login".into(),
            format!(
                "{}, with the password in {}",
                self.staff.email,
                data::secret_path(&self.data.join(""), data::STAFF_PASSWORD).display()
            ),
        ));
        rows.push(("logs".into(), self.data.join("logs").display().to_string()));
        rows.push(("deploy with".into(), "tidewall rolling-restart, or r and Enter".into()));
        rows.push(("stop with".into(), "Ctrl-C".into()));
        progress.table(&rows);
    }
}

/// The arguments, where they make sense together. A variable that is set to nothing is not set.
fn checked(mut args: DevArgs) -> Result<DevArgs, Failure> {
    args.database_url = args.database_url.filter(|url| !url.trim().is_empty());
    args.replica_urls.retain(|url| !url.trim().is_empty());
    if let Some(stage) = args.stage {
        let Layout { has_edge, origins, has_worker, replicas } = Layout::of(stage);
        (args.no_edge, args.no_worker) = (!has_edge, !has_worker);
        (args.origins, args.replicas) = (origins, replicas);
        if replicas == 0 {
            args.replica_urls.clear();
        }
    }
    let refused = match (&args.database_url, args.synchronous) {
        (None, _) if !args.replica_urls.is_empty() => {
            "REPLICA_URLS names replicas of DATABASE_URL, which is not set; set that too, or unset both"
        }
        (Some(_), true) => {
            "--synchronous is for the Postgres that tidewall starts; for the one of DATABASE_URL set its synchronous_standby_names"
        }
        (None, true) if args.replicas == 0 => {
            "--synchronous needs a replica to wait for; pass --replicas 1 or more"
        }
        _ => return Ok(args),
    };
    Err(Failure::new(refused))
}

/// Until a page comes from the site and an answer from an origin.
async fn wait_for_first_answers(client: &reqwest::Client, edge: &str) {
    for path in ["/", "/api/products?per_page=1"] {
        let url = format!("{edge}{path}");
        while !client.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
            tokio::time::sleep(FIRST_ANSWER_POLL).await;
        }
    }
}
