//! Secrets in payloads: sealed where they are stored, opened for their handler alone.
//!
//! A sealed part is a string, `sealed:` and the base64url of what [`crate::sealing`] makes of it,
//! bound to the kind and the place in the payload: what is moved elsewhere can't be opened.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::sealing::{NONCE_BYTES, Sealing};
use crate::signing::Secrets;

const PREFIX: &str = "sealed:";
/// What is shown instead.
const SHOWN: &str = "[sealed]";

/// What seals and opens secrets; the same at all origins and workers. Has no `Debug`.
#[derive(Clone)]
pub struct Seal(Sealing);

/// Why a secret can't be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process has none of the secrets that keys are made of.
    #[error("the job has secrets, and this process no key; set TIDEWALL_SECRET")]
    NoKey,
    /// What is declared to be secret isn't where it was said to be, so it may be elsewhere, in plain.
    #[error("the payload has no `{0}`, which its kind says is secret; write one that is optional as null")]
    Missing(&'static str),
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
        Self(Sealing::new(secrets, "job payloads"))
    }

    fn seal(&self, place: &str, part: &Value) -> Result<Value, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let sealed = self.0.seal(part.to_string().as_bytes(), place, nonce);
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed)).into())
    }

    fn open(&self, place: &str, sealed: &str) -> Result<Value, SealError> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SealError::Opened)?;
        let part = self.0.open(&sealed, place).map_err(|_| SealError::Opened)?;
        serde_json::from_slice(&part).map_err(|_| SealError::Opened)
    }
}

/// Seals the parts of `payload` that the pointers name; a part that is null is none.
pub(super) fn seal(
    seal: Option<&Seal>,
    kind: &str,
    pointers: &[&'static str],
    payload: &mut Value,
) -> Result<(), SealError> {
    for &pointer in pointers {
        if is_null_above(payload, pointer) {
            continue;
        }
        match payload.pointer_mut(pointer) {
            Some(Value::Null) => {}
            Some(part) => *part = seal.ok_or(SealError::NoKey)?.seal(&place(kind, pointer), part)?,
            None => return Err(SealError::Missing(pointer)),
        }
    }
    Ok(())
}

/// Whether `pointer` leads into a part that is null.
fn is_null_above(payload: &Value, pointer: &str) -> bool {
    let parts = pointer.match_indices('/').map(|(end, _)| &pointer[..end]);
    parts.filter_map(|parent| payload.pointer(parent)).any(Value::is_null)
}

/// Opens what [`seal`] has sealed. What was enqueued before its kind called it secret is plain.
pub(super) fn open(
    seal: Option<&Seal>,
    kind: &str,
    pointers: &[&str],
    payload: &mut Value,
) -> Result<(), SealError> {
    for pointer in pointers {
        let Some(part) = payload.pointer_mut(pointer) else { continue };
        if let Some(sealed) = part.as_str().and_then(|text| text.strip_prefix(PREFIX)) {
            *part = seal.ok_or(SealError::NoKey)?.open(&place(kind, pointer), sealed)?;
        }
    }
    Ok(())
}

fn place(kind: &str, pointer: &str) -> String {
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
    use proptest::prelude::*;
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
        for bad in [json!("sealed:"), json!("sealed:!")] {
            assert_eq!(check(Some(&with(OLD, None)), "k", json!({ "token": bad })), SealError::Opened);
        }
    }

    #[test]
    fn what_was_enqueued_before_it_was_called_secret_is_read_as_it_is() {
        let mut payload = json!({"token": "hunter2", "inner": {"key": 7}});
        let plain = payload.clone();
        open(None, "k", POINTERS, &mut payload).unwrap();
        assert_eq!(payload, plain);
    }

    #[test]
    fn a_payload_without_secrets_needs_no_key() {
        let check = |mut payload: Value| seal(None, "k", POINTERS, &mut payload);
        assert_eq!(check(json!({"token": null, "inner": {"key": null}})), Ok(()));
        assert_eq!(check(json!({"token": null, "inner": null})), Ok(()));
        assert_eq!(check(json!({"token": "a", "inner": null})), Err(SealError::NoKey));
    }

    #[test]
    fn a_secret_that_is_not_where_it_was_said_to_be_is_stored_nowhere() {
        let check = |mut payload: Value| seal(Some(&with(OLD, None)), "k", POINTERS, &mut payload);
        let renamed = json!({"password": "hunter2", "inner": null});
        assert_eq!(check(renamed), Err(SealError::Missing("/token")));
        assert_eq!(check(json!({"token": null, "inner": {}})), Err(SealError::Missing("/inner/key")));
    }

    proptest! {
        #[test]
        fn what_only_looks_sealed_is_not_opened(text in "[A-Za-z0-9_=é-]{0,90}") {
            let mut payload = json!({"token": format!("{PREFIX}{text}")});
            prop_assert_eq!(open(Some(&with(OLD, None)), "k", POINTERS, &mut payload), Err(SealError::Opened));
        }
    }
}
