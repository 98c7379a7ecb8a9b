//! A folder of authored files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Source;

/// Largest file that the edge's platform takes as an asset (Cloudflare Workers: 25 MiB).
const ASSET_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Why a folder could not be turned into assets.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The folder or a file in it could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name that is no UTF-8 has no place in a URL.
    #[error("the name of {} is not UTF-8; rename it", .0.display())]
    NameNotUtf8(PathBuf),
    /// A link could lead out of the folder, and other machines don't have its target.
    #[error("{} is a symbolic link; put the file itself there", .0.display())]
    SymbolicLink(PathBuf),
    /// Too large for the platform.
    #[error("{} has {bytes} bytes, more than the {ASSET_BYTES_MAX} an asset may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// Reads every file below `root`, ordered by name, so that the outcome is the same on every machine.
///
/// # Errors
/// A file that can't be read, or can't be an asset, with its path.
pub fn read_directory(root: &Path) -> Result<Vec<Source>, DirectoryError> {
    let mut files = Vec::new();
    read_into(root, "", &mut files)?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn read_into(folder: &Path, prefix: &str, files: &mut Vec<Source>) -> Result<(), DirectoryError> {
    let unreadable = |path: &Path, source| DirectoryError::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
        let entry = entry.map_err(|source| unreadable(folder, source))?;
        let path = entry.path();
        let file_name = entry.file_name();
        let file_name = file_name.to_str().ok_or_else(|| DirectoryError::NameNotUtf8(path.clone()))?;
        let name = format!("{prefix}{file_name}");
        let metadata = entry.metadata().map_err(|source| unreadable(&path, source))?;
        if metadata.is_symlink() {
            return Err(DirectoryError::SymbolicLink(path));
        }
        if metadata.is_dir() {
            read_into(&path, &format!("{name}/"), files)?;
            continue;
        }
        if metadata.len() > ASSET_BYTES_MAX {
            return Err(DirectoryError::TooLarge { path, bytes: metadata.len() });
        }
        let bytes = fs::read(&path).map_err(|source| unreadable(&path, source))?;
        files.push(Source { name, bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tidewall-assets-{}-{test}", std::process::id()));
        fs::create_dir_all(path.join("icons")).unwrap();
        path
    }

    #[test]
    fn files_come_ordered_by_name_with_their_folders() {
        let root = folder("order");
        fs::write(root.join("z.css"), "z{}").unwrap();
        fs::write(root.join("icons/a.svg"), "<svg/>").unwrap();
        let names: Vec<String> = read_directory(&root).unwrap().into_iter().map(|file| file.name).collect();
        fs::remove_dir_all(root).unwrap();
        assert_eq!(names, ["icons/a.svg", "z.css"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_refused() {
        let root = folder("link");
        std::os::unix::fs::symlink("/etc/hostname", root.join("host")).unwrap();
        let read = read_directory(&root);
        fs::remove_dir_all(root).unwrap();
        assert!(matches!(read, Err(DirectoryError::SymbolicLink(_))));
    }

    #[test]
    fn what_the_platform_does_not_take_is_refused() {
        let root = folder("large");
        let file = fs::File::create(root.join("film.mp4")).unwrap();
        file.set_len(30 * 1024 * 1024).unwrap();
        let error = read_directory(&root).unwrap_err().to_string();
        fs::remove_dir_all(root).unwrap();
        assert!(
            error.contains("film.mp4 has 31457280 bytes, more than the 26214400 an asset may have"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = read_directory(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
