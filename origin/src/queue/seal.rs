//! Secrets in payloads: sealed where they are stored, opened for their handler alone.
//!
//! A sealed part is a string, `sealed:` and the base64url of a nonce and XChaCha20-Poly1305's
//! output (RFC 8439, with the nonce of 192 bits of draft-irtf-cfrg-xchacha), which is bound to
//! the kind and the place in the payload: what is moved elsewhere can't be opened.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde_json::Value;

use crate::signing::Secrets;

const PREFIX: &str = "sealed:";
/// What is shown instead.
const SHOWN: &str = "[sealed]";
const NONCE_BYTES: usize = 24;

/// What seals and opens secrets; the same at all origins and workers. Has no `Debug`.
#[derive(Clone)]
pub struct Seal {
    /// The first seals, all open.
    ciphers: Vec<XChaCha20Poly1305>,
}

/// Why a secret can't be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process has none of the secrets that keys are made of.
    #[error("the job has secrets, and this process no key; set TIDEWALL_SECRET")]
    NoKey,
    /// Sealed with another key, for another place, or changed since.
    #[error("the job's secrets were sealed with a key that this process doesn't have, or were changed")]
    Opened,
    /// The system gives no random numbers.
    #[error("the system gave no random numbers for the seal")]
    Random,
}

impl Seal {
    /// The seal made of `secrets`.
    pub fn new(secrets: &Secrets) -> Self {
        let keys = secrets.sealing_keys("job payloads");
        Self { ciphers: keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect() }
    }

    fn seal(&self, aad: &str, plain: &Value) -> Result<Value, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let plain = plain.to_string();
        let payload = Payload { msg: plain.as_bytes(), aad: aad.as_bytes() };
        let cipher = self.ciphers.first().ok_or(SealError::NoKey)?;
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::NoKey)?;
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())).into())
    }

    fn open(&self, aad: &str, sealed: &str) -> Result<Value, SealError> {
        let encoded = sealed.strip_prefix(PREFIX).ok_or(SealError::Opened)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| SealError::Opened)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Opened)?;
        let plain = self.ciphers.iter().find_map(|cipher| {
            let payload = Payload { msg: sealed, aad: aad.as_bytes() };
            cipher.decrypt(&XNonce::from(*nonce), payload).ok()
        });
        serde_json::from_slice(&plain.ok_or(SealError::Opened)?).map_err(|_| SealError::Opened)
    }
}

/// Seals the parts of `payload` that the pointers name; a part that isn't there is none.
pub(super) fn seal(
    seal: Option<&Seal>,
    kind: &str,
    pointers: &[&str],
    payload: &mut Value,
) -> Result<(), SealError> {
    for pointer in pointers {
        if let Some(part) = payload.pointer_mut(pointer).filter(|part| !part.is_null()) {
            *part = seal.ok_or(SealError::NoKey)?.seal(&aad(kind, pointer), part)?;
        }
    }
    Ok(())
}

/// Opens what [`seal`] has sealed.
pub(super) fn open(
    seal: Option<&Seal>,
    kind: &str,
    pointers: &[&str],
    payload: &mut Value,
) -> Result<(), SealError> {
    for pointer in pointers {
        if let Some(part) = payload.pointer_mut(pointer).filter(|part| !part.is_null()) {
            let sealed = part.as_str().ok_or(SealError::Opened)?;
            *part = seal.ok_or(SealError::NoKey)?.open(&aad(kind, pointer), sealed)?;
        }
    }
    Ok(())
}

fn aad(kind: &str, pointer: &str) -> String {
    format!("{kind}\n{pointer}")
}

/// The payload for people: whatever is sealed is only said to be.
pub(super) fn redact(payload: &mut Value) {
    match payload {
        Value::String(text) if text.starts_with(PREFIX) => SHOWN.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => fields.values_mut().for_each(redact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POINTERS: &[&str] = &["/token", "/inner/key"];

    fn with(secret: &str, accepted: Option<&str>) -> Seal {
        Seal::new(&Secrets::new(secret, accepted).unwrap())
    }

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    fn sealed() -> Value {
        let mut payload = json!({"token": "hunter2", "inner": {"key": [1, 2]}, "open": "x"});
        seal(Some(&with(OLD, None)), "k", POINTERS, &mut payload).unwrap();
        payload
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_nothing_of_it_is_stored_or_shown() {
        let mut payload = sealed();
        assert!(!payload.to_string().contains("hunter2"));
        let mut shown = payload.clone();
        redact(&mut shown);
        assert_eq!(shown, json!({"token": "[sealed]", "inner": {"key": "[sealed]"}, "open": "x"}));
        open(Some(&with(NEW, Some(OLD))), "k", POINTERS, &mut payload).unwrap();
        assert_eq!(payload, json!({"token": "hunter2", "inner": {"key": [1, 2]}, "open": "x"}));
    }

    #[test]
    fn what_was_moved_or_changed_or_sealed_by_others_can_not_be_opened() {
        let check = |seal: Option<&Seal>, kind, mut payload: Value| {
            open(seal, kind, POINTERS, &mut payload).unwrap_err()
        };
        assert_eq!(check(Some(&with(NEW, None)), "k", sealed()), SealError::Opened);
        assert_eq!(check(Some(&with(OLD, None)), "other", sealed()), SealError::Opened);
        assert_eq!(check(None, "k", sealed()), SealError::NoKey);
        let mut moved = sealed();
        moved["inner"]["key"] = moved["token"].clone();
        assert_eq!(check(Some(&with(OLD, None)), "k", moved), SealError::Opened);
        for bad in [json!("hunter2"), json!("sealed:"), json!("sealed:!"), json!(7)] {
            assert_eq!(check(Some(&with(OLD, None)), "k", json!({ "token": bad })), SealError::Opened);
        }
    }

    #[test]
    fn a_payload_without_the_secret_part_needs_no_key() {
        let mut payload = json!({"open": 1, "token": null});
        assert_eq!(seal(None, "k", POINTERS, &mut payload), Ok(()));
        assert_eq!(seal(None, "k", POINTERS, &mut json!({"token": "a"})), Err(SealError::NoKey));
    }
}
