//! Where one edge keeps what it stores: in a folder of one run, for an edge must not find the answers
//! of other origins; or in a data directory, where it lasts.
//!
//! What lasts is only as good as the control log beside it, which holds for processes that are killed, and
//! not for a machine that loses power: the end of the log may have been in its memory only. So it lasts
//! until the machine starts anew, and for the same origins; else it is removed before anybody is served.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::data::{self, DataDir};
use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::private;
use crate::progress::Progress;
use crate::workspace::Workspace;
use crate::wrangler::Origin;

/// The file that says for what was stored.
const STORED_FOR: &str = "stored-for.json";
/// Where Linux names the run of the machine. Elsewhere nothing is kept.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One of both.
#[derive(Debug)]
pub(super) enum Place {
    /// Of one run.
    Run(Run),
    /// Of many.
    Data(DataDir),
}

/// For what an edge stores.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredFor {
    /// URLs.
    origins: Vec<String>,
    /// The run of the machine; empty where it has no name.
    boot: String,
}

impl StoredFor {
    /// Whether what was stored then may be served now.
    fn may_be_served(&self, now: &Self) -> bool {
        !self.boot.is_empty() && self == now
    }
}

impl Place {
    /// In `data`, or of this run alone.
    ///
    /// # Errors
    /// Another process has the directory, it holds something else, or the disk refuses.
    pub(super) async fn open(
        data: Option<&Path>,
        workspace: &Workspace,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let Some(path) = data else { return Run::begin(workspace, progress).await.map(Self::Run) };
        let place = Self::Data(DataDir::open(path)?);
        place.records().end_leftovers(progress).await?;
        Ok(place)
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> PathBuf {
        match self {
            Self::Run(run) => run.folder().to_owned(),
            Self::Data(data) => data.join("edge"),
        }
    }

    /// Where the edge stores.
    pub(super) fn state(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// The records of its processes.
    pub(super) fn records(&self) -> Records {
        match self {
            Self::Run(run) => run.records(),
            Self::Data(data) => Records::new(data.join("run")),
        }
    }

    /// A secret, the same for as long as the place lives.
    pub(super) fn secret(&self, name: &str) -> Result<String, Failure> {
        match self {
            Self::Run(_) => data::random_hex(),
            Self::Data(data) => data.secret(name),
        }
    }

    /// Sees to it that an edge before these origins finds nothing that it may not serve. Returns whether
    /// something was removed.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn begin(&self, origins: &[Origin]) -> Result<bool, Failure> {
        let Self::Data(data) = self else { return Ok(false) };
        let path = data.folder("edge")?.join(STORED_FOR);
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let now = StoredFor { origins: origins.iter().map(|origin| origin.url.clone()).collect(), boot };
        // What can't be read says nothing that could be counted on.
        let before = fs::read(&path).ok().and_then(|json| serde_json::from_slice::<StoredFor>(&json).ok());
        if before.is_some_and(|before| before.may_be_served(&now)) {
            return Ok(false);
        }
        let is_removed = remove(&self.state())?;
        let json = serde_json::to_vec(&now)
            .map_err(|error| Failure::new(format!("cannot describe the edge: {error}")))?;
        private::write(&path, json)?;
        Ok(is_removed)
    }

    /// The edge has stopped: of a run all is removed.
    pub(super) fn end(self) {
        if let Self::Run(run) = self {
            run.remove();
        }
    }
}

/// Removes a folder. Returns whether it was there.
pub(crate) fn remove(folder: &Path) -> Result<bool, Failure> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).or_fail("remove", folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored_for(origins: &[&str], boot: &str) -> StoredFor {
        StoredFor { origins: origins.iter().map(|url| (*url).to_owned()).collect(), boot: boot.to_owned() }
    }

    #[test]
    fn what_was_stored_is_served_before_the_same_origins_until_the_machine_starts_anew() {
        let now = stored_for(&["http://a"], "2");
        for (before, may_be_served) in [
            (stored_for(&["http://a"], "2"), true),
            (stored_for(&["http://a"], "1"), false),
            (stored_for(&["http://b"], "2"), false),
            (stored_for(&["http://a", "http://b"], "2"), false),
        ] {
            assert_eq!(before.may_be_served(&now), may_be_served, "{before:?}");
        }
        assert!(
            !stored_for(&["http://a"], "").may_be_served(&stored_for(&["http://a"], "")),
            "nobody can tell"
        );
    }
}
