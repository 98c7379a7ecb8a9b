//! What `tidewall dev` runs, by its ready file, and its way to be told something.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Deserialize;

use crate::http::error::ApiError;

/// The system; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    file: Arc<Path>,
}

/// What runs now. Has no `Debug`: it holds passwords.
#[derive(Deserialize)]
pub(super) struct Running {
    pub(super) origins: Vec<Origin>,
    pub(super) primary: String,
    pub(super) replicas: Vec<String>,
    pub(super) edge: Option<String>,
    pub(super) purge_token: String,
    /// The process that restarts what dies.
    pid: i32,
}

/// An origin.
#[derive(Deserialize)]
pub(super) struct Origin {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) pid: Option<i32>,
}

impl Stack {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file: file.into() }
    }

    /// What runs now. The file is written once all does.
    pub(super) async fn read(&self) -> Result<Running, ApiError> {
        let json = tokio::fs::read(&self.file).await;
        let running = json.ok().and_then(|json| serde_json::from_slice(&json).ok());
        running.ok_or_else(|| ApiError::Busy("The system is being started. Wait a moment.".to_owned()))
    }

    /// Has the origins restarted one by one, as a deployment does.
    pub(super) async fn restart(&self) -> Result<(), ApiError> {
        signal(self.read().await?.pid, Signal::USR1)
    }
}

/// Kills a process; who watches over it starts it again.
pub(super) fn kill(pid: i32) -> Result<(), ApiError> {
    signal(pid, Signal::KILL)
}

fn signal(pid: i32, signal: Signal) -> Result<(), ApiError> {
    let pid = Pid::from_raw(pid).filter(|pid| *pid != Pid::INIT);
    let gone = || ApiError::Busy("That process is gone. Wait a moment.".to_owned());
    kill_process(pid.ok_or_else(gone)?, signal).map_err(|_| gone())
}

/// Whether there is such a process.
pub(super) fn is_running(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}
