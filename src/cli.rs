//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tidewall_api::advice::Tool;
use tidewall_api::command::advise::{self, AdviseArgs};
use tidewall_api::command::index::IndexArgs;
use tidewall_api::command::jobs::JobsArgs;
use tidewall_api::command::webhooks::WebhooksArgs;

/// Seven scalability tools in one system, for a web product that begins on one server.
///
/// Without a command: `dev`.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) dev: DevArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the whole system on this machine: Postgres with replicas, origins, a worker, the edge.
    Dev(DevArgs),
    /// Start the edge alone, before any HTTP origin.
    Edge(EdgeArgs),
    /// Build what is deployed: the site (target/site) and the Worker (target/edge).
    Build(BuildArgs),
    /// Measure Tidewall beside its peers, on servers of its own.
    Bench(BenchArgs),
    /// Look at every page with axe and Lighthouse, as deployed, on a system of its own.
    ///
    /// Fails where something is not as it should be.
    Audit(AuditArgs),
    /// Make each part of a system fail under load, one after the other, and say what that cost.
    ///
    /// On a system of its own, on this machine. Fails where a fault cost more than it may.
    Chaos(ChaosArgs),
    /// Restart the origins of a running `tidewall dev` one by one, as a deployment does.
    RollingRestart(RollingRestartArgs),
    /// Look at background jobs, retry and cancel them.
    Jobs(AdministerArgs<JobsArgs>),
    /// Have programs of others be told what happens, by signed messages.
    Webhooks(AdministerArgs<WebhooksArgs>),
    /// Say which indexes a database lacks, prove it, and build them; and which it has in vain.
    Index(IndexCommand),
    /// Say which of the seven tools a product needs now and which not yet, by what is measured of it.
    ///
    /// Looks at a database, an access log, or both; without either at the `tidewall dev` that runs.
    Advise(AdviseCommand),
    /// Say what a month costs, with some of the seven tools and without.
    Cost(CostArgs),
    /// Deploy the edge to Cloudflare: show what is made and what it costs, ask, and roll out step by step.
    ///
    /// PURGE_TOKEN and STICKY_SECRET of the environment become the Worker's; CLOUDFLARE_API_TOKEN and
    /// CLOUDFLARE_ACCOUNT_ID say whose it is.
    Deploy(DeployArgs),
    /// Write what a server needs to run one of the four stages: start with one server and one database, and
    /// add a tool at a time.
    ///
    /// `tidewall dev --stage N` runs the same on this machine.
    Stage(StageArgs),
    /// Say what an edge's cache would do with a GET of a URL, why, and what to change.
    Explain(ExplainArgs),
    /// Check whether what runs keeps a promise.
    #[command(subcommand)]
    Check(CheckCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Replay a session with the origins shuffled, and name what depends on the origin.
    Stateless(CheckStatelessArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Run what one of the four stages has, and nothing more (`tidewall stage` says what that is).
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=4),
        conflicts_with_all = ["origins", "replicas", "no_edge", "no_worker"],
    )]
    pub(crate) stage: Option<u8>,
    /// Port of the edge; 0 is any free port.
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    pub(crate) edge_port: u16,
    /// Port of the first origin, the others follow; 0 is any free ports.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub(crate) origin_port: u16,
    /// How many origins to start.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=26))]
    pub(crate) origins: u16,
    /// Port of the Postgres primary, the replicas follow; 0 is any free ports.
    #[arg(long, value_name = "PORT", default_value_t = 5433)]
    pub(crate) pg_port: u16,
    /// How many streaming replicas to start.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=8))]
    pub(crate) replicas: u16,
    /// A commit waits until one replica has it, too: no acknowledged write is lost with the primary.
    #[arg(long)]
    pub(crate) synchronous: bool,
    /// Write a JSON description of the running system here, once everything answers.
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Where the database, the edge's state and the logs are kept [default: target/tidewall].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Number of orders that the demo data has [default: 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=20_000_000))]
    pub(crate) seed: Option<u32>,
    /// Don't open the browser.
    #[arg(long)]
    pub(crate) no_open: bool,
    /// Origins only, without the edge.
    #[arg(long)]
    pub(crate) no_edge: bool,
    /// Without the worker that runs background jobs.
    #[arg(long)]
    pub(crate) no_worker: bool,
    /// Rebuild what a changed source file belongs to [default: on a terminal].
    #[arg(long, overrides_with = "no_watch")]
    pub(crate) watch: bool,
    /// Don't watch the sources.
    #[arg(long, overrides_with = "watch")]
    pub(crate) no_watch: bool,
    /// Watch the sources in this folder, laid out as the checkout's (for tests: a change of the
    /// checkout's own would disturb whoever works there).
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) watch_folder: Option<PathBuf>,
    /// Use this Postgres (15 or later) instead of starting one.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Its replicas, comma separated.
    #[arg(long, env = "REPLICA_URLS", hide_env_values = true, value_name = "URLS", value_delimiter = ',')]
    pub(crate) replica_urls: Vec<String>,
}

impl DevArgs {
    /// A system of a command's own, in the folder `data` and on free ports: two origins, so many
    /// replicas, so many orders.
    pub(crate) fn of_its_own(data: PathBuf, replicas: u16, orders: u32) -> Self {
        Self {
            stage: None,
            edge_port: 0,
            origin_port: 0,
            origins: 2,
            pg_port: 0,
            replicas,
            synchronous: false,
            ready_file: None,
            data: Some(data),
            seed: Some(orders),
            no_open: true,
            no_edge: false,
            no_worker: false,
            watch: false,
            no_watch: true,
            watch_folder: None,
            database_url: None,
            replica_urls: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct EdgeArgs {
    /// An origin's base URL, such as http://127.0.0.1:3000; repeat it for more.
    #[arg(long = "origin", value_name = "URL", required = true)]
    pub(crate) origins: Vec<String>,
    /// Port of the edge; 0 is any free port.
    #[arg(long, value_name = "PORT", default_value_t = 8787)]
    pub(crate) edge_port: u16,
    /// Address that the edge listens at; 0.0.0.0 is every one of this machine.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) edge_host: IpAddr,
    /// Directory for what it stores, until the machine starts anew, and for its secrets [default: they end
    /// with it]. PURGE_TOKEN and STICKY_SECRET of the environment go before those.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Request field in which a proxy before the edge tells the client's address, if there is one.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) client_address_field: String,
    /// Build the Worker as it is deployed, smaller and faster, which takes minutes the first time.
    #[arg(long)]
    pub(crate) release: bool,
    /// Write a JSON description of the running edge here, once it answers.
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeployArgs {
    /// Go on without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show the plan, and make nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Give all requests to the version that had them before, and build nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "at_once"])]
    pub(crate) rollback: bool,
    /// Give all requests to the new version in one step, as a new class of Durable Objects needs.
    #[arg(long)]
    pub(crate) at_once: bool,
    /// Per cent of the requests that the new version gets, step by step; all of them in the end.
    #[arg(
        long,
        value_name = "PERCENT",
        value_delimiter = ',',
        default_values_t = [10, 50],
        value_parser = clap::value_parser!(u8).range(1..=100),
    )]
    pub(crate) steps: Vec<u8>,
    /// Seconds that each step is looked at.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) pause: u64,
    /// A page of the deployed edge, which is asked in each step; a new version that fails there goes back.
    /// Without it nobody looks.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The primary, whose schema is brought up to date first.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// How the edge is deployed, where it isn't the checkout's wrangler.toml: for another name, other origins.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What the version is for, in a line.
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Users a month, by whom the costs are reckoned.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) users: u64,
    /// Deploy what is quick to build (for tests).
    #[arg(long, hide = true)]
    pub(crate) dev: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StageArgs {
    /// Which: 1, below 1,000 users; 2, to 10,000; 3, to 50,000; 4, beyond.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) stage: u8,
    /// The folder to write to; one that an earlier stage was written to grows, and what you have set in its
    /// tidewall.env stays [default: stage].
    #[arg(long, value_name = "DIR", default_value = "stage", hide_default_value = true)]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct BuildArgs {
    /// Quick to build instead of small: what `tidewall dev` serves, in target/dev.
    #[arg(long)]
    pub(crate) dev: bool,
    /// The edge alone, before any HTTP origin, as one program that needs nothing else
    /// (target/edge-program/tidewall-edge).
    ///
    /// It takes ORIGINS, BALANCE, CLIENT_ADDRESS_FIELD, PURGE_TOKEN and STICKY_SECRET from its environment,
    /// in the form of wrangler.toml, as JSON. Run it with `--experimental`, `--socket-addr http=ADDRESS`
    /// and `--directory-path state=DIR`.
    #[arg(long)]
    pub(crate) edge_program: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure (balance, cdn, edge, index, pool, queue, replicas, scale) [default: everything].
    #[arg(value_name = "WHAT")]
    pub(crate) what: Vec<String>,
    /// Measure for a shorter time: enough to see that it runs, too short to quote.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Pairs of a write and a read under faults, of `replicas` [default: 100000; 5000 if quick].
    #[arg(long, value_name = "N")]
    pub(crate) pairs: Option<u32>,
    /// Jobs of the backlog of `queue` [default: 100000; 20000 if quick].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: Option<u32>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// A page's path, such as /lab; repeat it for more [default: every page].
    #[arg(long = "page", value_name = "PATH")]
    pub(crate) pages: Vec<String>,
    /// How often Lighthouse looks at each page, of which the look in the middle counts; 0: axe alone.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub(crate) runs: u8,
    /// Where screenshots and reports are left, and the system is meanwhile [default: target/audit].
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write the figures into README.md, in the place of those that it has.
    #[arg(long)]
    pub(crate) readme: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Faults, such as origin-a/kill, or parts, such as primary [default: every fault].
    #[arg(value_name = "FAULT")]
    pub(crate) what: Vec<String>,
    /// Let each fault last for a shorter time.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Instead of faults, load for so many minutes: whether a part takes more and more memory.
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["what", "quick"], value_parser = clap::value_parser!(u16).range(3..=600))]
    pub(crate) soak: Option<u16>,
    /// Where the system is meanwhile [default: target/chaos].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RollingRestartArgs {
    /// Its data directory [default: target/tidewall].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// A command over a database.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdministerArgs<T: Args> {
    /// The data directory of a running `tidewall dev` [default: target/tidewall].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Another database; for jobs and webhooks one that has Tidewall's schema.
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// What the origin's program is asked.
    #[command(flatten)]
    pub(crate) asked: T,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct IndexCommand {
    /// Which database, and what is asked.
    #[command(flatten)]
    pub(crate) database: AdministerArgs<IndexArgs>,
    /// A streaming replica of the database that is named: an index may be used there alone; may be
    /// given several times, or separated by commas.
    #[arg(long, value_name = "URL", env = "REPLICA_URLS", hide_env_values = true, value_delimiter = ',')]
    pub(crate) replica_url: Vec<String>,
}

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AdviseCommand {
    /// Something else than to look.
    #[command(subcommand)]
    pub(crate) other: Option<AdviseOther>,
    /// Which database, and what is asked.
    #[command(flatten)]
    pub(crate) database: AdministerArgs<AdviseArgs>,
    /// A streaming replica of the database that is named; may be given several times, or separated
    /// by commas.
    #[arg(long, value_name = "URL", env = "REPLICA_URLS", hide_env_values = true, value_delimiter = ',')]
    pub(crate) replica_url: Vec<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AdviseOther {
    /// Run products under load, add each tool to them, and keep what came of it, to judge the advisor by.
    ///
    /// Takes half a minute for each, on servers of its own. What is recorded lies in bench/scenarios/recorded.
    Record {
        /// Files of bench/scenarios, or `all`.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// A product, and how it is used. What isn't said is a shop's.
#[derive(Clone, Debug, Args)]
pub(crate) struct CostArgs {
    /// Users of a month.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) users: u64,
    /// Tools that are in use (cdn, cache, load_balancer, index, read_replica, pool, queue), separated by
    /// commas [default: those of the article's stage of so many users].
    #[arg(long, value_name = "TOOLS", value_delimiter = ',', value_parser = advise::tool)]
    pub(crate) tools: Option<Vec<Tool>>,
    /// How it is used, as JSON: what `--json` prints as `usage`, or a part of it.
    #[arg(long, value_name = "FILE")]
    pub(crate) usage: Option<PathBuf>,
    /// Prices instead of those that `--prices-json` prints.
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Print the table of prices, to change it.
    #[arg(long)]
    pub(crate) prices_json: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A URL of the edge, such as http://127.0.0.1:8787/api/products; with --ready-file also a path.
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// The edge's purge token [default: that of --ready-file, or of `tidewall dev` on this machine].
    #[arg(long, env = "TIDEWALL_PURGE_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// The ready file of a running `tidewall dev` or `tidewall edge`: it names the edge and its token.
    #[arg(long, value_name = "PATH")]
    pub(crate) ready_file: Option<PathBuf>,
    /// A field of the request that is assumed, such as 'Accept-Language: de'; repeat it for more.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Don't ask an origin what it answers now.
    #[arg(long)]
    pub(crate) no_origin: bool,
    /// Print one JSON object instead of a report.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckStatelessArgs {
    /// An origin's base URL, such as http://127.0.0.1:3000; two or more [default: those of `tidewall dev`].
    #[arg(long = "origin", value_name = "URL")]
    pub(crate) origins: Vec<String>,
    /// The ready file of a running `tidewall dev`, which names its origins.
    #[arg(long, value_name = "PATH", conflicts_with = "origins")]
    pub(crate) ready_file: Option<PathBuf>,
    /// A session as a JSON array of steps [default: the demo shop's].
    #[arg(long, value_name = "PATH")]
    pub(crate) session: Option<PathBuf>,
    /// Print one JSON object instead of a report.
    #[arg(long)]
    pub(crate) json: bool,
}
