//! The program that measures: told which servers there are, listened to, and not
//! let run for ever.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::bench::Run;
use crate::child::Group;
use crate::failure::Failure;
use crate::npm;
use crate::postgres::Servers;

/// Time that everything together may take to be measured.
const MEASURE_MAX: Duration = Duration::from_mins(90);
/// Its name on record.
const NAME: &str = "bench";

/// Runs the program at `path` to its end. What it prints is the result.
///
/// # Errors
/// It can't be started, fails, or doesn't end.
pub(super) async fn run(path: &Path, run: &Run<'_>, servers: Option<&Servers>) -> Result<(), Failure> {
    let mut command = Command::new(path);
    command.args(&run.arguments);
    // It must not find another's.
    command.env_remove("DATABASE_URL").env_remove("REPLICA_URLS");
    if let Some(servers) = servers {
        command.env("DATABASE_URL", &servers.primary).env("REPLICA_URLS", servers.replicas.join(","));
    }
    command
        .env("PATH", npm::path_with_node(run.workspace)?)
        .current_dir(run.workspace.root())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    match tokio::time::timeout(MEASURE_MAX, listen(&mut command, run)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(Failure::new(format!("measuring did not end within {} minutes", MEASURE_MAX.as_secs() / 60)))
        }
    }
}

async fn listen(command: &mut Command, run: &Run<'_>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("cannot run the benches: {error}"));
    let mut group = Group::spawn(command, Signal::TERM).map_err(cannot)?;
    group.record(run.records.note(NAME, group.pid())?);
    if let Some(stderr) = group.stderr() {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await.map_err(cannot)? {
            run.progress.step(line);
        }
    }
    let status = group.wait().await.map_err(cannot)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("the benches failed ({status}); the last line above says why")))
}
