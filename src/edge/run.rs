//! The folder of one run of the edge alone: its configuration, its log, and what it stores,
//! for an edge must not find the answers of other origins.
//!
//! Several may run at once, each under a lock of its own. What a killed one left, and the log of
//! one that failed, stay until the next start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::progress::Progress;
use crate::workspace::Workspace;
use crate::{data, lock};

/// A folder, locked for as long as this value lives.
#[derive(Debug)]
pub(super) struct Run {
    folder: PathBuf,
    _lock: File,
}

impl Run {
    /// Makes a folder, and clears those whose runs are over.
    pub(super) async fn begin(workspace: &Workspace, progress: &Progress) -> Result<Self, Failure> {
        Self::begin_in(&workspace.join("target/tidewall-edge"), progress).await
    }

    async fn begin_in(all: &Path, progress: &Progress) -> Result<Self, Failure> {
        fs::create_dir_all(all).or_fail("create", all)?;
        // Else another start could clear a folder between its making and its locking.
        let _one_at_a_time = lock::take(&all.join("lock")).await?;
        for entry in fs::read_dir(all).or_fail("read", all)? {
            let folder = entry.or_fail("read", all)?.path();
            if folder.is_dir() {
                sweep(&folder, progress).await?;
            }
        }
        let folder = all.join(&data::random_hex()?[..16]);
        fs::create_dir(&folder).or_fail("create", &folder)?;
        match lock::try_take(&folder.join("lock"))? {
            Some(lock) => Ok(Self { folder, _lock: lock }),
            None => Err(Failure::new(format!("{} is in use already; try again", folder.display()))),
        }
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The records of its processes.
    pub(super) fn records(&self) -> Records {
        records(&self.folder)
    }

    /// Removes the folder of a run that is over.
    pub(super) fn remove(self) {
        // What can't be removed now is cleared at the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn records(folder: &Path) -> Records {
    Records::new(folder.join("run"))
}

/// Ends what a run has left and removes its folder, unless it still goes on.
async fn sweep(folder: &Path, progress: &Progress) -> Result<(), Failure> {
    if lock::try_take(&folder.join("lock"))?.is_some() {
        records(folder).end_leftovers(progress).await?;
        fs::remove_dir_all(folder).or_fail("remove", folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_clears_runs_that_are_over_and_no_other() {
        let all = std::env::temp_dir().join(format!("tidewall-edge-run-{}", std::process::id()));
        let progress = Progress::start();
        let over = Run::begin_in(&all, &progress).await.unwrap().folder().to_owned();
        assert!(over.is_dir(), "what a failed run has written is there to be read");
        let first = Run::begin_in(&all, &progress).await.unwrap();
        let second = Run::begin_in(&all, &progress).await.unwrap();
        let there = [&over, first.folder(), second.folder()].map(Path::is_dir);
        fs::remove_dir_all(&all).unwrap();
        assert_eq!(there, [false, true, true]);
    }
}
