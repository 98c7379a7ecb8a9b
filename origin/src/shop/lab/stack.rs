//! What `tidewall dev` runs, by its ready file, and its way to be told something.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Pid, Signal, getpid, getppid, kill_process};
use serde::Deserialize;
use tidewall_api::postgres::Authorities;
use tokio_postgres::{Client, Config};

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
        let gone = || ApiError::Busy("Nobody watches over this origin. Start the system again.".to_owned());
        // A number that was given to somebody else since is no parent of this process.
        let watcher = Pid::from_raw(self.read().await?.pid).filter(|pid| getppid() == Some(*pid));
        kill_process(watcher.ok_or_else(gone)?, Signal::USR1).map_err(|_| gone())
    }
}

/// Ends this process as a machine that fails does; who watches over it starts it again.
pub(super) fn end_oneself() {
    // A signal that can't be sent leaves everything as it is.
    let _sent = kill_process(getpid(), Signal::KILL);
}

/// How to reach a server of the database that a URL names.
pub(super) fn server(url: &str) -> Result<Config, ApiError> {
    let read = Authorities::of_environment().read(url);
    read.map_err(|_| ApiError::Busy("The database has no URL.".to_owned()))
}

/// A connection of its own to such a server.
pub(super) async fn connect(url: &str) -> Result<Client, ApiError> {
    let encryption = Authorities::of_environment().encryption().map_err(ApiError::internal)?;
    let (client, connection) = server(url)?.connect(encryption).await.map_err(ApiError::internal)?;
    tokio::spawn(async move {
        // Ends with the client; what fails, its statements are told.
        let _ended = connection.await;
    });
    Ok(client)
}
