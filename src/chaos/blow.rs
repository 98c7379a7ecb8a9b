//! Makes a part of a running system fail, and lets it go again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal;
use tidewall_edge::workerd::KV_CLASS;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::fault::{Blow, Fault, Part};
use super::processes::{Still, has_mapped};
use crate::child::signal_group;
use crate::detour::{Detour, Way};
use crate::dev::Detours;
use crate::failure::{Failure, IoContext as _};
use crate::interpose::Interposer;
use crate::service::{Service, Supervisor};

/// Locks databases.
const HOLD: &str = include_str!("hold.mjs");
/// How much later things arrive over a slow network, there and back.
const DELAY: Duration = Duration::from_millis(100);
/// A process that is slow runs so long,
const RUNS: Duration = Duration::from_millis(20);
/// and then stands still so long.
const STANDS: Duration = Duration::from_millis(80);
/// Seconds that a clock is off: more than a copy's and a lease's limits.
const OFF: i64 = 60;
/// Time that databases may take to be locked.
const LOCK_MAX: Duration = Duration::from_secs(30);
/// Time that a part has to be started again.
const BACK_MAX: Duration = Duration::from_secs(60);
/// How often is looked whether it was.
const BACK_POLL: Duration = Duration::from_millis(20);

/// The running system, as whoever makes it fail knows it.
pub(super) struct Target<'a> {
    pub(super) supervisor: &'a Supervisor,
    pub(super) detours: &'a Detours,
    /// Where its data is.
    pub(super) data: &'a Path,
    /// The program that knows SQLite.
    pub(super) node: &'a Path,
}

impl Target<'_> {
    /// Makes a part fail; returns when that is over: after `hold`, or where it ended once it runs again.
    ///
    /// # Errors
    /// The part doesn't run, isn't started again, or the fault had no effect.
    pub(super) async fn strike(&self, fault: Fault, hold: Duration) -> Result<(), Failure> {
        let services = self.services(fault.part)?;
        let pids = pids(&services)?;
        match fault.blow {
            Blow::Kill => {
                // It can't see to its children any more; those of the database have groups of their own,
                // and end when they see that it is gone.
                pids.iter().for_each(|pid| signal_group(*pid, Signal::KILL));
                until_others(&services, &pids).await
            }
            Blow::Restart => {
                services.iter().for_each(|service| service.restart());
                until_others(&services, &pids).await
            }
            Blow::Stop => {
                let still = Still::stand(&pids);
                sleep(hold).await;
                had_effect(still.stands(), "its processes don't stand still")
            }
            Blow::RunSlow => {
                let begun = Instant::now();
                let mut stood = false;
                while begun.elapsed() < hold {
                    let still = Still::stand(&pids);
                    sleep(STANDS).await;
                    stood |= still.stands();
                    drop(still);
                    sleep(RUNS).await;
                }
                had_effect(stood, "its processes don't stand still")
            }
            Blow::Slow => self.hold_back(fault.part, Way::Slow(DELAY), hold).await,
            Blow::Cut => self.hold_back(fault.part, Way::Cut, hold).await,
            Blow::ClockAhead => self.interpose(fault.part, &pids, hold, set_clock(OFF)).await,
            Blow::ClockBehind => self.interpose(fault.part, &pids, hold, set_clock(-OFF)).await,
            Blow::DiskFull => self.interpose(fault.part, &pids, hold, Interposer::set_disk_full).await,
            Blow::Locked => self.lock(fault.part, hold).await,
        }
    }

    /// Holds back what is sent to a part.
    async fn hold_back(&self, part: Part, way: Way, hold: Duration) -> Result<(), Failure> {
        let ways = self.ways(part);
        let before: u64 = ways.iter().map(|detour| detour.held_back()).sum();
        let open = Open(&ways);
        ways.iter().for_each(|detour| detour.set(way));
        sleep(hold).await;
        drop(open);
        let after: u64 = ways.iter().map(|detour| detour.held_back()).sum();
        had_effect(after > before, "nothing was sent to it")
    }

    /// Has the C library tell a part's programs something else, those as well that are started meanwhile.
    async fn interpose(
        &self,
        part: Part,
        pids: &[u32],
        hold: Duration,
        set: impl Fn(&Interposer, &str, bool) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let interposer = self.supervisor.interposer();
        let interposer =
            interposer.ok_or_else(|| Failure::new("nothing is between the services and the C library"))?;
        let library = interposer.library();
        had_effect(pids.iter().all(|pid| has_mapped(*pid, &library)), "its programs have another C library")?;
        let set_all = |is_on| part.services().iter().try_for_each(|name| set(interposer, name, is_on));
        set_all(true)?;
        sleep(hold).await;
        set_all(false)
    }

    /// Keeps the databases of a store of the edge from being written to.
    async fn lock(&self, part: Part, hold: Duration) -> Result<(), Failure> {
        let of_store = if part == Part::Kv { KV_CLASS } else { "Control" };
        let databases = databases(&self.data.join("edge"), of_store).or_fail("read", self.data)?;
        if databases.is_empty() {
            return Err(Failure::new(format!("the edge has no database of its {part}")));
        }
        let script = self.data.join("hold.mjs");
        fs::write(&script, HOLD).or_fail("write", &script)?;
        let refused = |error| Failure::new(format!("the databases of {part} can't be locked: {error}"));
        let mut holder = Command::new(self.node)
            .arg(&script)
            .args(&databases)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(refused)?;
        let mut said = String::new();
        if let Some(stdout) = &mut holder.stdout {
            let line = timeout(LOCK_MAX, BufReader::new(stdout).read_line(&mut said)).await;
            line.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(refused)?;
        }
        had_effect(said.trim() == "held", "its databases can't be locked")?;
        sleep(hold).await;
        // It ends with its input.
        drop(holder.stdin.take());
        holder.wait().await.map_err(refused)?;
        Ok(())
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
            Part::Edge | Part::Worker | Part::Kv | Part::Control => Vec::new(),
            Part::Origin(index) => origins.get(index).into_iter().collect(),
            Part::Origins => origins.iter().collect(),
            Part::Primary => servers.first().into_iter().collect(),
            Part::Replica(index) => servers.get(index + 1).into_iter().collect(),
            Part::Replicas => servers.iter().skip(1).collect(),
        }
    }
}

/// The databases below the folders of the edge's states that end in `of_store`.
fn databases(edge: &Path, of_store: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![edge.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let mut above = path.ancestors().skip(1).take(2);
            let is_of_store = above.any(|folder| folder.ends_with(of_store));
            if path.is_dir() {
                folders.push(path);
            } else if is_of_store && path.extension().is_some_and(|extension| extension == "sqlite") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Ways that are open again once the value is dropped.
struct Open<'a>(&'a [&'a Detour]);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|detour| detour.set(Way::Open));
    }
}

/// Sets a service's clock so many seconds off, or right again.
fn set_clock(seconds: i64) -> impl Fn(&Interposer, &str, bool) -> Result<(), Failure> {
    move |by, name, is_off| by.set_clock(name, if is_off { seconds } else { 0 })
}

/// A fault that does nothing must not pass for one that costs nothing.
fn had_effect(had: bool, why: &str) -> Result<(), Failure> {
    if had { Ok(()) } else { Err(Failure::new(format!("the fault had no effect: {why}"))) }
}

fn pids(services: &[Arc<Service>]) -> Result<Vec<u32>, Failure> {
    let pids: Option<Vec<u32>> = services.iter().map(|service| service.pid()).collect();
    pids.ok_or_else(|| Failure::new("a part that is to fail doesn't run; look into the logs of the system"))
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
