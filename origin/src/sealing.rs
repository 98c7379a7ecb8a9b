//! Secrets that are kept where others can read, such as in the database and its backups.
//!
//! They are sealed with XChaCha20-Poly1305 by a key made of the secrets that all origins share,
//! and bound to where they are kept: what is copied to another place can't be opened there.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::signing::Secrets;

/// Bytes of a nonce. So many may be drawn at random: none will ever come twice.
pub const NONCE_BYTES: usize = 24;

/// Seals and opens, for one purpose; cheap to clone. Has no `Debug`.
#[derive(Clone)]
pub struct Sealing(Vec<XChaCha20Poly1305>);

/// What can't be opened: it was sealed with another key, for another place, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what is sealed can't be opened: TIDEWALL_SECRET is another one than when it was sealed, or it was changed"
)]
pub struct OpenError;

impl Sealing {
    /// With keys for `purpose`, made of `secrets`.
    pub fn new(secrets: &Secrets, purpose: &str) -> Self {
        Self(secrets.sealing(purpose).iter().map(|key| XChaCha20Poly1305::new(key.into())).collect())
    }

    /// `secret`, sealed for `place`. The nonce must be random.
    pub fn seal(&self, secret: &[u8], place: &str, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        let sealed = self.0[0].encrypt(&XNonce::from(nonce), payload);
        let sealed =
            sealed.unwrap_or_else(|_| unreachable!("only what has more than 256 GB can't be sealed"));
        [&nonce[..], &sealed].concat()
    }

    /// What was sealed for `place`.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Vec<u8>, OpenError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        let payload = || Payload { msg: sealed, aad: place.as_bytes() };
        let mut keys = self.0.iter();
        keys.find_map(|key| key.decrypt(&XNonce::from(*nonce), payload()).ok()).ok_or(OpenError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    fn sealing(signs: &str, accepted: Option<&str>, purpose: &str) -> Sealing {
        Sealing::new(&Secrets::new(signs, accepted).unwrap(), purpose)
    }

    #[test]
    fn what_is_sealed_is_opened_at_its_place_with_a_key_that_is_accepted() {
        let sealed = sealing(OLD, None, "a").seal(b"secret", "row 1", [7; NONCE_BYTES]);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        for (keys, place, opens) in [
            (sealing(OLD, None, "a"), "row 1", true),
            (sealing(NEW, Some(OLD), "a"), "row 1", true),
            (sealing(NEW, None, "a"), "row 1", false),
            (sealing(OLD, None, "b"), "row 1", false),
            (sealing(OLD, None, "a"), "row 2", false),
        ] {
            let expected = if opens { Ok(b"secret".to_vec()) } else { Err(OpenError) };
            assert_eq!(keys.open(&sealed, place), expected);
        }
    }

    #[test]
    fn what_was_changed_is_not_opened() {
        let keys = sealing(OLD, None, "a");
        let sealed = keys.seal(b"secret", "row", [7; NONCE_BYTES]);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(&changed, "row"), Err(OpenError), "byte {at}");
            assert_eq!(keys.open(&sealed[..at], "row"), Err(OpenError), "{at} bytes");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_is_opened(secret: Vec<u8>, place in "\\PC{0,9}", nonce: [u8; NONCE_BYTES]) {
            let keys = sealing(OLD, None, "a");
            prop_assert_eq!(keys.open(&keys.seal(&secret, &place, nonce), &place), Ok(secret));
        }

        #[test]
        fn no_bytes_whatever_are_opened(sealed: Vec<u8>) {
            prop_assert_eq!(sealing(OLD, Some(NEW), "a").open(&sealed, "row"), Err(OpenError));
        }
    }
}
