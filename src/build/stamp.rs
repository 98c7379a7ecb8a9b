//! Stamps: from what an output was made.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::failure::{Failure, IoContext};
use crate::workspace::Workspace;

/// Tells whether the output in a folder was made from just these inputs.
pub(super) struct Stamp {
    folder: PathBuf,
    digest: String,
}

impl Stamp {
    /// The stamp of what is made from `inputs` in `folder`. Inputs, too, are this command,
    /// which does some of the steps itself, and the tools that it calls for the others.
    pub(super) fn of(workspace: &Workspace, folder: &Path, inputs: &[&Path]) -> Result<Self, Failure> {
        let mut hasher = Sha256::new();
        hasher.update(own_digest()?);
        let tools = workspace.join("package-lock.json");
        for input in inputs.iter().copied().chain([tools.as_path()]) {
            hasher.update(Sha256::digest(fs::read(input).or_fail("read", input)?));
        }
        let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { folder: folder.to_owned(), digest })
    }

    /// Does `build`, unless all `outputs` are there and made from these inputs. The stamp is
    /// lifted meanwhile: what a broken-off build has left is nobody's output.
    pub(super) async fn unless_current(
        &self,
        outputs: &[&str],
        build: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        if self.is_current(outputs) {
            return Ok(());
        }
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).or_fail("remove", &self.path());
            }
            _ => {}
        }
        build.await?;
        fs::write(self.path(), &self.digest).or_fail("write", &self.path())
    }

    fn path(&self) -> PathBuf {
        self.folder.with_extension("stamp")
    }

    fn is_current(&self, outputs: &[&str]) -> bool {
        fs::read_to_string(self.path()).is_ok_and(|digest| digest == self.digest)
            && outputs.iter().all(|output| self.folder.join(output).is_file())
    }
}

/// Digest of this command's own program.
fn own_digest() -> Result<&'static [u8], Failure> {
    static DIGEST: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(digest) = DIGEST.get() {
        return Ok(digest);
    }
    let read = || -> io::Result<Vec<u8>> {
        // Linux leads to the program that runs even where another lies in its place by now.
        let program =
            if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
        let mut hasher = Sha256::new();
        io::copy(
            &mut io::BufReader::with_capacity(1 << 20, File::open(program)?),
            &mut Hashing(&mut hasher),
        )?;
        Ok(hasher.finalize().to_vec())
    };
    let digest =
        read().map_err(|error| Failure::new(format!("this command can't read its own program: {error}")))?;
    Ok(DIGEST.get_or_init(|| digest))
}

/// Takes bytes into a digest.
struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A folder and the stamp of its output, which `input` goes into.
    fn stamp(test: &str, input: &str) -> (PathBuf, Stamp) {
        let folder = std::env::temp_dir().join(format!("tidewall-stamp-{}-{test}", std::process::id()));
        fs::create_dir_all(folder.join("output")).unwrap();
        fs::write(folder.join("input"), input).unwrap();
        let workspace = Workspace::find().unwrap();
        let stamp = Stamp::of(&workspace, &folder.join("output"), &[&folder.join("input")]).unwrap();
        (folder, stamp)
    }

    /// Builds; returns whether anything was done.
    async fn built(stamp: &Stamp) -> bool {
        let done = Cell::new(false);
        let build = async {
            done.set(true);
            fs::write(stamp.folder.join("a.js"), "").or_fail("write", &stamp.folder)
        };
        stamp.unless_current(&["a.js"], build).await.unwrap();
        done.get()
    }

    #[tokio::test]
    async fn an_output_is_made_again_when_an_input_has_changed() {
        let (folder, first) = stamp("changed", "1");
        let built = [
            built(&first).await,
            built(&first).await,
            built(&stamp("changed", "2").1).await,
            built(&stamp("changed", "2").1).await,
        ];
        fs::remove_dir_all(folder).unwrap();
        assert_eq!(built, [true, false, true, false]);
    }

    #[tokio::test]
    async fn what_a_broken_off_build_left_is_not_current() {
        let (folder, first) = stamp("broken-off", "1");
        assert!(built(&first).await);
        let (_, second) = stamp("broken-off", "2");
        let broken_off = async { Err(Failure::new("told to stop")) };
        assert!(second.unless_current(&["a.js"], broken_off).await.is_err());
        // Half of it may be the second's by now.
        let (_, first) = stamp("broken-off", "1");
        let again = built(&first).await;
        fs::remove_dir_all(folder).unwrap();
        assert!(again);
    }
}
