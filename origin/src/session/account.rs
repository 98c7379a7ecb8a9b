//! What may be an address and a password.

use std::collections::BTreeMap;

use tidewall_api::account::{Credentials, EMAIL_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};

/// The credentials as they are kept: the address in lower case, for nobody has two accounts
/// by its letters' case. Or what is wrong with each field.
pub fn validate(credentials: Credentials) -> Result<Credentials, BTreeMap<String, String>> {
    let Credentials { email, password } = credentials;
    let email = email.trim().to_lowercase();
    let mut errors = BTreeMap::new();
    if let Some(problem) = bad_email(&email) {
        errors.insert("email".to_owned(), problem);
    }
    let chars = password.chars().count();
    if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        let problem = format!("must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters");
        errors.insert("password".to_owned(), problem);
    }
    if errors.is_empty() { Ok(Credentials { email, password }) } else { Err(errors) }
}

/// Whether mail could reach it only a mail can tell; this is about typing errors.
fn bad_email(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    if local.is_empty() || domain.is_empty() || email.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        Some("must be an address such as ada@example.com".to_owned())
    } else if email.chars().count() > EMAIL_CHARS_MAX {
        Some(format!("must have at most {EMAIL_CHARS_MAX} characters"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(email: &str, password: &str, expected: &str) {
        let credentials = Credentials { email: email.to_owned(), password: password.to_owned() };
        let outcome = match validate(credentials) {
            Ok(valid) => valid.email,
            Err(errors) => errors.into_keys().collect::<Vec<_>>().join(" "),
        };
        assert_eq!(outcome, expected, "{email} {password}");
    }

    #[test]
    fn an_address_is_kept_in_lower_case() {
        check(" Ada@Example.COM ", "long enough", "ada@example.com");
        check("a@b", "12345678", "a@b");
        check("ä@bücher.example", &"ü".repeat(PASSWORD_CHARS_MAX), "ä@bücher.example");
    }

    #[test]
    fn what_is_no_address_or_no_password_is_named() {
        for email in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@example.com\u{0}"] {
            check(email, "long enough", "email");
        }
        check(&format!("a@{}", "b".repeat(EMAIL_CHARS_MAX)), "long enough", "email");
        check("ada@example.com", "1234567", "password");
        check("ada@example.com", &"x".repeat(PASSWORD_CHARS_MAX + 1), "password");
        check("", "", "email password");
    }

    proptest! {
        #[test]
        fn what_is_valid_is_within_its_bounds_and_valid_again(
            email in "(\\PC{0,8}|@|\\.|\r|\n|\0| |İ|ẞ|Σ|[a-z]{90}){0,6}", password in "\\PC{0,300}",
        ) {
            let Ok(valid) = validate(Credentials { email, password }) else { return Ok(()) };
            prop_assert!((1..=EMAIL_CHARS_MAX).contains(&valid.email.chars().count()));
            prop_assert!(!valid.email.contains(|letter: char| letter.is_control() || letter.is_whitespace()));
            prop_assert!((PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&valid.password.chars().count()));
            prop_assert_eq!(validate(valid.clone()), Ok(valid));
        }
    }
}
