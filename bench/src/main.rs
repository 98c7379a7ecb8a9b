//! The program that `tidewall bench` builds and runs: measures, and prints the report.
//!
//! The servers are named by `DATABASE_URL` and `REPLICA_URLS`, never on the
//! command line: they hold passwords. Worker and site are those in target/edge and target/site. What a
//! run that isn't quick came to is kept in bench/results, and what `scale` did in docs/scale.md as well.

#![expect(clippy::print_stdout, reason = "a command's results go to standard output")]

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tidewall_bench::catalog::{self, Setting};
use tidewall_bench::effort::Effort;
use tidewall_bench::error::{BenchError, Reason};
use tidewall_bench::queue::scale::Scale;
use tidewall_bench::report::Report;
use tidewall_bench::results::Kept;
use tidewall_bench::scenario::{self, Definition, Place};
use tidewall_bench::{checkout, database, machine, progress, versions};

/// Measure Tidewall beside its peers.
#[derive(Debug, Parser)]
#[command(name = "tidewall-bench", version)]
struct Cli {
    /// What to measure; everything where nothing is named
    what: Vec<String>,
    /// Measure for a shorter time
    #[arg(long)]
    quick: bool,
    /// Pairs of a write and a read under faults, of the bench `replicas`
    #[arg(long, value_name = "N")]
    pairs: Option<u32>,
    /// Jobs of the backlog of the bench `queue`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Run these of the advisor's scenarios instead, or `all`, and keep what comes of them
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with_all = ["what", "quick", "pairs", "jobs", "json"])]
    record: Vec<String>,
}

/// Pairs of a run.
const PAIRS: u32 = 100_000;
/// Pairs of a quick run.
const PAIRS_QUICK: u32 = 5_000;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.record.is_empty() {
        return match record(&cli.record).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => failed(&why.to_string()),
        };
    }
    match measure(&cli).await {
        Ok(report) if cli.json => match serde_json::to_string(&report) {
            Ok(json) => {
                println!("{json}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&format!("the report can't be written as JSON: {error}")),
        },
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(sentence: &str) -> ExitCode {
    progress::tell(sentence);
    ExitCode::FAILURE
}

/// How much `queue` does.
fn scale(cli: &Cli) -> Scale {
    let scale = if cli.quick { Scale::QUICK } else { Scale::FULL };
    let jobs = cli.jobs.unwrap_or(scale.jobs);
    Scale { jobs, warm_up: jobs.min(scale.warm_up), ..scale }
}

/// Runs the scenarios of these names.
async fn record(names: &[String]) -> Result<(), Reason> {
    let names = if names.iter().any(|name| name == "all") { Definition::names()? } else { names.to_vec() };
    // A name that isn't one is told before the first has run.
    let scenarios = names.iter().map(|name| Definition::read(name)).collect::<Result<Vec<_>, _>>()?;
    let primary = std::env::var("DATABASE_URL").map_err(|_| Reason::from(BenchError::NoDatabase))?;
    let replica = replicas().into_iter().next();
    let replica = replica.ok_or_else(|| Reason::new("REPLICA_URLS names no replica of the database"))?;
    let place = Place { primary, replica, worker: WORKER.into() };
    let mut failed = Vec::new();
    for definition in &scenarios {
        if let Err(why) = scenario::record(definition, &place).await {
            progress::tell(format!("  {why}"));
            failed.push(definition.name.as_str());
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Reason::new(&format!("not recorded: {}", failed.join(", ")))),
    }
}

/// The replicas that are named.
fn replicas() -> Vec<String> {
    let named = std::env::var("REPLICA_URLS").unwrap_or_default();
    named.split(',').filter(|url| !url.trim().is_empty()).map(str::to_owned).collect()
}

/// Where results are kept.
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");
/// What quotes those of `scale`.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scale.md");
/// Folder of the built Worker.
const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/edge");

async fn measure(cli: &Cli) -> Result<Report, BenchError> {
    let benches = catalog::chosen(&cli.what)?;
    let needs_database = benches.iter().any(|bench| bench.needs_database());
    let setting = Setting {
        primary: match std::env::var("DATABASE_URL") {
            Ok(primary) => primary,
            Err(_) if needs_database => return Err(BenchError::NoDatabase),
            Err(_) => String::new(),
        },
        replicas: replicas(),
        worker: WORKER.into(),
        site: concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site").into(),
        effort: if cli.quick { Effort::QUICK } else { Effort::FULL },
        pairs: cli.pairs.unwrap_or(if cli.quick { PAIRS_QUICK } else { PAIRS }),
        queue: scale(cli),
    };
    if cfg!(debug_assertions) {
        progress::tell("this program was built without optimisation: its figures say nothing");
    }
    if needs_database {
        database::settle(&setting.primary).await?;
    }
    let mut report = Report {
        machine: machine::describe(),
        commit: checkout::commit().await,
        day: time::OffsetDateTime::now_utc().date().to_string(),
        versions: versions::all(needs_database.then_some(&*setting.primary)).await,
        results: Vec::new(),
    };
    for bench in benches {
        report.results.extend(bench.run(&setting).await?);
        // What is too short to quote is not quoted; and what was measured is kept whatever comes next.
        if !cli.quick {
            let kept = Kept { folder: Path::new(RESULTS), document: Path::new(DOCUMENT) };
            kept.keep(&report)
                .map_err(|error| BenchError::Kept { folder: RESULTS.to_owned(), reason: error.into() })?;
        }
    }
    Ok(report)
}
