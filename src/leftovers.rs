//! Children on record: which processes a stack has started, so that the next
//! start can end those that a killed one left running.
//!
//! A process is known by its id *and* the moment it started, because ids are used again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::failure::{Failure, IoContext};

/// How long a leftover process may take to end before it is killed.
const END_DEADLINE: Duration = Duration::from_secs(10);
/// How often its end is looked for.
const END_POLL: Duration = Duration::from_millis(50);

/// The records of one stack's children: a file each.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    folder: PathBuf,
}

impl Records {
    /// Records in `folder`, which exists.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Notes that `pid` leads the process group of the child `name`.
    pub(crate) fn write(&self, name: &str, pid: u32) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let started = start_time(pid).unwrap_or_default();
        fs::write(&path, format!("{pid}\n{started}\n")).or_fail("write", &path)
    }

    /// Forgets the child `name`, which has ended.
    pub(crate) fn remove(&self, name: &str) {
        // A record of a process that has ended does no harm: it is seen to be gone at the next start.
        let _ = fs::remove_file(self.folder.join(name));
    }

    /// Ends every recorded process that still runs; returns their names.
    pub(crate) async fn clear(&self) -> Result<Vec<String>, Failure> {
        let mut ended = Vec::new();
        for entry in fs::read_dir(&self.folder).or_fail("read", &self.folder)? {
            let path = entry.or_fail("read", &self.folder)?.path();
            if let Some(group) = running_group(&path) {
                end_group(group).await;
                ended.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
            fs::remove_file(&path).or_fail("remove", &path)?;
        }
        ended.sort();
        Ok(ended)
    }
}

/// The process group in the record at `path`, if that same process still runs.
fn running_group(path: &Path) -> Option<Pid> {
    let record = fs::read_to_string(path).ok()?;
    let (pid, started) = record.trim_end().split_once('\n')?;
    let pid: u32 = pid.parse().ok()?;
    (start_time(pid)? == started).then_some(())?;
    Pid::from_raw(i32::try_from(pid).ok()?)
}

async fn end_group(group: Pid) {
    // SIGINT is Postgres' fast shutdown, and ends every other child of ours too.
    let _ = kill_process_group(group, Signal::INT);
    let ended = tokio::time::timeout(END_DEADLINE, async {
        while test_kill_process_group(group).is_ok() {
            tokio::time::sleep(END_POLL).await;
        }
    });
    if ended.await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// When a process started, in a form that can only be compared; `None` if it doesn't run.
fn start_time(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        // proc(5): the command name, in parentheses, may hold anything; the
        // start time is the 22nd field, the 20th after the name.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = &stat[stat.rfind(')')? + 1..];
        return after_name.split_whitespace().nth(19).map(str::to_owned);
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;

    fn records(test: &str) -> Records {
        let folder = std::env::temp_dir().join(format!("tidewall-records-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Records::new(folder)
    }

    #[tokio::test]
    async fn a_recorded_process_that_still_runs_is_ended() {
        let records = records("runs");
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        records.write("sleeper", child.id()).unwrap();
        // The child is ours, so its end shows only once it has been waited for.
        let waiter = std::thread::spawn(move || child.wait().unwrap());
        assert_eq!(records.clear().await.unwrap(), ["sleeper"]);
        assert!(!waiter.join().unwrap().success());
        fs::remove_dir_all(&records.folder).unwrap();
    }

    #[tokio::test]
    async fn another_process_with_a_recorded_id_is_left_alone() {
        let records = records("reused");
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        fs::write(records.folder.join("gone"), format!("{}\n1\n", child.id())).unwrap();
        assert!(records.clear().await.unwrap().is_empty());
        assert!(child.try_wait().unwrap().is_none(), "it was ended");
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_dir_all(&records.folder).unwrap();
    }
}
