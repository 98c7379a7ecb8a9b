//! Makes a part of a running system fail, and lets it go again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::fault::{Blow, Fault, Part};
use super::processes::{limit_files, signal};
use crate::child::signal_group;
use crate::detour::{Detour, Way};
use crate::dev::Detours;
use crate::failure::Failure;
use crate::service::{Service, Supervisor};

/// How much later things arrive over a slow network, there and back.
const DELAY: Duration = Duration::from_millis(100);
/// A process that is slow runs so long,
const RUNS: Duration = Duration::from_millis(20);
/// and then stands still so long.
const STANDS: Duration = Duration::from_millis(80);
/// Seconds that a clock is off: more than a copy's and a lease's limits.
const OFF: i64 = 60;
/// How often is looked for processes that have no limit yet.
const LIMIT_POLL: Duration = Duration::from_millis(10);
/// Time that a part has to be started again.
const BACK_MAX: Duration = Duration::from_secs(60);
/// How often is looked whether it was.
const BACK_POLL: Duration = Duration::from_millis(20);

/// The running system, as whoever makes it fail knows it.
pub(super) struct Target<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) detours: &'a Detours,
}

impl Target<'_> {
    /// Makes a part fail; returns when that is over, which, where it lasts, is after `hold`.
    ///
    /// # Errors
    /// The part doesn't run, or isn't started again.
    pub(super) async fn strike(&self, fault: Fault, hold: Duration) -> Result<(), Failure> {
        let services = self.services(fault.part)?;
        match fault.blow {
            Blow::Kill => {
                for pid in pids(&services)? {
                    // It can't see to its children any more; those of the database have groups of their own,
                    // and end when they see that it is gone.
                    signal_group(pid, Signal::KILL);
                }
            }
            Blow::Stop => {
                let pids = pids(&services)?;
                pids.iter().for_each(|pid| signal(*pid, Signal::STOP));
                sleep(hold).await;
                pids.iter().for_each(|pid| signal(*pid, Signal::CONT));
            }
            Blow::Slow | Blow::Cut if !self.ways(fault.part).is_empty() => {
                let way = if fault.blow == Blow::Cut { Way::Cut } else { Way::Slow(DELAY) };
                let ways = self.ways(fault.part);
                ways.iter().for_each(|detour| detour.set(way));
                sleep(hold).await;
                ways.iter().for_each(|detour| detour.set(Way::Open));
            }
            Blow::Slow | Blow::Cut => run_slowly(&pids(&services)?, hold).await,
            Blow::Restart => {
                let before = pids(&services)?;
                services.iter().for_each(|service| service.restart());
                return until_others(&services, &before).await;
            }
            Blow::ClockAhead => self.set_off(fault.part, OFF, hold).await?,
            Blow::ClockBehind => self.set_off(fault.part, -OFF, hold).await?,
            Blow::DiskFull => fill_disk(&services, hold).await,
        }
        Ok(())
    }

    async fn set_off(&self, part: Part, seconds: i64, hold: Duration) -> Result<(), Failure> {
        let clocks = self.supervisor.clocks().ok_or_else(|| Failure::new("clocks can't be set off"))?;
        let set = |seconds| part.services().iter().try_for_each(|name| clocks.set_off(name, seconds));
        set(seconds)?;
        sleep(hold).await;
        set(0)
    }

    fn services(&self, part: Part) -> Result<Vec<Arc<Service>>, Failure> {
        let find = |name: String| {
            let found = self.supervisor.service(&name);
            found.ok_or_else(|| Failure::new(format!("there is no service {name}")))
        };
        part.services().into_iter().map(find).collect()
    }

    /// The ways to a part, where others ask it over one.
    fn ways(&self, part: Part) -> Vec<&Detour> {
        let Detours { origins, servers } = self.detours;
        match part {
            Part::Edge | Part::Worker => Vec::new(),
            Part::Origin(index) => origins.get(index).into_iter().collect(),
            Part::Origins => origins.iter().collect(),
            Part::Primary => servers.first().into_iter().collect(),
            Part::Replica(index) => servers.get(index + 1).into_iter().collect(),
            Part::Replicas => servers.iter().skip(1).collect(),
        }
    }
}

fn pids(services: &[Arc<Service>]) -> Result<Vec<u32>, Failure> {
    let pids: Option<Vec<u32>> = services.iter().map(|service| service.pid()).collect();
    pids.ok_or_else(|| Failure::new("a part that is to fail doesn't run; look into the logs of the system"))
}

/// Lets processes run for a part of the time.
async fn run_slowly(pids: &[u32], hold: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < hold {
        pids.iter().for_each(|pid| signal(*pid, Signal::STOP));
        sleep(STANDS).await;
        pids.iter().for_each(|pid| signal(*pid, Signal::CONT));
        sleep(RUNS).await;
    }
}

/// Lets services write nothing, also those that are started meanwhile because they ended of it.
async fn fill_disk(services: &[Arc<Service>], hold: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < hold {
        services.iter().filter_map(|service| service.pid()).for_each(|pid| limit_files(pid, Some(0)));
        sleep(LIMIT_POLL).await;
    }
    services.iter().filter_map(|service| service.pid()).for_each(|pid| limit_files(pid, None));
}

/// Waits until each service has another process.
async fn until_others(services: &[Arc<Service>], before: &[u32]) -> Result<(), Failure> {
    let others = async {
        for (service, before) in services.iter().zip(before) {
            while service.pid().is_none_or(|pid| pid == *before) {
                sleep(BACK_POLL).await;
            }
        }
    };
    timeout(BACK_MAX, others).await.map_err(|_| Failure::new("a part that was restarted did not come back"))
}
