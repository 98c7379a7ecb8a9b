//! Rebuilds the part that a changed source file belongs to.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::failure::{Failure, IoContext};
use crate::progress::Progress;
use crate::service::Service;
use crate::workspace::Workspace;
use crate::{cargo, child};

/// An editor saves several files at once, and each in several steps: what
/// follows within this time is the same change.
const SETTLES: Duration = Duration::from_millis(250);

/// Where the sources are.
const FOLDERS: [&str; 5] = ["app", "assets", "edge", "origin", "public"];
/// Of the files that packages are built from.
const SOURCE_EXTENSIONS: [&str; 4] = ["js", "rs", "sql", "toml"];

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
    /// Begins to watch the sources in `root`, a checkout's.
    ///
    /// # Errors
    /// The system refuses, for instance because too many files are watched already.
    pub(super) fn start(root: &Path) -> Result<Self, Failure> {
        let cannot = |error: notify::Error| {
            Failure::new(format!("cannot watch the sources: {error}; pass --no-watch to go on without"))
        };
        let (sender, changes) = mpsc::unbounded_channel();
        // Changes are told by their real paths.
        let root = root.canonicalize().or_fail("find the sources in", root)?;
        let sources = root.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if event.kind.is_access() {
                return;
            }
            let changed = event
                .paths
                .iter()
                .filter_map(|path| path.strip_prefix(&sources).ok())
                .flat_map(belongs_to)
                .copied()
                .collect();
            // Nobody listens any more only while the command stops.
            let _ = sender.send(changed);
        })
        .map_err(cannot)?;
        for folder in FOLDERS {
            watcher.watch(&root.join(folder), RecursiveMode::Recursive).map_err(cannot)?;
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

/// The parts that a file, named from the checkout's root, goes into: none where it is no source.
fn belongs_to(path: &Path) -> &'static [Changed] {
    if !is_source(path) {
        &[]
    } else if path.starts_with("origin/api") {
        &[Changed::Site, Changed::Origin]
    } else if path.starts_with("origin") {
        &[Changed::Origin]
    } else {
        &[Changed::Site]
    }
}

/// Whether a file is one that something is built from: not a test, not a note, and not what an
/// editor puts beside a file while it saves it.
fn is_source(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    if name.starts_with(['.', '#']) || name.ends_with('~') {
        return false;
    }
    if path.starts_with("public") {
        return true;
    }
    let is_test = path.components().any(|part| part.as_os_str() == "tests");
    let extension = path.extension().and_then(OsStr::to_str);
    !is_test && extension.is_some_and(|extension| SOURCE_EXTENSIONS.contains(&extension))
}

/// Builds what changed and puts it to use. What doesn't build is said, and the old goes on running.
pub(super) async fn rebuild(
    changed: Vec<Changed>,
    workspace: &Workspace,
    origins: impl Iterator<Item = &Arc<Service>>,
    progress: &Progress,
) {
    let outcome = async {
        if changed.contains(&Changed::Site) {
            progress.step("a source changed: building the site and the Worker");
            // Pages are made by the command itself, so it builds itself anew and
            // leaves the work to what it has become. wrangler and the origins notice the outcome.
            let mut command = cargo::command(workspace);
            command.args(["run", "--quiet", "--package", "tidewall", "--", "build", "--dev"]);
            let built = child::output(&mut command, "build", workspace.children()).await;
            if !built.is_ok_and(|output| output.status.success()) {
                return Err(Failure::new("it does not build; the last build stays"));
            }
        }
        if changed.contains(&Changed::Origin) {
            progress.step("a source changed: building the origin");
            cargo::build(workspace, cargo::Artifact::Binary("tidewall-origin")).await?;
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
    use std::fs;

    use super::*;

    fn check(path: &str, parts: &[Changed]) {
        assert_eq!(belongs_to(Path::new(path)), parts, "{path}");
    }

    #[test]
    fn the_wire_types_belong_to_every_part() {
        check("origin/api/src/job.rs", &[Changed::Site, Changed::Origin]);
        check("origin/src/lib.rs", &[Changed::Origin]);
        check("origin/migrations/V1__shop.sql", &[Changed::Origin]);
        check("public/styles.css", &[Changed::Site]);
        check("edge/shim.js", &[Changed::Site]);
        check("app/Cargo.toml", &[Changed::Site]);
    }

    #[test]
    fn what_nothing_is_built_from_belongs_to_no_part() {
        for path in [
            "origin/src/.lib.rs.swp",
            "origin/src/lib.rs~",
            "origin/src/#lib.rs#",
            "origin/src/4913",
            "origin/src",
            "origin/README.md",
            "origin/tests/health.rs",
            "public/.DS_Store",
        ] {
            check(path, &[]);
        }
    }

    #[tokio::test]
    async fn a_change_is_told_once_it_has_settled() {
        let root = std::env::temp_dir().join(format!("tidewall-watch-{}", std::process::id()));
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder).join("src")).unwrap();
        }
        let mut watcher = Watcher::start(&root).unwrap();
        fs::write(root.join("origin/src/notes.txt"), "").unwrap();
        fs::write(root.join("origin/src/lib.rs"), "").unwrap();
        let changed = tokio::time::timeout(Duration::from_secs(60), watcher.next()).await;
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(changed, Ok(vec![Changed::Origin]));
    }
}
