//! Child processes. Each leads a process group of its own, so that what it has started ends with it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::failure::{Failure, IoContext};

/// Bytes at the end of a log that are looked at for the lines to show.
const TAIL_BYTES: u64 = 16 * 1024;
/// Lines of a failed child's log that are shown.
const TAIL_LINES: usize = 20;

/// How to start a program.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// What people call it; also the name of its log.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Added to the environment that is inherited.
    pub(crate) env: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    /// The user and group to run it as, where not our own.
    pub(crate) user: Option<(u32, u32)>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    /// What asks it to stop.
    pub(crate) stop_signal: Signal,
}

impl Spec {
    fn command(&self) -> Result<Command, Failure> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).or_fail("write", &self.log)?;
        let log_too = log.try_clone().or_fail("write", &self.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .process_group(0);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        Ok(command)
    }

    /// Starts the program; its output is added to the log.
    pub(crate) fn spawn(&self) -> Result<Child, Failure> {
        self.command()?.spawn().map_err(|error| {
            Failure::new(format!("cannot start {} ({}): {error}", self.name, self.program.display()))
        })
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// It can't be started or doesn't exit with 0; the end of its log is shown.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        File::create(&self.log).or_fail("write", &self.log)?;
        let mut child = self.spawn()?;
        let _group = child.id().map(GroupGuard);
        let status = child
            .wait()
            .await
            .map_err(|error| Failure::new(format!("cannot wait for {}: {error}", self.name)))?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// The failure of a program that should have gone on, or exited with 0.
    pub(crate) fn ended(&self, status: ExitStatus) -> Failure {
        Failure::new(format!("{} failed ({status}); its log is {}", self.name, self.log.display()))
            .with_output(tail(&self.log))
    }
}

/// Runs a command to its end. Given up early, it is killed with all it has started.
///
/// # Errors
/// It can't be started.
pub(crate) async fn output(command: &mut Command) -> std::io::Result<Output> {
    let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
    let _group = child.id().map(GroupGuard);
    child.wait_with_output().await
}

/// Kills a process group when the work that needs it is given up or done.
pub(crate) struct GroupGuard(pub(crate) u32);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        signal_group(self.0, Signal::KILL);
    }
}

/// Sends a signal to every process of a group, if there are any.
pub(crate) fn signal_group(pid: u32, signal: Signal) {
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It fails only where the group is gone, which is what was wanted.
        let _ = kill_process_group(group, signal);
    }
}

/// The last lines of the log at `path`.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_failed_programs_log_is_shown() {
        let folder = std::env::temp_dir().join(format!("tidewall-child-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = Spec {
            name: "child".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), "echo first; echo no such table >&2; exit 3".into()],
            env: Vec::new(),
            directory: folder.clone(),
            user: None,
            log: folder.join("child.log"),
            stop_signal: Signal::TERM,
        };
        let failure = spec.run().await.unwrap_err().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(failure.contains("  | no such table"), "{failure}");
    }
}
