//! Wall clocks of services that can be set off from the system's: what a step of NTP does, or a machine
//! whose clock is wrong.
//!
//! A small library between a program and the C library adds what stands in a file of the service's own.
//! It is compiled where it is needed, by the compiler that Rust links with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, IoContext};

/// The library's source.
const SOURCE: &str = include_str!("clock.c");

/// The clocks of services, until the value is dropped.
#[derive(Debug)]
pub(crate) struct Clocks {
    folder: PathBuf,
}

impl Clocks {
    /// Makes the library.
    ///
    /// # Errors
    /// There is no C compiler, or nowhere to write.
    pub(crate) fn make() -> Result<Self, Failure> {
        // The database may run as somebody else, who must be able to read it.
        let folder = std::env::temp_dir().join(format!("tidewall-clocks-{}", std::process::id()));
        fs::create_dir_all(&folder).or_fail("create", &folder)?;
        let clocks = Self { folder };
        let source = clocks.folder.join("clock.c");
        fs::write(&source, SOURCE).or_fail("write", &source)?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(clocks.library())
            .arg(&source)
            .output()
            .map_err(|error| Failure::new(format!("clocks can't be set off: cc can't be run: {error}")))?;
        if !compiled.status.success() {
            let said = String::from_utf8_lossy(&compiled.stderr).into_owned();
            return Err(Failure::new("clocks can't be set off: cc refuses").with_output(said));
        }
        Ok(clocks)
    }

    /// What a service's environment needs.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn environment(&self, service: &str) -> Result<[(String, String); 2], Failure> {
        self.set_off(service, 0)?;
        let text = |path: &Path| path.display().to_string();
        Ok([
            ("LD_PRELOAD".to_owned(), text(&self.library())),
            ("TIDEWALL_CLOCK".to_owned(), text(&self.file(service))),
        ])
    }

    /// Sets a service's clock so many seconds off, ahead where they are above zero.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn set_off(&self, service: &str, seconds: i64) -> Result<(), Failure> {
        use std::os::unix::fs::FileExt as _;

        let path = self.file(service);
        // In place: it is mapped.
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        file.and_then(|file| file.write_all_at(&seconds.to_ne_bytes(), 0)).or_fail("write", &path)
    }

    fn library(&self) -> PathBuf {
        self.folder.join("clock.so")
    }

    fn file(&self, service: &str) -> PathBuf {
        self.folder.join(format!("{service}.clock"))
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        // What is left lies where such things are cleared away.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn now_of_a_program(environment: &[(String, String); 2]) -> i64 {
        let date = Command::new("date").arg("+%s").envs(environment.iter().cloned()).output().unwrap();
        String::from_utf8(date.stdout).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn a_programs_clock_is_as_far_off_as_it_was_set() {
        let clocks = Clocks::make().unwrap();
        let environment = clocks.environment("date").unwrap();
        let before = now_of_a_program(&environment);
        clocks.set_off("date", -3_600).unwrap();
        let behind = now_of_a_program(&environment);
        clocks.set_off("date", 3_600).unwrap();
        let ahead = now_of_a_program(&environment);
        assert!((-3_600..-3_500).contains(&(behind - before)), "{behind} {before}");
        assert!((3_600..3_700).contains(&(ahead - before)), "{ahead} {before}");
    }
}
