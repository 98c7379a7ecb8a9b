//! The processes of a service: the one that was started, and what it has started, as Linux shows them
//! in /proc.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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

/// Who has started a process.
fn parent(pid: u32) -> Option<u32> {
    status(pid, 1)?.parse().ok()
}

fn state(pid: u32) -> Option<char> {
    status(pid, 0)?.chars().next()
}

/// What stands in a process's status behind its name, which may hold anything: state, parent; proc(5).
fn status(pid: u32, nth: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(nth).map(str::to_owned)
}

/// Families that stand still, until the value is dropped.
#[derive(Debug)]
pub(super) struct Still(Vec<u32>);

impl Still {
    /// Has these families stand still.
    pub(super) fn stand(roots: &[u32]) -> Self {
        // Parents first: what stands still starts nothing more.
        let still = Self(roots.iter().flat_map(|root| family(*root)).collect());
        still.0.iter().for_each(|pid| signal(*pid, Signal::STOP));
        still
    }

    /// Whether all of them do, as far as they haven't ended; proc(5).
    pub(super) fn stands(&self) -> bool {
        let states = self.0.iter().filter_map(|pid| state(*pid));
        states.into_iter().all(|state| matches!(state, 'T' | 'Z'))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| signal(*pid, Signal::CONT));
    }
}

/// One that has ended meanwhile needs none.
fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Whether a process of a family has mapped this file.
pub(super) fn has_mapped(root: u32, file: &Path) -> bool {
    let file = file.display().to_string();
    let maps = |pid: u32| fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    family(root).into_iter().any(|pid| maps(pid).lines().any(|line| line.ends_with(&file)))
}

/// Memory of a family in bytes (proc(5)): what several have mapped counts for each as its share (`Pss`).
pub(super) fn memory(root: u32) -> u64 {
    family(root).into_iter().filter_map(|pid| bytes(pid, "Pss:")).sum()
}

/// The part of it that is shared to be written to (`Pss_Shmem`).
pub(super) fn shared_memory(root: u32) -> u64 {
    family(root).into_iter().filter_map(|pid| bytes(pid, "Pss_Shmem:")).sum()
}

fn bytes(pid: u32, name: &str) -> Option<u64> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = smaps.lines().find_map(|line| line.strip_prefix(name))?;
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
        assert!(memory(root) > shared_memory(root));
        assert!(
            has_mapped(root, &fs::canonicalize("/bin/sh").unwrap())
                && !has_mapped(root, Path::new("/nowhere"))
        );
        let still = Still::stand(&[root]);
        while !still.stands() {
            std::thread::yield_now();
        }
        drop(still);
        while found.iter().any(|pid| state(*pid) == Some('T')) {
            std::thread::yield_now();
        }
        found.iter().for_each(|pid| signal(*pid, Signal::KILL));
        shell.wait().unwrap();
    }
}
