//! Passwords: argon2id (RFC 9106), few at a time.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

/// Longest wait for a turn: whoever waits for longer has gone.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Hashes and verifies passwords: as many at a time as half of the cores, since each takes all
/// of one and 19 MiB, and logging in must not keep everything else from being answered.
pub struct Hasher {
    turns: Arc<Semaphore>,
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many others are.
    #[error("too many passwords are being checked")]
    Busy,
    /// The hash function failed, or what it gave out can't be read.
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    /// Its thread ended.
    #[error("a password could not be hashed")]
    Lost(#[from] JoinError),
}

/// The crate's error says little, and is no `std::error::Error` everywhere.
fn hash_error(error: impl fmt::Display) -> PasswordError {
    PasswordError::Hash(error.to_string())
}

impl Hasher {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { turns: Arc::new(Semaphore::new((cores / 2).max(1))) }
    }

    /// The hash of `password`, with its salt and parameters: argon2id with 19 MiB, two passes
    /// and one lane, the first choice of OWASP's Password Storage Cheat Sheet.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.in_turn(move || hash(&password)).await
    }

    /// Whether `password` is the one of `hash`. Without a hash it isn't, which takes as long.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, PasswordError> {
        let password = password.to_owned();
        self.in_turn(move || match hash {
            Some(hash) => verify(&password, &hash),
            None => verify(&password, of_nobody()?).map(|_| false),
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Busy)?;
        spawn_blocking(move || {
            // It ends with the work, and not with whoever waits for that: a hash can't be given up.
            let _turn = turn;
            work()
        })
        .await?
    }
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let hashed: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(hash_error)?;
    Ok(hashed.to_string())
}

fn verify(password: &str, hash: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(hash_error)?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(hash_error(error)),
    }
}

/// What is verified where there is no account.
fn of_nobody() -> Result<&'static str, PasswordError> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let hashed = hash("")?;
    Ok(HASH.get_or_init(|| hashed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_alone() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash("correct horse").await.unwrap(), "each has its own salt");
        assert!(hasher.verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("battery staple", Some(hash)).await.unwrap());
        assert!(!hasher.verify("", None).await.unwrap());
        assert!(hasher.verify("x", Some("no hash".to_owned())).await.is_err());
    }

    #[tokio::test]
    async fn who_goes_away_gives_no_turn_to_the_next() {
        let hasher = Hasher { turns: Arc::new(Semaphore::new(1)) };
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let mut gone = Box::pin(hasher.in_turn(move || {
            let _ = ended.recv();
            Ok(())
        }));
        // Polled once, it has begun.
        assert!(futures::poll!(&mut gone).is_pending());
        drop(gone);
        assert_eq!(hasher.turns.available_permits(), 0, "the work goes on");
        drop(end);
        let turn = hasher.turns.acquire().await;
        assert!(turn.is_ok());
    }
}
