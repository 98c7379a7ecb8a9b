//! Files that hold a secret: only their owner can read them.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};

/// Writes a private file whole: nobody reads half of it, and one that others
/// could read is replaced.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    let partial = partial(path);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).or_fail("replace", &partial);
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&partial)
        .or_fail("write", &partial)?;
    let written = file.write_all(content.as_ref()).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    }
    written.or_fail("write", path)
}

/// What the file is called before it is whole.
fn partial(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_others_could_read_is_private_once_it_is_written() {
        let folder = std::env::temp_dir().join(format!("tidewall-private-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "new").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let content = fs::read_to_string(&path).unwrap();
        let others = fs::read_dir(&folder).unwrap().count() - 1;
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!((mode & 0o777, content.as_str(), others), (0o600, "new", 0));
    }
}
