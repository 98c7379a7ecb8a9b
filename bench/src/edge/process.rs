//! A process that is measured: what CPU time and memory it takes, as Linux tells it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::folder::Folder;
use crate::error::Reason;

/// Time it has to answer.
const READY_MAX: Duration = Duration::from_secs(20);
/// How often it is tried.
const READY_POLL: Duration = Duration::from_millis(20);
/// What proc(5) counts CPU time in: `USER_HZ`, which is 100 on every architecture.
const TICK: Duration = Duration::from_millis(10);
/// Name of its log.
const LOG: &str = "log";

/// A server in a folder of its own. Killed when dropped.
pub(super) struct Process {
    child: Child,
    pid: u32,
    folder: Folder,
}

impl Process {
    /// Starts `program` in `folder`; returns once it takes connections at `address`.
    pub(super) async fn start(
        program: &Path,
        args: &[String],
        folder: Folder,
        address: SocketAddr,
    ) -> Result<Self, Reason> {
        let log = File::create(folder.path().join(LOG))?;
        let child = Command::new(program)
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Reason::new(&format!("can't run {}: {error}", program.display())))?;
        let pid = child.id().ok_or_else(|| Reason::new("it ended at once"))?;
        let mut process = Self { child, pid, folder };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if process.child.try_wait()?.is_some() || begun.elapsed() > READY_MAX {
                return Err(Reason::new(&format!("{} does not start: {}", program.display(), process.log())));
            }
            sleep(READY_POLL).await;
        }
        Ok(process)
    }

    /// The end of what it has said.
    pub(super) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
        log.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// CPU time it has taken so far, with the processes it has started.
    pub(super) fn cpu(&self) -> Result<Duration, Reason> {
        let mut ticks = 0;
        let mut pids = vec![self.pid];
        while let Some(pid) = pids.pop() {
            ticks += cpu_ticks(&read(pid, "stat")?).ok_or_else(|| Reason::new("proc(5) has another form"))?;
            let children = read(pid, &format!("task/{pid}/children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        Ok(TICK * ticks)
    }

    /// Its memory, in MiB.
    pub(super) fn memory_mib(&self) -> Result<f64, Reason> {
        resident_kib(&read(self.pid, "status")?)
            .map(|kib| kib / 1024.0)
            .ok_or_else(|| Reason::new("proc(5) has another form"))
    }
}

fn read(pid: u32, file: &str) -> Result<String, Reason> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).map_err(|error| {
        Reason::new(&format!("{path} can't be read ({error}): CPU time and memory are known on Linux only"))
    })
}

/// `utime` and `stime` together.
fn cpu_ticks(stat: &str) -> Option<u32> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(ticks()? + ticks()?)
}

fn resident_kib(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_name_that_may_hold_anything() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 1 0 100";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn memory_is_what_is_resident() {
        assert_eq!(resident_kib("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2048.0));
        assert_eq!(resident_kib("VmPeak:\t 9 kB\n"), None);
    }
}
