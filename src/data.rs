//! The data directory: what a stack keeps between runs, owned by one process at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};
use crate::{lock, private};

/// The data directory of `tidewall dev`, in the checkout, where nobody names another.
pub(crate) const FOLDER: &str = "target/tidewall";
/// Name of the secret that opens the edge's own interface.
pub(crate) const PURGE_TOKEN: &str = "purge-token";
/// Name of the password of the demo's staff account.
pub(crate) const STAFF_PASSWORD: &str = "staff-password";
/// Name of the secret that signs cookies by which browsers stay with an origin.
pub(crate) const STICKY_SECRET: &str = "sticky-secret";
/// Name of the secret that the origins sign and seal with.
pub(crate) const SIGNING_KEY: &str = "signing-key";
/// Where secrets are.
const SECRETS: &str = "secrets";

/// How this version lays a data directory out; another one is refused.
const FORMAT: &str = "1";
/// The file that says so, and that the directory is ours.
const FORMAT_FILE: &str = "format";
/// The file that is locked. It is there before the format is.
const LOCK_FILE: &str = "lock";
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
    /// Another process holds it, it holds something else, another version of Tidewall laid it
    /// out, or the disk refuses.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        make(path)?;
        refuse_foreign(path)?;
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
        make(path)?;
        let path = path.canonicalize().or_fail("find the data directory", path)?;
        let Some(lock) = lock::try_take(&path.join(LOCK_FILE))? else { return Ok(None) };
        Ok(Some(Self { path, _lock: lock }))
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn remove(self) -> Result<(), Failure> {
        fs::remove_dir_all(&self.path).or_fail("remove", &self.path)
    }

    fn check_format(&self) -> Result<(), Failure> {
        let path = self.path.join(FORMAT_FILE);
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
        self.folder(SECRETS)?;
        let path = secret_path(&self.path, name);
        match fs::read_to_string(&path) {
            Ok(secret) if secret.len() == 2 * SECRET_BYTES => return Ok(secret),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).or_fail("read", &path);
            }
            _ => {}
        }
        let secret = random_hex()?;
        private::write(&path, &secret)?;
        Ok(secret)
    }
}

/// Where the data directory at `path` has a secret, once it has one.
pub(crate) fn secret_path(path: &Path, name: &str) -> PathBuf {
    path.join(SECRETS).join(name)
}

fn make(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).or_fail("create the data directory", path)
}

/// Refuses a folder with things in it that no tidewall has put there: they
/// would be taken for what an earlier run has left.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(path).or_fail("read the data directory", path)?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    // Asked for after the names were read: another start may be making the directory just now.
    if names.iter().all(|name| name == LOCK_FILE) || path.join(FORMAT_FILE).is_file() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is not empty and no data directory of tidewall; pass --data with a new or empty one",
        path.display()
    )))
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
