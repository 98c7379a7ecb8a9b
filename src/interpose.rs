//! What the C library tells the programs of services, where it can be made untrue: the time, as after a
//! step of NTP or on a machine whose clock is wrong; and that there is room on the disk.
//!
//! A small library between a program and the C library goes by a file of the service's own. It is
//! compiled where it is needed, by the compiler that Rust links with.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, IoContext};

/// The library's source.
const SOURCE: &str = include_str!("interpose.c");
/// Where in a service's file its clock stands,
const CLOCK: u64 = 0;
/// and whether its disk is full.
const DISK: u64 = 8;

/// The library and the services' files, until the value is dropped.
#[derive(Debug)]
pub(crate) struct Interposer {
    folder: PathBuf,
}

impl Interposer {
    /// Makes the library.
    ///
    /// # Errors
    /// There is no C compiler, or nowhere to write.
    pub(crate) fn make() -> Result<Self, Failure> {
        // The database may run as somebody else, who must be able to read it.
        let name = format!("tidewall-interpose-{}-{:08x}", std::process::id(), crate::data::random_u32()?);
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).or_fail("create", &folder)?;
        readable(&folder, 0o755)?;
        let interposer = Self { folder };
        let source = interposer.folder.join("interpose.c");
        fs::write(&source, SOURCE).or_fail("write", &source)?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(interposer.library())
            .arg(&source)
            .output()
            .map_err(|error| Failure::new(format!("cc, which Rust needs as well, can't be run: {error}")))?;
        if !compiled.status.success() {
            let said = String::from_utf8_lossy(&compiled.stderr).into_owned();
            return Err(Failure::new("cc refuses what goes before the C library").with_output(said));
        }
        readable(&interposer.library(), 0o644)?;
        Ok(interposer)
    }

    /// What a service's environment needs. All is as it is until something else is said.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn environment(&self, service: &str) -> Result<[(String, String); 2], Failure> {
        self.set_clock(service, 0)?;
        self.set_disk_full(service, false)?;
        let text = |path: &Path| path.display().to_string();
        Ok([
            ("LD_PRELOAD".to_owned(), text(&self.library())),
            ("TIDEWALL_INTERPOSE".to_owned(), text(&self.file(service))),
        ])
    }

    /// Sets a service's clock so many seconds off, ahead where they are above zero.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn set_clock(&self, service: &str, seconds: i64) -> Result<(), Failure> {
        self.write(service, CLOCK, seconds)
    }

    /// Whether a service has no room for what it writes to files.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn set_disk_full(&self, service: &str, is_full: bool) -> Result<(), Failure> {
        self.write(service, DISK, is_full.into())
    }

    fn write(&self, service: &str, at: u64, number: i64) -> Result<(), Failure> {
        let path = self.file(service);
        // In place: it is mapped.
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        file.and_then(|file| file.write_all_at(&number.to_ne_bytes(), at)).or_fail("write", &path)?;
        readable(&path, 0o644)
    }

    /// The library's file.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.join("interpose.so")
    }

    fn file(&self, service: &str) -> PathBuf {
        self.folder.join(service)
    }
}

/// Whatever new files are to be, others may read this one.
fn readable(path: &Path, mode: u32) -> Result<(), Failure> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).or_fail("open to others", path)
}

impl Drop for Interposer {
    fn drop(&mut self) {
        // What is left lies where such things are cleared away.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_programs_clock_is_as_far_off_as_it_was_set() {
        let interposer = Interposer::make().unwrap();
        let environment = interposer.environment("date").unwrap();
        let now = || {
            let date = Command::new("date").arg("+%s").envs(environment.clone()).output().unwrap();
            String::from_utf8(date.stdout).unwrap().trim().parse::<i64>().unwrap()
        };
        let before = now();
        interposer.set_clock("date", -3_600).unwrap();
        let behind = now();
        interposer.set_clock("date", 3_600).unwrap();
        let ahead = now();
        assert!((-3_600..-3_500).contains(&(behind - before)), "{behind} {before}");
        assert!((3_600..3_700).contains(&(ahead - before)), "{ahead} {before}");
    }

    #[test]
    fn on_a_full_disk_files_take_nothing_and_pipes_do() {
        let interposer = Interposer::make().unwrap();
        let environment = interposer.environment("dd").unwrap();
        let file = interposer.folder.join("written");
        let write = || {
            let mut dd = Command::new("dd");
            dd.args(["if=/dev/zero", "bs=8", "count=1"]).arg(format!("of={}", file.display()));
            dd.env("LC_ALL", "C").envs(environment.clone()).output().unwrap()
        };
        assert!(write().status.success());
        interposer.set_disk_full("dd", true).unwrap();
        let refused = write();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("No space left on device"), "{said}");
        interposer.set_disk_full("dd", false).unwrap();
        assert!(write().status.success());
    }
}
