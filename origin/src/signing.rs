//! Keys that sign what this product hands out and takes back, made of the secrets that all
//! its origins share.
//!
//! There are two secrets at most, so that one can be replaced while all goes on: first it
//! is accepted everywhere, then it signs and the old one is accepted, then that is gone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A shorter secret can be guessed by whoever holds something that it has signed. HMAC-SHA256
/// wants 256 bits (RFC 7518, section 3.2), which so many bytes are.
pub const SECRET_CHARS_MIN: usize = 32;
/// Bytes of a key's name: it only tells two keys apart.
const ID_BYTES: usize = 6;

/// The secrets. Has no `Debug`.
#[derive(Clone)]
pub struct Secrets(Vec<Hmac<Sha256>>);

/// A secret that can't sign.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {chars} characters; give it at least {SECRET_CHARS_MIN} random ones")]
pub struct SecretError {
    chars: usize,
}

impl Secrets {
    /// `signs` is what signs; what `accepted` has signed is accepted as well.
    pub fn new(signs: &str, accepted: Option<&str>) -> Result<Self, SecretError> {
        let key = |secret: &str| {
            let chars = secret.chars().count();
            if chars < SECRET_CHARS_MIN { Err(SecretError { chars }) } else { Ok(hmac(secret.as_bytes())) }
        };
        std::iter::once(signs).chain(accepted).map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The keys for one purpose: what is signed for another is not accepted.
    pub fn keys(&self, purpose: &str) -> SigningKeys {
        let derive = |secret: &Hmac<Sha256>, what: &str| derive(secret, purpose, what);
        let key = |secret| SigningKey {
            id: URL_SAFE_NO_PAD.encode(&derive(secret, "id")[..ID_BYTES]),
            hmac: hmac(&derive(secret, "key")),
        };
        SigningKeys(self.0.iter().map(key).collect())
    }

    /// Keys that seal, for one purpose; of the secret that signs first.
    pub(crate) fn sealing(&self, purpose: &str) -> Vec<[u8; 32]> {
        self.0.iter().map(|secret| derive(secret, purpose, "seal")).collect()
    }
}

/// A key for `what` of `purpose`.
fn derive(secret: &Hmac<Sha256>, purpose: &str, what: &str) -> [u8; 32] {
    secret.clone().chain_update(purpose).chain_update([0]).chain_update(what).finalize().into_bytes().into()
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104, section 2)"))
}

/// Keys of one purpose; the first signs. Has no `Debug`.
#[derive(Clone)]
pub struct SigningKeys(Vec<SigningKey>);

impl SigningKeys {
    /// The one that signs.
    pub fn signs(&self) -> &SigningKey {
        &self.0[0]
    }

    /// All whose signatures are accepted.
    pub fn accepted(&self) -> &[SigningKey] {
        &self.0
    }
}

/// A key for HMAC-SHA256 (RFC 2104). Has no `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    hmac: Hmac<Sha256>,
}

impl SigningKey {
    /// Its name, which tells nothing of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The signature of `payload`, in base64url.
    pub fn sign(&self, payload: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.hmac.clone().chain_update(payload).finalize().into_bytes())
    }

    /// Whether `signature` is that of `payload`. In constant time, so that answers don't
    /// tell how much of a guess was right.
    pub fn verifies(&self, payload: &[u8], signature: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(signature)
            .is_ok_and(|tag| self.hmac.clone().chain_update(payload).verify_slice(&tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    fn accepts(signed_with: (&str, Option<&str>, &str), read_with: (&str, Option<&str>, &str)) -> bool {
        let keys = |(signs, accepted, purpose)| Secrets::new(signs, accepted).unwrap().keys(purpose);
        let signature = keys(signed_with).signs().sign(b"text");
        keys(read_with).accepted().iter().any(|key| key.verifies(b"text", &signature))
    }

    #[test]
    fn a_secret_is_replaced_in_three_steps_of_which_neighbours_accept_each_other() {
        let steps = [(OLD, None), (OLD, Some(NEW)), (NEW, Some(OLD)), (NEW, None)];
        for (at, (signs, accepted)) in steps.into_iter().enumerate() {
            for (other, (others, also)) in steps.into_iter().enumerate() {
                let is_accepted = accepts((signs, accepted, "a"), (others, also, "a"));
                assert!(is_accepted || at.abs_diff(other) > 1, "step {at} signs, step {other} reads");
            }
        }
        assert!(!accepts((OLD, None, "a"), (NEW, None, "a")));
    }

    #[test]
    fn what_is_signed_for_one_purpose_is_not_accepted_for_another() {
        assert!(!accepts((OLD, None, "links"), (OLD, None, "sessions")));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Secrets::new(&OLD[1..], None).err(), Some(SecretError { chars: 31 }));
        assert_eq!(Secrets::new(OLD, Some("short")).err(), Some(SecretError { chars: 5 }));
    }

    proptest! {
        #[test]
        fn no_text_is_a_signature(payload: Vec<u8>, text in "([A-Za-z0-9_-]{42,44}|=|é|\\.| ){0,3}") {
            let keys = Secrets::new(OLD, None).unwrap().keys("a");
            prop_assert!(!keys.signs().verifies(&payload, &text));
            prop_assert!(keys.signs().verifies(&payload, &keys.signs().sign(&payload)));
        }
    }
}
