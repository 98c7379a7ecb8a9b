//! `tidewall`: the command that builds Tidewall and brings it up.
//!
//! - [`dev`] starts the whole system on this machine and keeps it running;
//! - [`edge`] starts the edge alone, before any HTTP origin;
//! - [`build`] makes what is deployed: the site and the Worker;
//! - [`bench`](mod@bench) measures Tidewall's parts beside their peers;
//! - [`audit`] looks at the pages with axe and Lighthouse;
//! - [`chaos`] makes each part of a system fail under load, and says what that cost;
//! - [`rolling`] restarts the origins of a running system one by one;
//! - [`check`] replays a session over all origins;
//! - [`administer`] looks after background jobs, webhooks and indexes, by the origin's program;
//! - [`advise`] says which tools a product needs now, by the origin's program; [`cost`] what they cost;
//! - [`explain`] says what an edge's cache does with a URL, and why.

mod administer;
mod advise;
mod audit;
mod bench;
mod build;
mod cargo;
mod chaos;
mod check;
mod child;
mod cli;
mod cost;
mod data;
mod deploy;
mod detour;
mod dev;
mod edge;
mod explain;
mod failure;
mod interpose;
mod leftovers;
mod listen;
mod lock;
mod loopback;
mod npm;
mod origins;
mod ports;
mod postgres;
mod private;
mod progress;
mod ready;
mod rolling;
mod service;
mod signals;
mod stage;
mod workerd;
mod workspace;
mod wrangler;

use std::process::ExitCode;

use clap::Parser;

use crate::administer::Servers;
use crate::cli::{Cli, Command, IndexCommand};
use crate::progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let progress = Progress::start();
    let outcome = match cli.command {
        None => dev::run(cli.dev, &progress).await,
        Some(Command::Dev(args)) => dev::run(args, &progress).await,
        Some(Command::Edge(args)) => edge::run(args, &progress).await,
        Some(Command::Build(args)) => build::run(&args, &progress).await,
        Some(Command::Bench(args)) => bench::run(&args, &progress).await,
        Some(Command::Chaos(args)) => chaos::run(&args, &progress).await,
        Some(Command::RollingRestart(args)) => rolling::run(&args, &progress).await,
        Some(Command::Check(command)) => check::run(&command, &progress).await,
        Some(Command::Jobs(args)) => {
            administer::run("jobs", &args, args.asked.to_arguments(), Servers::Primary).await
        }
        Some(Command::Webhooks(args)) => {
            administer::run("webhooks", &args, args.asked.to_arguments(), Servers::Primary).await
        }
        Some(Command::Index(args)) => {
            let IndexCommand { database, replica_url } = &args;
            let asked = database.asked.to_arguments();
            administer::run("index", database, asked, Servers::All(replica_url)).await
        }
        Some(Command::Advise(command)) => advise::run(&command, &progress).await,
        Some(Command::Audit(args)) => audit::run(&args, &progress).await,
        Some(Command::Deploy(args)) => deploy::run(&args, &progress).await,
        Some(Command::Stage(args)) => stage::run(&args, &progress),
        Some(Command::Cost(args)) => cost::run(&args, &progress),
        Some(Command::Explain(args)) => explain::run(&args, &progress).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            progress.failed(&failure);
            ExitCode::from(failure.code())
        }
    }
}
