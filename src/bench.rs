//! `tidewall bench`: measures Tidewall beside its peers, on servers of its own.
//!
//! What is measured, and how, is in the package `tidewall-bench`; this brings up
//! what it is measured on, a primary with two replicas, and Worker and site as
//! they are deployed, as far as it is needed, and runs that program. `tidewall advise record`
//! runs it as well, for the scenarios by which the advisor is judged.

mod program;

use std::sync::OnceLock;

use crate::build::{self, Part};
use crate::cli::BenchArgs;
use crate::data::{self, DataDir};
use crate::failure::Failure;
use crate::leftovers::Records;
use crate::origins::Origins;
use crate::ports::Ports;
use crate::postgres::{Embedded, Servers};
use crate::progress::Progress;
use crate::service::Supervisor;
use crate::signals::told_to_stop;
use crate::workspace::{Flavor, Workspace};
use crate::{cargo, npm};

/// What can be measured: the names in `tidewall_bench::catalog`, and on what.
const KNOWN: &[(&str, On)] = &[
    ("balance", On::Worker),
    ("cdn", On::Site),
    ("edge", On::Worker),
    ("index", On::Database),
    ("pool", On::Database),
    ("queue", On::Database),
    ("replicas", On::Database),
    ("scale", On::Database),
];
/// A primary and two replicas.
const SERVERS: u16 = 3;
/// Orders that the measured database has.
const ORDERS: u32 = 20_000;
/// Where the servers and logs of a run are.
const FOLDER: &str = "target/tidewall-bench";

/// What something is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// The database servers.
    Database,
    /// The Worker.
    Worker,
    /// The Worker and the site.
    Site,
}

/// Measures, and prints what came of it.
///
/// # Errors
/// What keeps it from measuring. Everything that was started has then been stopped.
pub(crate) async fn run(args: &BenchArgs, progress: &Progress) -> Result<(), Failure> {
    check(&args.what)?;
    measure(to_arguments(args), &on(&args.what), progress).await
}

/// Runs scenarios of the advisor, and keeps what comes of them.
///
/// # Errors
/// As of [`run`].
pub(crate) async fn record(names: &[String], progress: &Progress) -> Result<(), Failure> {
    let arguments = std::iter::once("--record".to_owned()).chain(names.iter().cloned());
    measure(arguments.collect(), &[On::Database, On::Worker], progress).await
}

/// What the program is told.
fn to_arguments(args: &BenchArgs) -> Vec<String> {
    let BenchArgs { what, quick, pairs, jobs, json } = args;
    let mut all = what.clone();
    all.extend(quick.then(|| "--quick".to_owned()));
    all.extend(json.then(|| "--json".to_owned()));
    all.extend(pairs.map(|pairs| format!("--pairs={pairs}")));
    all.extend(jobs.map(|jobs| format!("--jobs={jobs}")));
    all
}

/// On what these are measured; all where none is named.
fn on(what: &[String]) -> Vec<On> {
    let is_chosen = |name: &str| what.is_empty() || what.iter().any(|what| what == name);
    KNOWN.iter().filter(|(name, _)| is_chosen(name)).map(|(_, on)| *on).collect()
}

async fn measure(arguments: Vec<String>, on: &[On], progress: &Progress) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let data = DataDir::lock(&workspace.join(FOLDER))?.ok_or_else(|| {
        Failure::new(
            "another `tidewall bench` is running, and two would measure each other; wait for it, or stop it",
        )
    })?;
    let records = Records::new(data.join("run"));
    workspace.children().end_leftovers(progress).await?;
    records.end_leftovers(progress).await?;
    let supervisor = Supervisor::new(records.clone(), *progress);
    let servers = OnceLock::new();
    let run = Run { arguments, on, workspace: &workspace, data: &data, records, servers: &servers, progress };
    // What was told to stop has nothing to look up in its logs.
    let (outcome, keeps_logs) = tokio::select! {
        outcome = run.measure(&supervisor) => {
            let failed = outcome.is_err();
            (outcome, failed)
        }
        () = told_to_stop() => {
            progress.step("stopping");
            (Err(Failure::new("stopped before everything was measured")), false)
        }
    };
    supervisor.stop().await;
    // They may lie elsewhere than in the data directory.
    if let Some(servers) = servers.get() {
        servers.remove()?;
    }
    if !keeps_logs {
        data.remove()?;
    }
    outcome
}

/// Refuses what can't be measured.
fn check(what: &[String]) -> Result<(), Failure> {
    match what.iter().find(|name| KNOWN.iter().all(|(known, _)| known != name)) {
        None => Ok(()),
        Some(unknown) => Err(Failure::new(format!(
            "there is no bench `{unknown}`; there are: {}, and all of them without a name",
            KNOWN.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// One run.
struct Run<'a> {
    arguments: Vec<String>,
    on: &'a [On],
    workspace: &'a Workspace,
    data: &'a DataDir,
    records: Records,
    /// Those that were started.
    servers: &'a OnceLock<Embedded>,
    progress: &'a Progress,
}

impl Run<'_> {
    async fn measure(&self, supervisor: &Supervisor) -> Result<(), Failure> {
        let Self { workspace, progress, on, .. } = self;
        npm::ensure(workspace, progress).await?;
        let parts: &[Part] = match (on.contains(&On::Site), on.contains(&On::Worker)) {
            (true, _) => &[Part::Site, Part::Worker],
            (false, true) => &[Part::Worker],
            (false, false) => &[],
        };
        if !parts.is_empty() {
            cargo::ensure_wasm_target(workspace).await?;
            build::build(workspace, Flavor::Release, parts, progress).await?;
        }
        let servers = match on.contains(&On::Database) {
            true => Some(self.start_servers(supervisor).await?),
            false => None,
        };
        progress.step("building the benches (optimised: the first time takes minutes)");
        let program = cargo::build(workspace, cargo::Artifact::Measured("tidewall-bench", "peers")).await?;
        progress.step("measuring");
        program::run(&program, self, servers.as_ref()).await
    }

    /// A primary with two replicas, filled.
    async fn start_servers(&self, supervisor: &Supervisor) -> Result<Servers, Failure> {
        let Self { workspace, data, progress, .. } = self;
        let ports = Ports::new(data::random_u32()?).take(0, SERVERS, "--pg-port")?;
        let prepared = Embedded::prepare_empty(workspace, data, ports)?;
        let embedded = self.servers.get_or_init(|| prepared);
        progress.step("starting Postgres, building the origin");
        let (servers, origin) = tokio::try_join!(
            embedded.start(supervisor, progress),
            cargo::build(workspace, cargo::Artifact::Binary("tidewall-origin"))
        )?;
        progress.step("filling the database");
        let origins = Origins {
            program: origin,
            data,
            servers: &servers,
            edge: None,
            public_url: String::new(),
            jobs: 0,
            has_lab: false,
        };
        origins.migrate(supervisor).await?;
        origins.seed(supervisor, ORDERS, None).await?;
        Ok(servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_benches_are_those_of_the_package() {
        let names: Vec<&str> = tidewall_bench::catalog::Bench::ALL.iter().map(|bench| bench.name()).collect();
        let known: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
        assert_eq!(known, names);
        for (bench, (_, on)) in tidewall_bench::catalog::Bench::ALL.iter().zip(KNOWN) {
            assert_eq!(bench.needs_database(), *on == On::Database, "{}", bench.name());
        }
    }

    #[test]
    fn an_unknown_bench_is_refused_with_the_known_ones() {
        assert!(check(&[]).is_ok());
        assert!(check(&["pool".to_owned()]).is_ok());
        let failure = check(&["pool".to_owned(), "pond".to_owned()]).unwrap_err().to_string();
        assert_eq!(
            failure,
            "there is no bench `pond`; there are: balance, cdn, edge, index, pool, queue, replicas, scale, and all of them without a name"
        );
    }
}
