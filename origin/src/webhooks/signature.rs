//! What a message is signed with, as Standard Webhooks has it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a secret; the specification has 24 to 64.
pub(super) const SECRET_BYTES: usize = 32;

/// An endpoint's secret. Has no `Debug`.
pub(super) struct Secret<'a>(&'a [u8]);

impl<'a> Secret<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// As its owner is told it.
    pub(super) fn text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The value of `webhook-signature` for a message, sent at `timestamp` (Unix seconds).
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let hmac = Hmac::<Sha256>::new_from_slice(self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length (RFC 2104, section 2)"));
        let signed = format!("{id}.{timestamp}.");
        let tag = hmac.chain_update(signed).chain_update(body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn a_message_is_signed_as_others_verify_it() {
        let bytes = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let secret = Secret::new(&bytes);
        assert_eq!(secret.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_part_is_signed() {
        let sign = |id, at, body: &[u8]| Secret::new(&[7; SECRET_BYTES]).sign(id, at, body);
        let all = [
            sign("a", 1, b"x"),
            sign("b", 1, b"x"),
            sign("a", 2, b"x"),
            sign("a", 1, b"y"),
            Secret::new(&[8; SECRET_BYTES]).sign("a", 1, b"x"),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
