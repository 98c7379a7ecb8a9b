//! The cookies of a session.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use cookie::{Cookie, SameSite};
use time::Duration;

/// What is kept in cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The session token.
    Session,
    /// The refresh token.
    Refresh,
}

/// How cookies are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieNames {
    /// With the prefix `__Host-`: browsers take such a cookie over HTTPS alone, and from this
    /// very host, so that no neighbour can put its own in its place (RFC 6265bis, section 4.1.3.2).
    Host,
    /// Without: for plain HTTP on one's own machine.
    Plain,
}

impl CookieNames {
    fn name(self, kept: Kept) -> &'static str {
        match (self, kept) {
            (Self::Host, Kept::Session) => "__Host-tw_session",
            (Self::Host, Kept::Refresh) => "__Host-tw_refresh",
            (Self::Plain, Kept::Session) => "tw_session",
            (Self::Plain, Kept::Refresh) => "tw_refresh",
        }
    }

    /// What a request brings.
    pub(super) fn read(self, request: &HeaderMap, kept: Kept) -> Option<String> {
        // As bytes: neighbours may put in any others, and must not hide this one.
        let mut pairs =
            request.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        let value = pairs
            .find_map(|pair| pair.trim_ascii().strip_prefix(self.name(kept).as_bytes())?.strip_prefix(b"="));
        str::from_utf8(value?).ok().map(str::to_owned)
    }

    /// Has the browser keep `value` for so long.
    pub(super) fn set(self, answer: &mut HeaderMap, kept: Kept, value: &str, max_age: std::time::Duration) {
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        self.write(answer, kept, value, Duration::seconds(seconds));
    }

    /// Has the browser forget both.
    pub(super) fn clear(self, answer: &mut HeaderMap) {
        for kept in [Kept::Session, Kept::Refresh] {
            self.write(answer, kept, "", Duration::ZERO);
        }
    }

    fn write(self, answer: &mut HeaderMap, kept: Kept, value: &str, max_age: Duration) {
        // `Lax`: whoever follows a link to here is logged in. What changes something is
        // looked at besides; see `cross_site`.
        let cookie = Cookie::build((self.name(kept), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self == Self::Host)
            .max_age(max_age);
        if let Ok(field) = HeaderValue::try_from(cookie.to_string()) {
            answer.append(SET_COOKIE, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cookies_are_for_this_host_and_for_no_script() {
        for (names, expected) in [
            (CookieNames::Host, "__Host-tw_session=abc; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"),
            (CookieNames::Plain, "tw_session=abc; HttpOnly; SameSite=Lax; Path=/; Max-Age=60"),
        ] {
            let mut answer = HeaderMap::new();
            names.set(&mut answer, Kept::Session, "abc", std::time::Duration::from_mins(1));
            assert_eq!(answer[SET_COOKIE], expected);
        }
    }

    #[test]
    fn only_the_name_in_use_is_read() {
        let request = HeaderMap::from_iter([
            (
                COOKIE,
                HeaderValue::from_bytes(
                    "city=München; xtw_session=x; tw_session=plain;tw_refresh=r".as_bytes(),
                )
                .unwrap(),
            ),
            (COOKIE, HeaderValue::from_static("__Host-tw_session=host")),
        ]);
        assert_eq!(CookieNames::Host.read(&request, Kept::Session).as_deref(), Some("host"));
        assert_eq!(CookieNames::Plain.read(&request, Kept::Session).as_deref(), Some("plain"));
        assert_eq!(CookieNames::Host.read(&request, Kept::Refresh), None);
    }

    #[test]
    fn both_are_forgotten() {
        let mut answer = HeaderMap::new();
        CookieNames::Plain.clear(&mut answer);
        let fields: Vec<_> = answer.get_all(SET_COOKIE).iter().map(|field| field.to_str().unwrap()).collect();
        assert_eq!(fields.len(), 2);
        assert!(fields.iter().all(|field| field.ends_with("Max-Age=0")), "{fields:?}");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_again_among_any_others(
            value in "[A-Za-z0-9._-]{1,40}",
            before in "([a-z]|=|; |;|\"| |,|é){0,12}",
            after in "(;[a-z=é ]{0,4}){0,3}",
        ) {
            let mut answer = HeaderMap::new();
            CookieNames::Plain.set(&mut answer, Kept::Session, &value, std::time::Duration::ZERO);
            let kept = answer[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
            let cookies = HeaderValue::try_from(format!("{before}; {kept}{after}")).unwrap();
            let request = HeaderMap::from_iter([(COOKIE, cookies)]);
            prop_assert_eq!(CookieNames::Plain.read(&request, Kept::Session), Some(value));
            prop_assert_eq!(CookieNames::Host.read(&request, Kept::Session), None);
        }

        #[test]
        fn no_value_writes_a_field_of_its_own(value in "(a|;|=|\r|\n|\0|\"|é| ){0,12}") {
            let mut answer = HeaderMap::new();
            CookieNames::Host.set(&mut answer, Kept::Refresh, &value, std::time::Duration::ZERO);
            prop_assert!(answer.len() <= 1);
            prop_assert!(!value.contains(['\r', '\n', '\0']) || answer.is_empty());
        }
    }
}
