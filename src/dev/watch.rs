//! Rebuilds the part that a changed source file belongs to.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::service::Service;
use crate::workspace::{Flavor, Workspace};
use crate::{cargo, child};

/// An editor saves several files at once, and each in several steps: what
/// follows within this time is the same change.
const SETTLES: Duration = Duration::from_millis(250);

/// What can be rebuilt by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    /// The site or the Worker: the command's own build finds which.
    Site,
    /// The origins and the worker.
    Origin,
}

/// Watches the sources.
pub(super) struct Watcher {
    // Watching ends when it is dropped.
    _watcher: notify::RecommendedWatcher,
    changes: mpsc::UnboundedReceiver<Vec<Changed>>,
}

impl Watcher {
    /// Begins to watch the checkout's sources.
    ///
    /// # Errors
    /// The system refuses, for instance because too many files are watched already.
    pub(super) fn start(workspace: &Workspace) -> Result<Self, Failure> {
        let cannot = |error: notify::Error| {
            Failure::new(format!("cannot watch the sources: {error}; pass --no-watch to go on without"))
        };
        let (sender, changes) = mpsc::unbounded_channel();
        let root = workspace.root().to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if event.kind.is_access() {
                return;
            }
            let changed = event
                .paths
                .iter()
                .filter_map(|path| path.strip_prefix(&root).ok())
                .flat_map(belongs_to)
                .collect();
            // Nobody listens any more only while the command stops.
            let _ = sender.send(changed);
        })
        .map_err(cannot)?;
        for folder in ["app", "assets", "edge", "origin", "public"] {
            watcher.watch(&workspace.join(folder), RecursiveMode::Recursive).map_err(cannot)?;
        }
        Ok(Self { _watcher: watcher, changes })
    }

    /// The next change, once it has settled: each part at most once.
    pub(super) async fn next(&mut self) -> Vec<Changed> {
        let mut all: Vec<Changed> = Vec::new();
        while all.is_empty() {
            match self.changes.recv().await {
                Some(changed) => all.extend(changed),
                None => std::future::pending().await,
            }
        }
        while let Ok(Some(changed)) = tokio::time::timeout(SETTLES, self.changes.recv()).await {
            all.extend(changed);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The parts that a source file, named from the checkout's root, goes into.
fn belongs_to(path: &Path) -> Vec<Changed> {
    let parts: &[Changed] = if path.starts_with("origin/api") {
        &[Changed::Site, Changed::Origin]
    } else if path.starts_with("origin") {
        &[Changed::Origin]
    } else {
        &[Changed::Site]
    };
    parts.to_vec()
}

/// Builds what changed and puts it to use. What doesn't build is said, and the old goes on running.
pub(super) async fn rebuild(
    changed: Vec<Changed>,
    workspace: &Workspace,
    origins: impl Iterator<Item = &Arc<Service>>,
    progress: &Progress,
) {
    let outcome = async {
        // Origins read the site's manifest when they start.
        let mut origins_differ = false;
        if changed.contains(&Changed::Site) {
            progress.step("a source changed: building the site and the Worker");
            // Pages are made by the command itself, so it builds itself anew and
            // leaves the work to what it has become. wrangler notices the outcome.
            let mut command = cargo::command(workspace);
            command.args(["run", "--quiet", "--package", "tidewall", "--", "build", "--dev"]);
            let manifest = workspace.site(Flavor::Dev).join(tidewall_api::manifest::FILE_NAME);
            let before = fs::read(&manifest).ok();
            let built = child::output(&mut command, "build", workspace.children()).await;
            if !built.is_ok_and(|output| output.status.success()) {
                return Err(Failure::new("it does not build; the last build stays"));
            }
            origins_differ = fs::read(&manifest).ok() != before;
        }
        if changed.contains(&Changed::Origin) {
            progress.step("a source changed: building the origin");
            cargo::build(workspace, cargo::Artifact::Binary("tidewall-origin")).await?;
            origins_differ = true;
        }
        if origins_differ {
            for service in origins {
                service.restart();
            }
        }
        progress.step("rebuilt");
        Ok(())
    };
    if let Err(failure) = outcome.await {
        progress.step(failure.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_types_belong_to_every_part() {
        assert_eq!(belongs_to(Path::new("origin/api/src/job.rs")), [Changed::Site, Changed::Origin]);
        assert_eq!(belongs_to(Path::new("origin/src/lib.rs")), [Changed::Origin]);
        assert_eq!(belongs_to(Path::new("public/styles.css")), [Changed::Site]);
        assert_eq!(belongs_to(Path::new("edge/src/lib.rs")), [Changed::Site]);
    }
}
