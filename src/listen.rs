//! A program that is at work for a while: listened to, and not let run for ever.

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::child::Group;
use crate::failure::Failure;
use crate::leftovers::Records;
use crate::progress::Progress;

/// Runs a program to its end; what it says on standard error are steps.
///
/// # Errors
/// It can't be started, fails, or doesn't end `within` this time.
pub(crate) async fn listen(
    command: &mut Command,
    name: &str,
    input: &[u8],
    within: Duration,
    records: &Records,
    progress: &Progress,
) -> Result<(), Failure> {
    match tokio::time::timeout(within, steps(command, name, input, records, progress)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::new(format!("{name} did not end within {} minutes", within.as_secs() / 60))),
    }
}

async fn steps(
    command: &mut Command,
    name: &str,
    input: &[u8],
    records: &Records,
    progress: &Progress,
) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("cannot run {name}: {error}"));
    let mut group = Group::spawn(command, Signal::TERM).map_err(cannot)?;
    group.record(records.note(name, group.pid())?);
    if let Some(mut stdin) = group.stdin() {
        stdin.write_all(input).await.map_err(cannot)?;
    }
    if let Some(stderr) = group.stderr() {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await.map_err(cannot)? {
            progress.step(line);
        }
    }
    let status = group.wait().await.map_err(cannot)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{name} failed ({status}); the last line above says why")))
}
