//! The data directory: what a stack keeps between runs, owned by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};

/// How this version lays a data directory out; another one is refused.
const FORMAT: &str = "1";
/// Random bytes of a generated secret: 256 bits.
const SECRET_BYTES: usize = 32;

/// A data directory, locked for as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Opens or makes the directory at `path`.
    ///
    /// # Errors
    /// Another process holds it, another version of Tidewall laid it out, or the disk refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let data = Self::lock(path)?.ok_or_else(|| {
            Failure::new(format!(
                "another tidewall is running on {}; stop it, or pass --data with another directory",
                path.display()
            ))
        })?;
        data.check_format()?;
        Ok(data)
    }

    /// Opens or makes the directory at `path`; `None` if another process holds it.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn lock(path: &Path) -> Result<Option<Self>, Failure> {
        fs::create_dir_all(path).or_fail("create the data directory", path)?;
        let path = path.canonicalize().or_fail("find the data directory", path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .or_fail("write the lock file", &lock_path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).or_fail("lock", &lock_path),
        }
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        fs::remove_dir_all(&self.path).or_fail("remove", &self.path)
    }

    fn check_format(&self) -> Result<(), Failure> {
        let path = self.path.join("format");
        match fs::read_to_string(&path) {
            Ok(format) if format.trim() == FORMAT => Ok(()),
            Ok(format) => Err(Failure::new(format!(
                "{} was made by another version of tidewall (format {:?}, this one reads {FORMAT}); delete it, or pass --data with another directory",
                self.path.display(),
                format.trim()
            ))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::write(&path, FORMAT).or_fail("write", &path)
            }
            Err(error) => Err(error).or_fail("read", &path),
        }
    }

    /// A path in the directory.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A folder in the directory, made if it isn't there.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.join(name);
        fs::create_dir_all(&path).or_fail("create", &path)?;
        Ok(path)
    }

    /// A random secret of this name, the same for as long as the directory lives.
    pub(crate) fn secret(&self, name: &str) -> Result<String, Failure> {
        let path = self.folder("secrets")?.join(name);
        match fs::read_to_string(&path) {
            // A crash while it was written leaves a short one; nothing can depend on that yet.
            Ok(secret) if secret.len() == 2 * SECRET_BYTES => return Ok(secret),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).or_fail("read", &path);
            }
            _ => {}
        }
        let secret = random_hex()?;
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .or_fail("write", &path)?;
        file.write_all(secret.as_bytes()).or_fail("write", &path)?;
        Ok(secret)
    }
}

/// A random secret, in hexadecimal.
pub(crate) fn random_hex() -> Result<String, Failure> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A random number, to spread what several processes choose.
pub(crate) fn random_u32() -> Result<u32, Failure> {
    getrandom::u32().map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))
}
