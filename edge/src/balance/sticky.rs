//! The same origin for the same browser, by a cookie of the edge's own: for origins that keep
//! in their memory what others can't know.
//!
//! The cookie names an origin, and is signed, so that nobody chooses one for himself or for
//! everybody. An origin that may not take the request (it was ejected, drains, or is gone from
//! the configuration) is not stuck to: whoever is without one gets the next in turn, and a
//! new cookie with its answer.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::balance::round_robin::RoundRobin;
use crate::balance::{Asker, Candidate, Pick};
use crate::cache::key::hexadecimal;

/// The cookie's name.
pub const TW_ORIGIN: &str = "tw_origin";

/// Fewest bytes of a secret: fewer could be found out by trying.
pub const SECRET_BYTES_MIN: usize = 16;

/// Takes the origin that the browser was sent to before, else the next in turn.
#[derive(Debug)]
pub(super) struct Sticky {
    otherwise: RoundRobin,
}

impl Sticky {
    /// Browsers without an origin take turns from origin `first` on.
    pub(super) fn new(first: usize) -> Self {
        Self { otherwise: RoundRobin::new(first) }
    }
}

impl Pick for Sticky {
    fn pick(&mut self, candidates: &[Candidate<'_>], asker: &Asker<'_>) -> Option<usize> {
        let kept = candidates.iter().find(|candidate| Some(candidate.id) == asker.kept);
        kept.map(|candidate| candidate.origin).or_else(|| self.otherwise.pick(candidates, asker))
    }
}

/// What signs the cookies.
pub struct Signer(Hmac<Sha256>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// By this secret; `None` where it is shorter than [`SECRET_BYTES_MIN`].
    pub fn new(secret: &str) -> Option<Self> {
        if secret.len() < SECRET_BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// The origin that a cookie names, if this has signed it.
    pub fn read<'a>(&self, cookie: &'a str) -> Option<&'a str> {
        let (origin, signature) = cookie.rsplit_once('.')?;
        bool::from(self.signature(origin).as_bytes().ct_eq(signature.as_bytes())).then_some(origin)
    }

    /// The value of `Set-Cookie` that keeps a browser at an origin, until it is closed.
    pub fn set_cookie(&self, origin: &str, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        let signature = self.signature(origin);
        format!("{TW_ORIGIN}={origin}.{signature}; Path=/; HttpOnly; SameSite=Lax{secure}")
    }

    fn signature(&self, origin: &str) -> String {
        let mut mac = self.0.clone();
        // With the name, for the secret may sign something else one day.
        mac.update(format!("{TW_ORIGIN} {origin}").as_bytes());
        hexadecimal(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::candidates;

    fn signer() -> Signer {
        Signer::new("a secret of the test alone").unwrap()
    }

    fn cookie(signer: &Signer, origin: &str) -> String {
        let set_cookie = signer.set_cookie(origin, false);
        let value = set_cookie.split(';').next().unwrap().strip_prefix("tw_origin=").unwrap();
        value.to_owned()
    }

    fn pick(policy: &mut Sticky, of: &[(&str, u32, u64)], kept: Option<&str>) -> usize {
        policy.pick(&candidates(of), &Asker { client: "", kept, draw: 0 }).unwrap()
    }

    #[test]
    fn who_has_an_origin_keeps_it_and_who_has_none_takes_turns() {
        let all = [("a", 1, 1), ("b", 1, 1), ("c", 1, 1)];
        let mut policy = Sticky::new(0);
        assert_eq!([(); 3].map(|()| pick(&mut policy, &all, Some("b"))), [1; 3]);
        assert_eq!([(); 3].map(|()| pick(&mut policy, &all, None)), [0, 1, 2]);
    }

    #[test]
    fn one_that_may_not_take_the_request_is_not_stuck_to() {
        let mut policy = Sticky::new(0);
        let left = [("a", 1, 1), ("c", 1, 1)];
        assert_eq!([(); 2].map(|()| pick(&mut policy, &left, Some("b"))), [0, 1]);
        assert_eq!(policy.pick(&[], &Asker { client: "", kept: Some("b"), draw: 0 }), None);
    }

    #[test]
    fn only_what_was_signed_with_the_secret_counts() {
        let signer = signer();
        for origin in ["a", "origin.eu-1"] {
            assert_eq!(signer.read(&cookie(&signer, origin)), Some(origin));
        }
        let of_a = cookie(&signer, "a");
        let signature = of_a.strip_prefix("a.").unwrap();
        let other = Signer::new("another secret of the test").unwrap();
        let cut = &of_a[..of_a.len() - 1];
        let forged = [format!("b.{signature}"), cookie(&other, "a"), cut.to_owned(), format!("{of_a}0")];
        for forged in forged.iter().map(String::as_str).chain(["", "a", "a.", ".", signature]) {
            assert_eq!(signer.read(forged), None, "{forged}");
        }
    }

    #[test]
    fn no_script_and_no_other_site_gets_the_cookie() {
        let set_cookie = signer().set_cookie("a", true);
        assert!(set_cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{set_cookie}");
        assert!(!signer().set_cookie("a", false).contains("Secure"));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        assert!(Signer::new("").is_none() && Signer::new("fifteen letters").is_none());
        assert!(Signer::new("sixteen letters!").is_some());
        assert!(!format!("{:?}", signer()).contains("secret"));
    }

    proptest! {
        #[test]
        fn no_text_is_signed_and_no_signed_one_may_be_changed(
            text in "(a|b|\\.|[0-9a-f]{64}|;|é){0,4}", place: prop::sample::Index, byte in 0x21_u8..0x7f,
        ) {
            prop_assert_eq!(signer().read(&text), None);
            let mut changed = cookie(&signer(), "a").into_bytes();
            let place = place.index(changed.len());
            prop_assume!(changed[place] != byte);
            changed[place] = byte;
            prop_assert_eq!(signer().read(str::from_utf8(&changed).unwrap()), None);
        }

        #[test]
        fn the_origin_that_a_cookie_names_is_read_again(origin in "[a-zA-Z0-9._~-]{1,20}") {
            let cookie = cookie(&signer(), &origin);
            prop_assert_eq!(signer().read(&cookie), Some(&*origin));
        }
    }
}
