//! The ready file: what runs where, for programs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Failure, IoContext};

/// A running stack.
#[derive(Debug, Serialize)]
pub(crate) struct Stack {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edge: Option<String>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) primary: String,
    pub(crate) replicas: Vec<String>,
    pub(crate) purge_token: String,
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
    pub(crate) fn new(path: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = &path {
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).or_fail("replace the ready file", path);
                }
                _ => {}
            }
        }
        Ok(Self { path })
    }

    /// Writes the file whole: nobody reads half of it.
    pub(crate) fn write(&self, content: &impl Serialize) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let json = serde_json::to_vec(content)
            .map_err(|error| Failure::new(format!("cannot describe what runs: {error}")))?;
        let mut partial_name = path.file_name().unwrap_or_default().to_owned();
        partial_name.push(".partial");
        let partial: &Path = &path.with_file_name(partial_name);
        // It names the purge token and the database's password.
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(partial)
            .or_fail("write", partial)?;
        file.write_all(&json).or_fail("write", partial)?;
        fs::rename(partial, path).or_fail("write", path)
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
