//! The ready file: what runs where, for programs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, IoContext};
use crate::origins::Staff;
use crate::private;

/// The ready file that is in the data directory of each running stack, for other commands.
pub(crate) const FILE: &str = "ready.json";

/// What a ready file says, or the part of it that `T` reads; where there is none, `missing`
/// says what to do.
///
/// # Errors
/// It isn't there, or is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, missing: &str) -> Result<T, Failure> {
    let json = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("there is no ready file {}; {missing}", path.display()))
        }
        _ => Failure::new(format!("cannot read {}: {error}", path.display())),
    })?;
    serde_json::from_slice(&json)
        .map_err(|error| Failure::new(format!("{} is no ready file: {error}", path.display())))
}

/// A running stack. Has no `Debug`: it holds secrets.
#[derive(Serialize)]
pub(crate) struct Stack {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edge: Option<String>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) primary: String,
    pub(crate) replicas: Vec<String>,
    pub(crate) purge_token: String,
    pub(crate) staff: Staff,
    pub(crate) pid: u32,
}

/// A running edge without the rest.
#[derive(Debug, Serialize)]
pub(crate) struct Edge {
    pub(crate) edge: String,
    pub(crate) purge_token: String,
    pub(crate) pid: u32,
}

/// A running origin.
#[derive(Debug, Serialize)]
pub(crate) struct Origin {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) pid: Option<u32>,
}

/// A running queue worker.
#[derive(Debug, Serialize)]
pub(crate) struct Worker {
    pub(crate) pid: Option<u32>,
}

/// The file, there for as long as what it describes runs.
#[derive(Debug)]
pub(crate) struct ReadyFile {
    path: Option<PathBuf>,
}

impl ReadyFile {
    /// The file that will be at `path`; one that an earlier run left is removed.
    ///
    /// # Errors
    /// It can't be written there, which is found out before anything starts.
    pub(crate) fn new(path: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = &path {
            private::write(path, "")
                .map_err(|failure| Failure::new(format!("{failure}; pass --ready-file with another path")))?;
            fs::remove_file(path).or_fail("replace the ready file", path)?;
        }
        Ok(Self { path })
    }

    /// Writes the file whole: nobody reads half of it. It names the purge token and
    /// the passwords of the database and of the staff account.
    pub(crate) fn write(&self, content: &impl Serialize) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let json = serde_json::to_vec(content)
            .map_err(|error| Failure::new(format!("cannot describe what runs: {error}")))?;
        private::write(path, json)
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Nothing is left to say where it can't be removed.
            let _ = fs::remove_file(path);
        }
    }
}
