//! Links to files that only this product can make, and that expire.
//!
//! A link is `base64url(payload).base64url(HMAC-SHA256(payload))`, its payload
//! `{expiry in Unix seconds}:{file name}`. Whoever has a link has the file until
//! then, so links are made afresh for each reader who may have one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use super::name::FileName;
use crate::signing::{Secrets, SigningKeys};

/// How long a link works: long enough to come back to it the next day.
pub const LINK_LIFETIME: Duration = Duration::from_hours(24);

/// What signs links; the same at all origins. Has no `Debug`.
#[derive(Clone)]
pub struct LinkKey(SigningKeys);

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file.
    pub file: FileName,
    /// From this Unix second on it no longer works.
    pub expires: i64,
}

/// Why a link does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It wasn't made here.
    #[error("the link was not made by this service")]
    Forged,
    /// It was, but too long ago.
    #[error("the link has expired")]
    Expired,
}

impl LinkKey {
    /// The key made of `secrets`.
    pub fn new(secrets: &Secrets) -> Self {
        Self(secrets.keys("links"))
    }

    /// A link to `file` that works for [`LINK_LIFETIME`] from `now`.
    pub fn sign(&self, file: &FileName, now: OffsetDateTime) -> String {
        let expires = (now + LINK_LIFETIME).unix_timestamp();
        let payload = format!("{expires}:{file}");
        let signature = self.0.signs().sign(payload.as_bytes());
        format!("{}.{signature}", URL_SAFE_NO_PAD.encode(payload))
    }

    /// What `signed` leads to, if it still works.
    pub fn verify(&self, signed: &str, now: OffsetDateTime) -> Result<Link, LinkError> {
        let (payload, signature) = signed.split_once('.').ok_or(LinkError::Forged)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| LinkError::Forged)?;
        if !self.0.accepted().iter().any(|key| key.verifies(&payload, signature)) {
            return Err(LinkError::Forged);
        }
        let link = parse(&payload).ok_or(LinkError::Forged)?;
        if now.unix_timestamp() < link.expires { Ok(link) } else { Err(LinkError::Expired) }
    }
}

fn parse(payload: &[u8]) -> Option<Link> {
    let (expires, file) = std::str::from_utf8(payload).ok()?.split_once(':')?;
    Some(Link { file: FileName::new(file).ok()?, expires: expires.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 00:00 UTC);

    fn key(secret: &str) -> LinkKey {
        LinkKey::new(&Secrets::new(secret, None).unwrap())
    }

    fn signed() -> String {
        key("0123456789abcdef0123456789abcdef").sign(&FileName::new("12-1.csv").unwrap(), NOW)
    }

    fn check(secret: &str, signed: &str, now: OffsetDateTime, expected: Result<&str, LinkError>) {
        let link = key(secret).verify(signed, now);
        assert_eq!(link.as_ref().map(|link| link.file.as_str()).map_err(|error| *error), expected);
    }

    #[test]
    fn a_link_works_until_it_expires() {
        check("0123456789abcdef0123456789abcdef", &signed(), NOW, Ok("12-1.csv"));
        check(
            "0123456789abcdef0123456789abcdef",
            &signed(),
            datetime!(2026-11-24 23:59:59 UTC),
            Ok("12-1.csv"),
        );
        check(
            "0123456789abcdef0123456789abcdef",
            &signed(),
            datetime!(2026-11-25 00:00 UTC),
            Err(LinkError::Expired),
        );
    }

    #[test]
    fn a_link_made_with_another_secret_does_not_work() {
        check("0123456789abcdef0123456789abcdeF", &signed(), NOW, Err(LinkError::Forged));
    }

    proptest! {
        #[test]
        fn a_changed_link_does_not_work(position in any::<prop::sample::Index>(), byte in 0x21u8..0x7f) {
            let mut changed = signed().into_bytes();
            let position = position.index(changed.len());
            prop_assume!(changed[position] != byte);
            changed[position] = byte;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(key("0123456789abcdef0123456789abcdef").verify(&changed, NOW), Err(LinkError::Forged));
        }

        #[test]
        fn no_text_is_a_link(text in ".{0,200}") {
            prop_assert_eq!(key("0123456789abcdef0123456789abcdef").verify(&text, NOW), Err(LinkError::Forged));
        }
    }
}
