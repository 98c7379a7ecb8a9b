//! Where the servers' programs and data lie, and which user runs them.
//!
//! Postgres refuses to run as root. Started by root it runs as `nobody`, who
//! may not be able to reach the checkout or the data directory (a folder above
//! is closed to others): then programs and data are put below `/var/tmp`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::data::DataDir;
use crate::failure::{Failure, IoContext};
use crate::npm;
use crate::postgres::files;
use crate::workspace::Workspace;

/// `nobody` and its group, on Linux and the BSDs' later siblings.
const NOBODY: Owner = Owner { user: 65534, group: 65534 };
/// Where root's servers live when `nobody` can't reach the data directory.
const REACHABLE: &str = "/var/tmp";
/// What the folders there are called, before the part that tells them apart.
const PREFIX: &str = "tidewall-postgres-";
/// In such a folder: which data directory it belongs to.
const BELONGS_TO: &str = "belongs-to";

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Where the servers are.
#[derive(Debug)]
pub(super) struct Place {
    /// Folder of `postgres` and `initdb`.
    pub(super) programs: PathBuf,
    /// Folder of the servers' data directories.
    pub(super) clusters: PathBuf,
    /// Who runs them, where not we.
    pub(super) owner: Option<Owner>,
}

impl Place {
    pub(super) fn find(workspace: &Workspace, data: &DataDir) -> Result<Self, Failure> {
        let package = npm::postgres_package(workspace)?;
        link_libraries(&package)?;
        let owner = rustix::process::geteuid().is_root().then_some(NOBODY);
        let programs = match owner {
            Some(_) if !is_reachable(&package) => reachable_copy(&package)?,
            _ => package.join("native/bin"),
        };
        let mut clusters = data.join("postgres");
        if owner.is_some() && !is_reachable(clusters.parent().unwrap_or(&clusters)) {
            sweep(Path::new(REACHABLE));
            clusters =
                Path::new(REACHABLE).join(format!("{PREFIX}{}", &data.secret("postgres-place")?[..16]));
            files::folder(&clusters, owner)?;
            files::write(&clusters.join(BELONGS_TO), &data.join("lock").display().to_string(), owner)?;
        }
        files::folder(&clusters, owner)?;
        Ok(Self { programs, clusters, owner })
    }

    /// Removes the servers' data directories.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        files::remove(&self.clusters)
    }
}

/// Makes the library links that the package's install script would have made.
fn link_libraries(package: &Path) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: PathBuf,
        target: PathBuf,
    }
    let list = package.join("native/pg-symlinks.json");
    let links = fs::read(&list).or_fail("read", &list)?;
    let links: Vec<Link> = serde_json::from_slice(&links)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", list.display())))?;
    for Link { source, target } in links {
        let target = package.join(target);
        if target.symlink_metadata().is_ok() {
            continue;
        }
        // Source and target are in one folder.
        let source = source.file_name().map(PathBuf::from).unwrap_or(source);
        match std::os::unix::fs::symlink(&source, &target) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error).or_fail("create", &target);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether every user may enter each folder on the way to `path`, and it.
fn is_reachable(path: &Path) -> bool {
    path.ancestors()
        .all(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0))
}

/// A copy of the package's programs that every user can reach, made once for its version.
fn reachable_copy(package: &Path) -> Result<PathBuf, Failure> {
    #[derive(serde::Deserialize)]
    struct Package {
        version: String,
    }
    let description = package.join("package.json");
    let json = fs::read(&description).or_fail("read", &description)?;
    let Package { version } = serde_json::from_slice(&json)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", description.display())))?;
    let folder = Path::new(REACHABLE).join(format!("tidewall-programs-{version}"));
    let programs = folder.join("bin");
    if let Ok(metadata) = fs::symlink_metadata(&folder) {
        // Anybody may write in /var/tmp: only what we put there ourselves is run.
        if !metadata.is_dir() || metadata.uid() != 0 || metadata.permissions().mode() & 0o022 != 0 {
            return Err(Failure::new(format!(
                "{} is not a folder that root alone can write; remove it",
                folder.display()
            )));
        }
        if is_reachable(&programs.join("postgres")) {
            return Ok(programs);
        }
        files::remove(&folder)?;
    }
    let partial = folder.with_extension(format!("partial-{}", std::process::id()));
    files::remove(&partial)?;
    files::copy(&package.join("native"), &partial, None)?;
    // Whoever installed the package may have closed it to others.
    files::open_to_all(&partial)?;
    // Another process may have been quicker; then its copy is as good.
    if fs::rename(&partial, &folder).is_err() {
        files::remove(&partial)?;
    }
    Ok(programs)
}

/// Removes the servers of data directories that are no more.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let belongs_to = fs::read_to_string(path.join(BELONGS_TO));
        if is_ours && belongs_to.is_ok_and(|lock| !lock.is_empty() && !Path::new(&lock).exists()) {
            // What can't be removed stays for the next time.
            let _ = files::remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_closed_to_others_makes_everything_below_unreachable() {
        let folder = std::env::temp_dir().join(format!("tidewall-place-{}", std::process::id()));
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let closed = is_reachable(&folder.join("below"));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let open = is_reachable(&folder.join("below"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(!closed);
        assert_eq!(open, is_reachable(&std::env::temp_dir()));
    }
}
