//! Session tokens: JWTs (RFC 7519) signed with HMAC-SHA256.
//!
//! The header of a token is compared with those that this code writes, byte for byte, so the
//! algorithm is what we say and never what a token says (RFC 8725, section 3.1), and its key is
//! one of two.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tidewall_api::account::User;
use time::OffsetDateTime;

use super::TOKEN_LIFETIME;
use super::refresh::SESSION_BYTES;
use crate::signing::{Secrets, SigningKey, SigningKeys};

/// Who made a token, and for whom.
const ISSUER: &str = "tidewall";

/// What a session token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Whose session it is, as they were when the token was made.
    pub user: User,
    /// Which session.
    pub session: [u8; SESSION_BYTES],
}

/// Claims as they travel.
#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    sid: String,
    email: String,
    staff: bool,
    iat: i64,
    exp: i64,
}

/// Why a token says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// None of the keys that are accepted has signed it.
    #[error("the session token was not made by this service")]
    Forged,
    /// It has worked for its time.
    #[error("the session token has expired")]
    Expired,
}

/// What signs session tokens; the same at all origins. Has no `Debug`.
#[derive(Clone)]
pub struct SessionKeys(SigningKeys);

impl SessionKeys {
    /// Made of `secrets`.
    pub fn new(secrets: &Secrets) -> Self {
        Self(secrets.keys("sessions"))
    }

    /// A token that works for [`TOKEN_LIFETIME`] from `now`.
    pub fn issue(&self, claims: &Claims, now: OffsetDateTime) -> String {
        let payload = Payload {
            iss: ISSUER.to_owned(),
            sub: claims.user.id.to_string(),
            sid: URL_SAFE_NO_PAD.encode(claims.session),
            email: claims.user.email.clone(),
            staff: claims.user.staff,
            iat: now.unix_timestamp(),
            exp: (now + TOKEN_LIFETIME).unix_timestamp(),
        };
        let payload = serde_json::to_vec(&payload)
            .unwrap_or_else(|_| unreachable!("texts and numbers can be written as JSON"));
        let key = self.0.signs();
        let signed = format!("{}.{}", header(key), URL_SAFE_NO_PAD.encode(payload));
        let signature = key.sign(signed.as_bytes());
        format!("{signed}.{signature}")
    }

    /// What `token` says, if it is one of ours and works still.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Forged)?;
        let (named, payload) = signed.split_once('.').ok_or(TokenError::Forged)?;
        let key = self.0.accepted().iter().find(|key| header(key) == named).ok_or(TokenError::Forged)?;
        if !key.verifies(signed.as_bytes(), signature) {
            return Err(TokenError::Forged);
        }
        let (claims, expires) = parse(payload).ok_or(TokenError::Forged)?;
        if now.unix_timestamp() < expires { Ok(claims) } else { Err(TokenError::Expired) }
    }
}

fn header(key: &SigningKey) -> String {
    // A key's name has nothing that JSON would escape.
    URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{}","typ":"JWT"}}"#, key.id()))
}

fn parse(payload: &str) -> Option<(Claims, i64)> {
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok().filter(|own: &Payload| own.iss == ISSUER)?;
    let user = User { id: payload.sub.parse().ok()?, email: payload.email, staff: payload.staff };
    let session = URL_SAFE_NO_PAD.decode(payload.sid).ok()?.try_into().ok()?;
    Some((Claims { user, session }, payload.exp))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 00:00 UTC);
    const OLD: &str = "an old secret of the tests alone";
    const NEW: &str = "a new secret of the tests alone!";

    fn keys(signs: &str, accepted: Option<&str>) -> SessionKeys {
        SessionKeys::new(&Secrets::new(signs, accepted).unwrap())
    }

    fn claims() -> Claims {
        let user = User { id: 42, email: "ada@example.com".to_owned(), staff: false };
        Claims { user, session: [7; SESSION_BYTES] }
    }

    fn check(keys: &SessionKeys, token: &str, now: OffsetDateTime, expected: Result<Claims, TokenError>) {
        assert_eq!(keys.verify(token, now), expected, "{token}");
    }

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    #[test]
    fn a_token_says_what_it_was_made_for_until_it_expires() {
        let keys = keys(OLD, None);
        let token = keys.issue(&claims(), NOW);
        check(&keys, &token, NOW, Ok(claims()));
        check(&keys, &token, datetime!(2026-11-24 00:14:59 UTC), Ok(claims()));
        check(&keys, &token, datetime!(2026-11-24 00:15 UTC), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_names_its_key_and_two_keys_are_accepted() {
        let (old, both, new) = (keys(OLD, None), keys(NEW, Some(OLD)), keys(NEW, None));
        let (by_old, by_new) = (old.issue(&claims(), NOW), both.issue(&claims(), NOW));
        check(&both, &by_old, NOW, Ok(claims()));
        check(&both, &by_new, NOW, Ok(claims()));
        check(&new, &by_new, NOW, Ok(claims()));
        check(&new, &by_old, NOW, Err(TokenError::Forged));
        check(&old, &by_new, NOW, Err(TokenError::Forged));
    }

    #[test]
    fn the_algorithm_is_not_what_a_token_says() {
        let keys = keys(OLD, None);
        let token = keys.issue(&claims(), NOW);
        let parts: Vec<&str> = token.split('.').collect();
        let id = keys.0.signs().id().to_owned();
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#.to_owned(),
            format!(r#"{{"alg":"none","kid":"{id}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"HS512","kid":"{id}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{id}x","typ":"JWT"}}"#),
            r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(),
        ] {
            let signed = format!("{}.{}", encode(&header), parts[1]);
            let signature = keys.0.signs().sign(signed.as_bytes());
            for signature in ["", parts[2], &signature] {
                check(&keys, &format!("{signed}.{signature}"), NOW, Err(TokenError::Forged));
            }
        }
    }

    #[test]
    fn what_the_key_has_signed_that_is_no_session_is_none() {
        let keys = keys(OLD, None);
        let sid = encode(std::str::from_utf8(&[b'x'; SESSION_BYTES]).unwrap());
        let payload = |iss: &str, sub: &str, sid: &str| {
            format!(
                r#"{{"iss":"{iss}","sub":"{sub}","sid":"{sid}","email":"a@b","staff":true,"iat":0,"exp":9999999999}}"#
            )
        };
        for (payload, is_one) in [
            (payload("tidewall", "1", &sid), true),
            (payload("other", "1", &sid), false),
            (payload("tidewall", "x", &sid), false),
            (payload("tidewall", "1", "AAAA"), false),
            ("{}".to_owned(), false),
            (String::new(), false),
        ] {
            let signed = format!("{}.{}", header(keys.0.signs()), encode(&payload));
            let token = format!("{signed}.{}", keys.0.signs().sign(signed.as_bytes()));
            assert_eq!(keys.verify(&token, NOW).is_ok(), is_one, "{payload}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_token_is_forged(position in any::<prop::sample::Index>(), byte in 0x21u8..0x7f) {
            let keys = keys(OLD, None);
            let mut changed = keys.issue(&claims(), NOW).into_bytes();
            let position = position.index(changed.len());
            prop_assume!(changed[position] != byte);
            changed[position] = byte;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(keys.verify(&changed, NOW), Err(TokenError::Forged));
        }

        #[test]
        fn no_text_is_a_token(text in ".{0,200}") {
            prop_assert_eq!(keys(OLD, None).verify(&text, NOW), Err(TokenError::Forged));
        }
    }
}
