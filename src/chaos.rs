//! `tidewall chaos`: what happens to those who use a system while a part of it fails.
//!
//! A system of its own is brought up; under load one part after the other is killed, stopped, made slow,
//! cut off, restarted. What that may cost is DESIGN's table of failures, in [`fault`]; what it did cost is
//! [`ledger`]'s, by what was answered and by what the database has when all is quiet again.

mod blow;
mod fault;
mod ledger;
mod load;
mod processes;
mod report;
mod settle;

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use crate::cli::{ChaosArgs, DevArgs};
use crate::data::DataDir;
use crate::dev::{self, Detours};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::ready::Stack;
use crate::service::Supervisor;
use crate::workspace::Workspace;
use blow::Target;
use fault::{Cost, Fault, Part, REPLICAS};
use ledger::{Losses, Toll};
use load::Load;
use report::{Memory, Report, Soak, Struck};

/// Where the system is.
const FOLDER: &str = "target/chaos";
/// Where in there it is.
const SYSTEM: &str = "system";
/// Orders that it has.
const ORDERS: u32 = 2_000;
/// Load before the fault.
const BEFORE: Duration = Duration::from_secs(2);
/// How long a fault lasts that isn't over at once: longer than the edge waits for an origin.
const HOLD: Duration = Duration::from_secs(12);
/// The same of a quick run.
const HOLD_QUICK: Duration = Duration::from_secs(3);
/// Nothing has failed for so long: all is quiet again.
const QUIET: Duration = Duration::from_secs(3);
/// Time that it has to become quiet.
const QUIET_MAX: Duration = Duration::from_secs(60);
/// How often is looked.
const POLL: Duration = Duration::from_millis(100);

/// Makes the system fail, and tells what that cost.
///
/// # Errors
/// What keeps it from being done; and where a fault cost more than it may.
pub(crate) async fn run(args: &ChaosArgs, progress: &Progress) -> Result<(), Failure> {
    if cfg!(not(target_os = "linux")) {
        return Err(Failure::new("processes are found by /proc, which only Linux has: run it there"));
    }
    let faults = fault::chosen(&args.what)?;
    let workspace = Workspace::find()?;
    // In a folder of its own within that one: nobody's data are to fail with it.
    let data = args.data.clone().unwrap_or_else(|| workspace.join(FOLDER)).join(SYSTEM);
    if data.exists() {
        // Of a run that kept its logs.
        DataDir::open(&data)?.remove()?;
    }
    let hold = if args.quick { HOLD_QUICK } else { HOLD };
    let system = DevArgs::of_its_own(data.clone(), u16::try_from(REPLICAS).unwrap_or(u16::MAX), ORDERS);
    let work = async |stack: Stack, detours: &Detours, supervisor: &Supervisor| {
        let target = Target { supervisor, detours, data: &data, node: &workspace.npm_program("node") };
        match args.soak {
            Some(minutes) => soak(&target, &stack, minutes, args.json, progress).await,
            None => strike_all(&target, &stack, &faults, hold, args.json, progress).await,
        }
    };
    let broken = dev::with_faults(system, progress, work).await?;
    if broken.is_empty() {
        return DataDir::open(&data)?.remove();
    }
    let logs = data.join("logs");
    let sentence = format!("{} promises are not kept; the logs are in {}", broken.len(), logs.display());
    Err(Failure::new(sentence).with_output(broken.join("\n")))
}

/// Every fault, one after the other; what was broken.
async fn strike_all(
    target: &Target<'_>,
    stack: &Stack,
    faults: &[Fault],
    hold: Duration,
    json: bool,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let mut report = Report { faults: Vec::new() };
    for fault in faults {
        progress.step(fault.to_string());
        // What can't be looked at is no kept promise, and keeps nobody from looking at the others.
        let struck = strike(target, stack, *fault, fault.lasts(hold)).await;
        report.faults.push(struck.unwrap_or_else(|failure| Struck {
            fault: fault.to_string(),
            toll: Toll::default(),
            losses: Losses::default(),
            broken: vec![failure.to_string()],
        }));
    }
    tell(&report, json, progress)?;
    Ok(report.broken())
}

/// One fault under load.
async fn strike(target: &Target<'_>, stack: &Stack, fault: Fault, hold: Duration) -> Result<Struck, Failure> {
    settle::all_is_up(stack, target.supervisor).await?;
    let load = Load::begin(edge(stack)?, &stack.staff).await?;
    sleep(BEFORE).await;
    let struck = load.elapsed();
    target.strike(fault, hold).await?;
    let lifted = load.elapsed();
    let begun = Instant::now();
    while begun.elapsed() < QUIET || !load.is_quiet_for(QUIET) {
        if begun.elapsed() > QUIET_MAX {
            break;
        }
        sleep(POLL).await;
    }
    let (ledger, acknowledged) = load.end().await?;
    let losses = settle::losses(stack, &acknowledged).await?;
    let toll = ledger.toll(struck, lifted);
    let broken = ledger::broken(fault.may_cost(), &toll, &losses);
    Ok(Struck { fault: fault.to_string(), toll, losses, broken })
}

/// Load, and nothing else, and what each part's memory is meanwhile; what grew.
async fn soak(
    target: &Target<'_>,
    stack: &Stack,
    minutes: u16,
    json: bool,
    progress: &Progress,
) -> Result<Vec<String>, Failure> {
    let parts = [Part::Edge, Part::Origins, Part::Primary, Part::Replicas, Part::Worker];
    let services: Vec<String> = parts.iter().flat_map(|part| part.services()).collect();
    let mut seen: Vec<Vec<u64>> = vec![Vec::new(); services.len()];
    let (mut reads, mut writes, mut failed, mut broken) = (0, 0, 0, Vec::new());
    for minute in 0..minutes {
        progress.step(format!("minute {} of {minutes}", minute + 1));
        let begun = Instant::now();
        let load = Load::begin(edge(stack)?, &stack.staff).await?;
        for second in 1..=60 {
            sleep(Duration::from_secs(second).saturating_sub(begun.elapsed())).await;
            for (service, seen) in services.iter().zip(&mut seen) {
                let pid = target.supervisor.service(service).and_then(|service| service.pid());
                seen.push(pid.map_or(0, |pid| memory(service, pid)));
            }
        }
        let (ledger, acknowledged) = load.end().await?;
        let losses = settle::losses(stack, &acknowledged).await?;
        let toll = ledger.toll(Duration::ZERO, Duration::ZERO);
        broken.extend(ledger::broken([Cost::Nothing; 2], &toll, &losses));
        (reads, writes) = (reads + toll.reads.asked, writes + toll.writes.asked);
        failed += toll.reads.not_done() + toll.writes.not_done();
    }
    let memory = services.iter().zip(&seen).map(|(service, seen)| Memory::of(service, seen)).collect();
    let soak = Soak { memory, reads, writes, failed };
    tell(&soak, json, progress)?;
    for memory in soak.memory.iter().filter(|memory| memory.grew()) {
        let Memory { part, second_minute_mib, last_minute_mib, is_known } = memory;
        broken.push(match is_known {
            true => format!("{part} grew from {second_minute_mib:.1} to {last_minute_mib:.1} MiB"),
            false => format!("{part} didn't run all the time, or its memory can't be read"),
        });
    }
    Ok(broken)
}

/// What counts as a service's memory. PostgreSQL's buffers don't: they are of a fixed size, and show as
/// they are first used.
fn memory(service: &str, pid: u32) -> u64 {
    let is_database =
        [Part::Primary, Part::Replicas].iter().any(|part| part.services().contains(&service.to_owned()));
    let buffers = if is_database { processes::shared_memory(pid) } else { 0 };
    processes::memory(pid).saturating_sub(buffers)
}

fn tell(what: &(impl Serialize + std::fmt::Display), json: bool, progress: &Progress) -> Result<(), Failure> {
    if json {
        let json = serde_json::to_string(what)
            .map_err(|error| Failure::new(format!("cannot write it as JSON: {error}")))?;
        progress.result(&json);
    } else {
        progress.result(&what.to_string());
    }
    Ok(())
}

fn edge(stack: &Stack) -> Result<&str, Failure> {
    stack.edge.as_deref().ok_or_else(|| Failure::new("the system has no edge"))
}
