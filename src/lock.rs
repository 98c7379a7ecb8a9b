//! Locks on files, which the system takes back from a process that dies.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::failure::{Failure, IoContext};

/// How often a lock that another process holds is tried again.
const POLL: Duration = Duration::from_millis(100);

/// Takes the lock at `path`, unless another process holds it. Held for as long as the file is open.
pub(crate) fn try_take(path: &Path) -> Result<Option<File>, Failure> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .or_fail("write the lock file", path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).or_fail("lock", path),
    }
}

/// Waits for the lock at `path` and takes it. The system's own way to wait
/// can't be given up, so it would keep the command from being stopped.
pub(crate) async fn take(path: &Path) -> Result<File, Failure> {
    loop {
        match try_take(path)? {
            Some(file) => return Ok(file),
            None => tokio::time::sleep(POLL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_wait_for_a_lock_can_be_given_up() {
        let path = std::env::temp_dir().join(format!("tidewall-lock-{}", std::process::id()));
        let held = try_take(&path).unwrap();
        let (done, is_done) = mpsc::channel();
        let waiting = path.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let given_up = runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = take(&waiting) => false,
                    () = std::future::ready(()) => true,
                }
            });
            // This is where a command that is told to stop would wait for the lock.
            drop(runtime);
            done.send(given_up).unwrap();
        });
        let given_up = is_done.recv_timeout(Duration::from_secs(60));
        drop(held);
        let free_again = try_take(&path).unwrap().is_some();
        std::fs::remove_file(path).unwrap();
        assert_eq!(given_up, Ok(true));
        assert!(free_again);
    }
}
