//! The folders of the servers: what is in them, and how they change places.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};
use crate::postgres::leader::Found;
use crate::postgres::{files, name};

/// What makes a server a replica.
pub(super) const STANDBY_SIGNAL: &str = "standby.signal";

/// Reads the folders of all servers below `clusters`.
///
/// # Errors
/// One is no server's, or of another major version than `major`.
pub(super) fn find(clusters: &Path, major: &str) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(clusters).or_fail("read", clusters)? {
        let entry = entry.or_fail("read", clusters)?;
        let folder_name = entry.file_name();
        let Some(index) = folder_name.to_str().and_then(index) else { continue };
        let folder = entry.path();
        check_version(&folder, major)?;
        let is_standby = folder.join(STANDBY_SIGNAL).is_file();
        found.push(Found { index, timeline: timeline(&folder)?, is_standby });
    }
    found.sort_unstable_by_key(|server| server.index);
    Ok(found)
}

/// The server that a folder of this name holds.
fn index(folder_name: &str) -> Option<usize> {
    let number = || folder_name.strip_prefix("replica")?.parse().ok();
    let index = if folder_name == "primary" { 0 } else { number()? };
    (name(index) == folder_name).then_some(index)
}

fn check_version(folder: &Path, major: &str) -> Result<(), Failure> {
    let version = folder.join("PG_VERSION");
    match fs::read_to_string(&version) {
        Ok(found) if found.trim() == major => Ok(()),
        Ok(found) => Err(Failure::new(format!(
            "{} is of PostgreSQL {}, this tidewall runs {major}; delete the data directory, or pass --data with another one",
            folder.display(),
            found.trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::new(format!(
            "{} holds no database (PG_VERSION is missing); move it away, or pass --data with another directory",
            folder.display()
        ))),
        Err(error) => Err(error).or_fail("read", &version),
    }
}

/// The greatest timeline that the server at `folder` knows of. Its WAL's names tell,
/// from the moment of a promotion; the control data follow at the next checkpoint.
fn timeline(folder: &Path) -> Result<u32, Failure> {
    let wal = folder.join("pg_wal");
    let names = fs::read_dir(&wal).or_fail("read", &wal)?.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| timeline_of(name.to_str()?)).max().ok_or_else(|| {
        Failure::new(format!(
            "{} has no WAL; move {} away, or pass --data with another directory",
            wal.display(),
            folder.display()
        ))
    })
}

/// The timeline of a file of WAL, or of a timeline's history: its first 8 hexadecimal digits.
fn timeline_of(file_name: &str) -> Option<u32> {
    let (stem, extension) = file_name.split_once('.').unwrap_or((file_name, ""));
    let is_one = match stem.len() {
        24 => matches!(extension, "" | "partial"),
        8 => extension == "history",
        _ => false,
    };
    (is_one && stem.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(())?;
    u32::from_str_radix(&stem[..8], 16).ok()
}

/// Removes a server's folder. One that is half removed is called otherwise.
pub(super) fn discard(folder: &Path) -> Result<(), Failure> {
    let gone = folder.with_extension("gone");
    files::remove(&gone)?;
    match fs::rename(folder, &gone) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        renamed => {
            renamed.or_fail("remove", folder)?;
            files::remove(&gone)
        }
    }
}

/// Keeps a server's folder under another name, which is returned.
pub(super) fn put_aside(folder: &Path, timeline: u32) -> Result<PathBuf, Failure> {
    let mut aside = folder.with_extension(format!("timeline{timeline}"));
    let mut copies = 1;
    while aside.symlink_metadata().is_ok() {
        copies += 1;
        aside = folder.with_extension(format!("timeline{timeline}-{copies}"));
    }
    fs::rename(folder, &aside).or_fail("put aside", folder)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_is_in_the_names_of_wal_and_histories() {
        for (name, timeline) in [
            ("000000010000000000000003", Some(1)),
            ("0000000A0000000000000003.partial", Some(10)),
            ("00000002.history", Some(2)),
            ("00000002.history.tmp", None),
            ("000000030000000000000003.00000028.backup", None),
            ("archive_status", None),
            ("xlogtemp.99", None),
            ("summaries", None),
        ] {
            assert_eq!(timeline_of(name), timeline, "{name}");
        }
    }

    #[test]
    fn only_servers_own_folders_are_servers() {
        assert_eq!(index("primary"), Some(0));
        assert_eq!(index("replica12"), Some(12));
        for other in ["replica0", "replica01", "replica1.gone", "primary.timeline1", "passfile", "replica"] {
            assert_eq!(index(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_put_aside_replaces_nothing() {
        let folder = std::env::temp_dir().join(format!("tidewall-cluster-{}", std::process::id()));
        let primary = folder.join("primary");
        let aside: Vec<PathBuf> = (0..2)
            .map(|number| {
                fs::create_dir_all(&primary).unwrap();
                fs::write(primary.join("number"), number.to_string()).unwrap();
                put_aside(&primary, 1).unwrap()
            })
            .collect();
        let numbers = aside.iter().map(|path| fs::read_to_string(path.join("number")).unwrap());
        let numbers: Vec<String> = numbers.collect();
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(numbers, ["0", "1"]);
    }
}
