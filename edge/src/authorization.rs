//! Who may use the edge's own interface: the bearer of the purge token (RFC 6750).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// Whether an `Authorization` field carries the token. Digests are compared, in the same
/// time for every wrong one: so neither the token nor its length can be guessed bit by bit.
pub fn bears(authorization: Option<&str>, token: &Secret) -> bool {
    let Some((scheme, given)) = authorization.and_then(|value| value.split_once(' ')) else { return false };
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    scheme.eq_ignore_ascii_case("bearer")
        && bool::from(digest(given.trim()).as_slice().ct_eq(digest(token.expose()).as_slice()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, Vars};

    fn token() -> Secret {
        let vars = Vars {
            origins: Some(r#"[{"id":"a","url":"http://a"}]"#.into()),
            purge_token: Some("secret-secret-secret".into()),
            ..Vars::default()
        };
        Config::parse(&vars).unwrap().purge_token.unwrap()
    }

    #[test]
    fn only_the_whole_token_opens() {
        let check = |field, opens| assert_eq!(bears(field, &token()), opens, "{field:?}");
        check(Some("Bearer secret-secret-secret"), true);
        check(Some("bearer secret-secret-secret"), true);
        check(Some("Bearer secret-secret-secre"), false);
        check(Some("Bearer secret-secret-secrets"), false);
        check(Some("Bearer "), false);
        check(Some("Basic secret-secret-secret"), false);
        check(Some("secret-secret-secret"), false);
        check(None, false);
    }

    proptest! {
        #[test]
        fn whatever_is_said_nothing_but_the_token_opens(
            field in "(Bearer|bearer|Basic|secret-secret-secret|SECRET-SECRET-SECRET| |\t|=|,|é){0,5}",
        ) {
            let mut words = field.split_whitespace();
            let is_token = words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
                && words.next() == Some("secret-secret-secret")
                && words.next().is_none();
            prop_assert!(!bears(Some(&field), &token()) || is_token);
        }
    }
}
