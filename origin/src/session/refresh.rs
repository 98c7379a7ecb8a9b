//! Refresh tokens: what they are made of, and what comes of one (RFC 9700, section 4.14.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Bytes by which a session is found. Nobody can guess one; whoever has a token of the session,
/// even one that has expired, can end it.
pub const SESSION_BYTES: usize = 16;
/// Bytes that change with every use.
pub(super) const SECRET_BYTES: usize = 32;

/// A session's name, and a secret that works once. Has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    session: [u8; SESSION_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// Of this session, with this secret; both random.
    pub(super) fn new(session: [u8; SESSION_BYTES], secret: [u8; SECRET_BYTES]) -> Self {
        Self { session, secret }
    }

    /// Reads what [`RefreshToken::text`] has written.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, secret) = bytes.split_first_chunk()?;
        Some(Self { session: *session, secret: secret.try_into().ok()? })
    }

    /// As it lies in a cookie.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode([&self.session[..], &self.secret[..]].concat())
    }

    /// Which session it is of.
    pub fn session(&self) -> &[u8; SESSION_BYTES] {
        &self.session
    }

    /// As it is kept.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }
}

/// A session as it is kept.
pub(super) struct KeptSession {
    /// Of the token that may be used next.
    pub(super) token_hash: Vec<u8>,
    pub(super) expires_at: OffsetDateTime,
    /// The database's clock, which all origins have.
    pub(super) now: OffsetDateTime,
}

/// What comes of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the one that may be used.
    Renew,
    /// It was: whoever has the session's name has had one of its tokens.
    Reused,
    /// There is no such session any more.
    Ended,
}

pub(super) fn judge(kept: Option<&KeptSession>, presented: &RefreshToken) -> Verdict {
    match kept {
        Some(kept) if kept.expires_at > kept.now => {
            if kept.token_hash == presented.hash() {
                Verdict::Renew
            } else {
                Verdict::Reused
            }
        }
        _ => Verdict::Ended,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn check(kept: Option<(&RefreshToken, OffsetDateTime)>, presented: &RefreshToken, expected: Verdict) {
        let now = datetime!(2026-11-24 00:00 UTC);
        let kept =
            kept.map(|(token, expires_at)| KeptSession { token_hash: token.hash().into(), expires_at, now });
        assert_eq!(judge(kept.as_ref(), presented), expected);
    }

    #[test]
    fn a_token_works_once_and_then_ends_the_session() {
        let first = RefreshToken::new([1; SESSION_BYTES], [1; SECRET_BYTES]);
        let second = RefreshToken::new([1; SESSION_BYTES], [2; SECRET_BYTES]);
        let later = datetime!(2026-11-24 00:00:01 UTC);
        check(Some((&first, later)), &first, Verdict::Renew);
        check(Some((&second, later)), &second, Verdict::Renew);
        check(Some((&second, later)), &first, Verdict::Reused);
        check(Some((&first, datetime!(2026-11-24 00:00 UTC))), &first, Verdict::Ended);
        check(None, &first, Verdict::Ended);
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = RefreshToken::new([1; SESSION_BYTES], [2; SECRET_BYTES]);
        assert!(RefreshToken::parse(&token.text()) == Some(token.clone()));
        for other in ["", "AAAA", &token.text()[1..], &format!("{}AAAA", token.text()), "ü"] {
            assert!(RefreshToken::parse(other).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(session: [u8; SESSION_BYTES], secret: [u8; SECRET_BYTES]) {
            let token = RefreshToken::new(session, secret);
            prop_assert!(RefreshToken::parse(&token.text()) == Some(token));
        }

        #[test]
        fn a_token_is_written_in_one_way(text in "([A-Za-z0-9_-]{63,65}|=|é|\\+| |\0){0,3}") {
            if let Some(token) = RefreshToken::parse(&text) {
                prop_assert_eq!(token.text(), text);
            }
        }
    }
}
