//! Files that belong to the user the servers run as.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use crate::failure::{Failure, IoContext};
use crate::postgres::place::Owner;
use crate::private;

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, content: &str, owner: Option<Owner>) -> Result<(), Failure> {
    private::write(path, content)?;
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

/// Removes everything in a folder.
pub(super) fn empty(folder: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).or_fail("read", folder)? {
        remove(&entry.or_fail("read", folder)?.path())?;
    }
    Ok(())
}

/// Lets everybody read a folder and run what its owner may run, with everything in it.
pub(super) fn open_to_all(path: &Path) -> Result<(), Failure> {
    let metadata = fs::symlink_metadata(path).or_fail("read", path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let opened = mode | 0o444 | if mode & 0o100 == 0 { 0 } else { 0o111 };
    fs::set_permissions(path, fs::Permissions::from_mode(opened)).or_fail("set the permissions of", path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).or_fail("read", path)? {
            open_to_all(&entry.or_fail("read", path)?.path())?;
        }
    }
    Ok(())
}

fn own(path: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    match owner {
        Some(Owner { user, group }) => {
            chown(path, Some(user), Some(group)).or_fail("change the owner of", path)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_closed_to_others_can_be_opened_to_them() {
        let folder = std::env::temp_dir().join(format!("tidewall-files-{}", std::process::id()));
        fs::create_dir_all(folder.join("bin")).unwrap();
        let modes = [("bin", 0o700), ("bin/program", 0o700), ("bin/library", 0o600)];
        for name in ["bin/program", "bin/library"] {
            fs::write(folder.join(name), "").unwrap();
        }
        for (name, mode) in modes {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        open_to_all(&folder).unwrap();
        let opened =
            modes.map(|(name, _)| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(opened, [0o755, 0o755, 0o644]);
    }
}
