//! Files that belong to the user the servers run as.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use crate::failure::{Failure, IoContext};
use crate::postgres::place::Owner;

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, content: &str, owner: Option<Owner>) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .or_fail("write", path)?;
    file.write_all(content.as_bytes()).or_fail("write", path)?;
    own(path, owner)
}

/// Makes a folder that only its owner can enter, unless it is there.
pub(super) fn folder(path: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).or_fail("create", path)?;
    own(path, owner)
}

/// Copies a folder with everything in it.
pub(super) fn copy(from: &Path, to: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    fs::create_dir(to).or_fail("create", to)?;
    let mode = fs::metadata(from).or_fail("read", from)?.permissions().mode();
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).or_fail("set the permissions of", to)?;
    own(to, owner)?;
    for entry in fs::read_dir(from).or_fail("read", from)? {
        let entry = entry.or_fail("read", from)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().or_fail("read", &source)?;
        if kind.is_dir() {
            copy(&source, &target, owner)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&source).or_fail("read", &source)?;
            std::os::unix::fs::symlink(link, &target).or_fail("create", &target)?;
        } else {
            fs::copy(&source, &target).or_fail("copy to", &target)?;
            own(&target, owner)?;
        }
    }
    Ok(())
}

/// Removes a file or a folder with everything in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.or_fail("remove", path)
}

fn own(path: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    match owner {
        Some(Owner { user, group }) => {
            chown(path, Some(user), Some(group)).or_fail("change the owner of", path)
        }
        None => Ok(()),
    }
}
