//! Where one edge keeps what it stores: in a folder of one run, for an edge must not find the answers
//! of other origins; or in a data directory, where it lasts.
//!
//! What lasts is only as good as the control log beside it. It is dropped, by a purge of everything before
//! anybody is served, where that can't be counted on: the origins are others now; or the machine itself
//! has stopped under a running edge, and the end of the log may have been in its memory only.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::Run;
use crate::data::{self, DataDir};
use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::progress::Progress;
use crate::workspace::Workspace;
use crate::wrangler::Origin;

/// The file that says for what was stored.
const STORED_FOR: &str = "stored-for.json";
/// Where Linux names the run of the machine. Elsewhere a machine that has stopped can't be told from a
/// process that was killed, and counts as stopped.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One of both.
#[derive(Debug)]
pub(super) enum Place {
    /// Of one run.
    Run(Run),
    /// Of many.
    Data(DataDir),
}

/// For what an edge stores, and how its last run went.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredFor {
    /// URLs.
    origins: Vec<String>,
    /// The run of the machine; empty where it has no name.
    boot: String,
    /// The edge has stopped in good order.
    is_stopped: bool,
}

impl StoredFor {
    /// Whether what was stored then may be served now.
    fn may_be_served(&self, now: &Self) -> bool {
        self.origins == now.origins && (self.is_stopped || (!self.boot.is_empty() && self.boot == now.boot))
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

    /// Notes that an edge before these origins begins. Returns whether it may serve what was stored before.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn begin(&self, origins: &[Origin]) -> Result<bool, Failure> {
        let Self::Data(data) = self else { return Ok(true) };
        let path = data.folder("edge").map(|folder| folder.join(STORED_FOR))?;
        let now = stored_for(origins, false);
        // What can't be read says nothing that could be counted on.
        let before = fs::read(&path).map(|json| serde_json::from_slice::<StoredFor>(&json));
        let may_be_served = match before {
            Ok(Ok(before)) => before.may_be_served(&now),
            Ok(Err(_)) => false,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(error).or_fail("read", &path),
        };
        if may_be_served {
            write(&path, &now)?;
        }
        Ok(may_be_served)
    }

    /// Notes that what was stored before is dropped.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn dropped(&self, origins: &[Origin]) -> Result<(), Failure> {
        write(&self.folder().join(STORED_FOR), &stored_for(origins, false))
    }

    /// Notes that the edge has stopped, where what is noted `is_true`; of a run all is removed.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn end(self, origins: &[Origin], is_true: bool) -> Result<(), Failure> {
        match self {
            Self::Run(run) => {
                run.remove();
                Ok(())
            }
            Self::Data(_) if !is_true => Ok(()),
            Self::Data(_) => write(&self.folder().join(STORED_FOR), &stored_for(origins, true)),
        }
    }
}

fn stored_for(origins: &[Origin], is_stopped: bool) -> StoredFor {
    let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
    StoredFor { origins: origins.iter().map(|origin| origin.url.clone()).collect(), boot, is_stopped }
}

fn write(path: &Path, stored_for: &StoredFor) -> Result<(), Failure> {
    let json = serde_json::to_vec(stored_for)
        .map_err(|error| Failure::new(format!("cannot describe the edge: {error}")))?;
    crate::private::write(path, json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored_for(origins: &[&str], boot: &str, is_stopped: bool) -> StoredFor {
        let origins = origins.iter().map(|url| (*url).to_owned()).collect();
        StoredFor { origins, boot: boot.to_owned(), is_stopped }
    }

    #[test]
    fn what_was_stored_is_served_before_the_same_origins_unless_the_machine_stopped_under_it() {
        let now = stored_for(&["http://a"], "2", false);
        for (before, may_be_served) in [
            (stored_for(&["http://a"], "2", true), true),
            (stored_for(&["http://a"], "1", true), true),
            (stored_for(&["http://a"], "2", false), true),
            (stored_for(&["http://a"], "1", false), false),
            (stored_for(&["http://b"], "2", true), false),
            (stored_for(&["http://a", "http://b"], "2", true), false),
        ] {
            assert_eq!(before.may_be_served(&now), may_be_served, "{before:?}");
        }
        let unnamed = stored_for(&["http://a"], "", false);
        assert!(!unnamed.may_be_served(&stored_for(&["http://a"], "", false)), "nobody can tell");
    }
}
