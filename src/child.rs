//! Child processes. Each leads a process group of its own, so that what it has started ends with
//! it, and is on record while it runs, so that the next start finds what a killed one has left.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use crate::failure::{Failure, IoContext};
use crate::leftovers::{Record, Records};

/// Bytes at the end of a log that are looked at for the lines to show.
const TAIL_BYTES: u64 = 16 * 1024;
/// Lines of a failed child's log that are shown.
const TAIL_LINES: usize = 20;
/// Time that a child which is given up has to end what it has started itself. Cargo and its
/// compilers need none; a `tidewall build` needs a little, for children of its own.
const GIVE_UP_DEADLINE: Duration = Duration::from_secs(5);
/// How often its end is looked for.
const GIVE_UP_POLL: Duration = Duration::from_millis(10);

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
            .stderr(log_too);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        Ok(command)
    }

    /// Starts the program; its output is added to the log.
    pub(crate) fn spawn(&self, records: &Records) -> Result<Group, Failure> {
        let mut group = Group::spawn(&mut self.command()?, self.stop_signal).map_err(|error| {
            Failure::new(format!("cannot start {} ({}): {error}", self.name, self.program.display()))
        })?;
        group.record(records.note(&self.name, group.pid)?);
        Ok(group)
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// It can't be started or doesn't exit with 0; the end of its log is shown.
    pub(crate) async fn run(&self, records: &Records) -> Result<(), Failure> {
        File::create(&self.log).or_fail("write", &self.log)?;
        let status = self.spawn(records)?.wait().await.map_err(|error| self.unknown_end(&error))?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// The failure of a program that should have gone on, or exited with 0.
    pub(crate) fn ended(&self, status: ExitStatus) -> Failure {
        see_log(&format!("{} failed ({status})", self.name), &self.log)
    }

    /// The failure of a program whose end the system doesn't tell.
    pub(crate) fn unknown_end(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("cannot wait for {}: {error}", self.name))
    }
}

/// A failure that is explained by the log at `path`: where that is, and its last lines.
pub(crate) fn see_log(sentence: &str, path: &Path) -> Failure {
    Failure::new(format!("{sentence}; its log is {}", path.display())).with_output(tail(path))
}

/// Runs a command to its end, on record under `name`. Given up early, it is told to
/// stop, and has ended with all it has started when this future is gone.
///
/// # Errors
/// It can't be started.
pub(crate) async fn output(command: &mut Command, name: &str, records: &Records) -> std::io::Result<Output> {
    let mut group = Group::spawn(command.stdin(Stdio::null()), Signal::TERM)?;
    // It runs as well without; only what a killed start leaves is then not found.
    group.record = records.note(name, group.pid).ok();
    let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
    let (status, stdout, stderr) = tokio::try_join!(group.child.wait(), read(stdout), read(stderr))?;
    Ok(Output { status, stdout, stderr })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A child and all that it starts. When this value is gone, so are they.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    pid: u32,
    stop_signal: Signal,
    record: Option<Record>,
}

impl Group {
    /// Starts a command that leads a group of its own.
    pub(crate) fn spawn(command: &mut Command, stop_signal: Signal) -> std::io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        // It has one until it has been waited for.
        let pid = child.id().ok_or_else(|| std::io::Error::other("it ended at once"))?;
        Ok(Self { child, pid, stop_signal, record: None })
    }

    /// Keeps `record` for as long as the group.
    pub(crate) fn record(&mut self, record: Record) {
        self.record = Some(record);
    }

    /// What the child reads, where that is piped.
    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What the child says on standard error, where that is piped.
    pub(crate) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The leader's process id, and the group's.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the child has ended.
    pub(crate) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the group to stop, and waits until the child has, or `deadline` has passed.
    pub(crate) async fn stop(&mut self, deadline: Duration) {
        signal_group(self.pid, self.stop_signal);
        let _ = tokio::time::timeout(deadline, self.child.wait()).await;
    }

    /// Kills whatever of the group still runs.
    pub(crate) async fn end(mut self) {
        signal_group(self.pid, Signal::KILL);
        let _ = self.child.wait().await;
    }

    fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.runs() {
            // Work was given up, because the whole command stops or a half of it failed. The
            // child may have started groups of its own, which only it can end. There is nothing
            // else for this thread to do meanwhile.
            signal_group(self.pid, self.stop_signal);
            let end = Instant::now() + GIVE_UP_DEADLINE;
            while self.runs() && Instant::now() < end {
                std::thread::sleep(GIVE_UP_POLL);
            }
        }
        signal_group(self.pid, Signal::KILL);
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

    /// A folder of this test's own, and `script` to run in it.
    fn shell(test: &str, script: &str) -> (PathBuf, Spec) {
        let folder = std::env::temp_dir().join(format!("tidewall-child-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = Spec {
            name: "child".into(),
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            directory: folder.clone(),
            user: None,
            log: folder.join("child.log"),
            stop_signal: Signal::TERM,
        };
        (folder, spec)
    }

    #[tokio::test]
    async fn the_end_of_a_failed_programs_log_is_shown() {
        let (folder, spec) = shell("log", "echo first; echo no such table >&2; exit 3");
        let failure = spec.run(&Records::new(folder.join("run"))).await.unwrap_err().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(failure.contains("  | no such table"), "{failure}");
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_is_told_to_stop_before_it_is_killed() {
        let (folder, spec) =
            shell("given-up", "trap 'echo told > told; exit' TERM; touch runs; while :; do sleep 0.01; done");
        let records = Records::new(folder.join("run"));
        let runs = async {
            while !folder.join("runs").exists() {
                tokio::task::yield_now().await;
            }
        };
        let mut command = spec.command().unwrap();
        tokio::select! {
            ended = output(&mut command, "child", &records) => panic!("{ended:?}"),
            () = runs => {}
        }
        let told = folder.join("told").exists();
        let on_record = std::fs::read_dir(folder.join("run")).unwrap().count();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(told);
        assert_eq!(on_record, 0);
    }

    #[tokio::test]
    async fn a_program_is_on_record_for_as_long_as_it_runs() {
        let (folder, spec) = shell("record", "ls run > seen");
        let records = Records::new(folder.join("run"));
        let group = spec.spawn(&records).unwrap();
        assert_eq!(std::fs::read_dir(folder.join("run")).unwrap().count(), 1);
        drop(group);
        assert_eq!(std::fs::read_dir(folder.join("run")).unwrap().count(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
