//! Passwords: argon2id (RFC 9106), few at a time.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

/// Longest wait for a turn: whoever waits for longer has gone.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Hashes and verifies passwords: as many at a time as half of the cores, since each takes all
/// of one and 19 MiB, and logging in must not keep everything else from being answered.
pub struct Hasher {
    turns: Arc<Semaphore>,
    memory: Arc<Memory>,
}

/// What passwords are hashed in, kept for the next ones. Freed instead, 19 MiB would stay with each
/// of the threads that came to hash one, as allocators go. What it holds says less than the hash does.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = kept().pop().unwrap_or_default();
        let done = work(&mut blocks);
        // Of a hash of before, with other parameters, there may be more.
        if blocks.capacity() <= Params::default().block_count() {
            kept().push(blocks);
        }
        done
    }
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
        Self::of(cores / 2)
    }

    /// So many at a time.
    fn of(turns: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(turns.max(1))), memory: Arc::default() }
    }

    /// The hash of `password`, with its salt and parameters: argon2id with 19 MiB, two passes
    /// and one lane, the first choice of OWASP's Password Storage Cheat Sheet.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.in_turn(move |memory| hash(&password, memory)).await
    }

    /// Whether `password` is the one of `hash`. Without a hash it isn't, which takes as long.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, PasswordError> {
        let password = password.to_owned();
        self.in_turn(move |memory| match hash {
            Some(hash) => verify(&password, &hash, memory),
            None => verify(&password, of_nobody(memory)?, memory).map(|_| false),
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Busy)?;
        let memory = Arc::clone(&self.memory);
        spawn_blocking(move || {
            // It ends with the work, and not with whoever waits for that: a hash can't be given up.
            let _turn = turn;
            memory.with(work)
        })
        .await?
    }
}

fn hash(password: &str, memory: &mut Vec<Block>) -> Result<String, PasswordError> {
    let (argon2, salt) = (Argon2::default(), Salt::generate());
    let output = output(&argon2, password, &salt, Params::DEFAULT_OUTPUT_LEN, memory)?;
    let hashed = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(hash_error)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hashed.to_string())
}

fn verify(password: &str, hash: &str, memory: &mut Vec<Block>) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(hash_error)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        return Err(PasswordError::Hash("what is kept of it is no hash".to_owned()));
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(hash_error)?;
    let version = hash.version.map(Version::try_from).transpose().map_err(hash_error)?;
    let params = Params::try_from(&hash).map_err(hash_error)?;
    let argon2 = Argon2::new(algorithm, version.unwrap_or_default(), params);
    // They are compared in constant time.
    Ok(output(&argon2, password, &salt, expected.len(), memory)? == expected)
}

/// Of `length` bytes, made in this memory.
fn output(
    argon2: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    length: usize,
    memory: &mut Vec<Block>,
) -> Result<Output, PasswordError> {
    let blocks = argon2.params().block_count();
    if memory.capacity() < blocks {
        *memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(hash_error)?;
    }
    memory.resize(blocks, Block::default());
    let mut buffer = [0; Output::MAX_LENGTH];
    // No output is longer.
    let output = &mut buffer[..length.min(Output::MAX_LENGTH)];
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, output, memory.as_mut_slice())
        .map_err(hash_error)?;
    Output::new(output).map_err(hash_error)
}

/// What is verified where there is no account.
fn of_nobody(memory: &mut Vec<Block>) -> Result<&'static str, PasswordError> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let hashed = hash("", memory)?;
    Ok(HASH.get_or_init(|| hashed))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

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
    async fn hashes_of_before_are_verified() {
        // Made by the crate itself: a hash keeps its parameters, and others may come.
        let of_other_costs =
            Argon2::new(Algorithm::Argon2i, Version::V0x10, Params::new(64, 3, 2, Some(24)).unwrap());
        let hasher = Hasher::new();
        for argon2 in [Argon2::default(), of_other_costs] {
            let hash = argon2.hash_password(b"correct horse").unwrap().to_string();
            assert!(hasher.verify("correct horse", Some(hash.clone())).await.unwrap(), "{hash}");
            assert!(!hasher.verify("battery staple", Some(hash.clone())).await.unwrap(), "{hash}");
        }
        let own = hasher.hash("correct horse").await.unwrap();
        assert!(
            Argon2::default().verify_password(b"correct horse", &PasswordHash::new(&own).unwrap()).is_ok()
        );
    }

    #[tokio::test]
    async fn as_much_memory_is_kept_as_there_are_turns() {
        let hasher = Arc::new(Hasher::of(2));
        let all = (0..6).map(|_| hasher.verify("x", None));
        for verified in futures::future::join_all(all).await {
            assert!(!verified.unwrap());
        }
        assert!((1..=2).contains(&hasher.memory.0.lock().unwrap().len()));
    }

    #[tokio::test]
    async fn who_goes_away_gives_no_turn_to_the_next() {
        let hasher = Hasher::of(1);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let mut gone = Box::pin(hasher.in_turn(move |_| {
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
