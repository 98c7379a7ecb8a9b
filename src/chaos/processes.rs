//! The processes of a service: the one that was started, and what it has started, as Linux shows them
//! in /proc.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// `root` and all that it has started, and what those have, parents first.
pub(super) fn family(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        found.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// Who has started a process; proc(5).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything: state, parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Sends a signal to a family. One that has ended meanwhile needs none.
pub(super) fn signal(root: u32, signal: Signal) {
    for pid in family(root).into_iter().filter_map(to_pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Memory of a family in bytes: what is shared counts for each as its share (`Pss`; proc(5)).
pub(super) fn memory(root: u32) -> u64 {
    family(root).into_iter().filter_map(share).sum()
}

fn share(pid: u32) -> Option<u64> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = smaps.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_family_is_the_root_and_what_it_has_started() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "sleep 600 & read line"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let root = shell.id();
        while family(root).len() < 2 {
            std::thread::yield_now();
        }
        let found = family(root);
        assert_eq!((found[0], found.len()), (root, 2));
        assert!(memory(root) > 0);
        signal(root, Signal::KILL);
        shell.wait().unwrap();
    }
}
