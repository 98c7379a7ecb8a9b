//! The processes of a service: the one that was started, and what it has started, as Linux shows them
//! in /proc.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

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

/// Lets a process, and what it will start, write files of so many bytes at most, or of any length again
/// (`unlimited`): who writes more is told so, as on a full disk. Whether that could be done, which it
/// can't be where the process has ended.
pub(super) fn limit_files(pid: u32, bytes: &str) -> bool {
    // As its owner: even who may do all else may not do this to another's.
    let Ok(owner) = fs::metadata(format!("/proc/{pid}")) else { return false };
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:")])
        .uid(owner.uid())
        .gid(owner.gid())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
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

    #[test]
    fn a_process_with_a_limit_can_not_write_beyond_it() {
        let folder = std::env::temp_dir().join(format!("tidewall-chaos-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let script = "trap '' XFSZ; while read line; do echo $line >> file; done";
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(limit_files(shell.id(), "2"));
        let mut stdin = shell.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, b"much\n").unwrap();
        drop(stdin);
        shell.wait().unwrap();
        let written = fs::read(folder.join("file")).unwrap().len();
        fs::remove_dir_all(folder).unwrap();
        assert!(written <= 2, "{written}");
        assert!(!limit_files(shell.id(), "2"), "it has ended");
    }
}
