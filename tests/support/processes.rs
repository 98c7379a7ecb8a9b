//! Processes of this machine, as /proc shows them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::poll;

/// A process that is told apart from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: String,
    pub(crate) command: String,
}

/// Every process that `root` has started, and what those have started, and so on.
pub(crate) fn descendants(root: u32) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some((parent, process)) = read(pid) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            next.push(process.pid);
            found.push(process);
        }
    }
    found
}

/// Those of `processes` that still run after `deadline`, at the latest.
pub(crate) fn still_running(processes: &[Process], deadline: Duration) -> Vec<&Process> {
    let running = || -> Vec<&Process> {
        let runs =
            |process: &&Process| read(process.pid).is_some_and(|(_, now)| now.started == process.started);
        processes.iter().filter(runs).collect()
    };
    poll::until(deadline, || running().is_empty().then(Vec::new)).unwrap_or_else(running)
}

/// Sends a signal.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Parent and facts of a process that hasn't ended; proc(5).
fn read(pid: u32) -> Option<(u32, Process)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // A zombie has ended; its parent just hasn't asked.
    (fields[0] != "Z").then_some(())?;
    let command = name.split_once('(')?.1.to_owned();
    Some((fields[1].parse().ok()?, Process { pid, started: fields[19].to_owned(), command }))
}
