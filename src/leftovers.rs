//! Children on record: which processes a command has started, so that the next
//! start can end those that a killed one left running.
//!
//! A record is a file of two lines, the child and the `tidewall` that started it,
//! each a process id *and* the moment it started, because ids are used again.
//! While that `tidewall` runs, its children are its own business.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::failure::{Failure, IoContext};
use crate::progress::Progress;

/// How long a leftover process may take to end before it is killed.
const END_DEADLINE: Duration = Duration::from_secs(10);
/// How often its end is looked for.
const END_POLL: Duration = Duration::from_millis(50);

/// The records of children: a file each.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    folder: PathBuf,
}

/// One child's record, there for as long as this value.
#[derive(Debug)]
pub(crate) struct Record(PathBuf);

impl Drop for Record {
    fn drop(&mut self) {
        // A record of a process that has ended does no harm: it is seen to be gone at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

impl Records {
    /// Records in `folder`, which is made when there is something to record.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Notes that `pid` leads the process group of the child `name`.
    pub(crate) fn note(&self, name: &str, pid: u32) -> Result<Record, Failure> {
        fs::create_dir_all(&self.folder).or_fail("create", &self.folder)?;
        let path = self.folder.join(format!("{name}.{pid}"));
        let record = format!("{}\n{}\n", Process::now(pid), Process::now(std::process::id()));
        fs::write(&path, record).or_fail("write", &path)?;
        Ok(Record(path))
    }

    /// Ends every recorded process that still runs though the command that started it
    /// doesn't, and says so. Files that are no records are left alone.
    pub(crate) async fn end_leftovers(&self, progress: &Progress) -> Result<(), Failure> {
        let ended = self.clear().await?;
        if !ended.is_empty() {
            progress.step(format!("ended what an earlier run had left: {}", ended.join(", ")));
        }
        Ok(())
    }

    async fn clear(&self) -> Result<Vec<String>, Failure> {
        let mut ended = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ended),
            entries => entries.or_fail("read", &self.folder)?,
        };
        for entry in entries {
            let path = entry.or_fail("read", &self.folder)?.path();
            let Some((child, owner)) = read(&path) else { continue };
            if owner.runs() {
                continue;
            }
            if let Some(group) = child.group().filter(|_| child.runs()) {
                end_group(group).await;
                ended.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            }
            drop(Record(path));
        }
        ended.sort();
        Ok(ended)
    }
}

/// The child and its owner in the record at `path`.
fn read(path: &Path) -> Option<(Process, Process)> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines().map(Process::parse);
    match (lines.next()??, lines.next()??, lines.next()) {
        (child, owner, None) => Some((child, owner)),
        _ => None,
    }
}

/// A process, told apart from a later one with the same id.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    started: String,
}

impl Process {
    /// The process that has the id `pid` now; one that has ended already never runs again.
    fn now(pid: u32) -> Self {
        Self { pid, started: start_time(pid).unwrap_or_default() }
    }

    fn parse(line: &str) -> Option<Self> {
        let (pid, started) = line.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.to_owned() })
    }

    fn runs(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// The process group that it leads.
    fn group(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
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
    use std::process::Child;

    /// Of no process: ids begin at 1.
    const NOBODY: &str = "0 0";

    fn records(test: &str) -> Records {
        let folder = std::env::temp_dir().join(format!("tidewall-records-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Records::new(folder)
    }

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").process_group(0).spawn().unwrap()
    }

    fn write(records: &Records, child: &str, owner: &str) -> PathBuf {
        let path = records.folder.join("sleeper.1");
        fs::write(&path, format!("{child}\n{owner}\n")).unwrap();
        path
    }

    /// Clears `records` and expects that `child` goes on.
    async fn left_alone(records: Records, mut child: Child) {
        assert!(records.clear().await.unwrap().is_empty());
        assert!(child.try_wait().unwrap().is_none(), "it was ended");
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_dir_all(&records.folder).unwrap();
    }

    #[tokio::test]
    async fn a_recorded_process_whose_owner_is_gone_is_ended() {
        let records = records("runs");
        let mut child = sleeper();
        let record = write(&records, &Process::now(child.id()).to_string(), NOBODY);
        // The child is ours, so its end shows only once it has been waited for.
        let waiter = std::thread::spawn(move || child.wait().unwrap());
        assert_eq!(records.clear().await.unwrap(), ["sleeper"]);
        assert!(!waiter.join().unwrap().success());
        assert!(!record.exists());
        fs::remove_dir_all(&records.folder).unwrap();
    }

    #[tokio::test]
    async fn a_process_whose_owner_runs_is_left_alone() {
        let records = records("owned");
        let child = sleeper();
        let _record = records.note("sleeper", child.id()).unwrap();
        left_alone(records, child).await;
    }

    #[tokio::test]
    async fn another_process_with_a_recorded_id_is_left_alone() {
        let records = records("reused");
        let child = sleeper();
        write(&records, &format!("{} 1", child.id()), NOBODY);
        left_alone(records, child).await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_record_stays() {
        let records = records("foreign");
        for content in ["", "my thesis", "1 2", "1 2\n3 4\n5 6\n", "one 2\n3 4\n"] {
            fs::write(records.folder.join("file"), content).unwrap();
            records.clear().await.unwrap();
            assert_eq!(fs::read_to_string(records.folder.join("file")).unwrap(), content);
        }
        fs::remove_dir_all(&records.folder).unwrap();
    }
}
