//! `X-Request-Id`, by which one request is found in every log.

/// Long enough for a UUID, a ULID or a trace id with a prefix.
const CHARS_MAX: usize = 64;

/// The client's id if it is fit for a log line, else none.
pub fn sane(given: Option<&str>) -> Option<&str> {
    given.filter(|id| {
        (1..=CHARS_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_taken_if_it_can_do_no_harm_in_a_log() {
        let long = "x".repeat(65);
        let check = |given, taken| assert_eq!(sane(Some(given)).is_some(), taken, "{given}");
        check("0c8f9a52-3c64-4f0e-9d0a-6f0f8f1f7a11", true);
        check("req_1.2", true);
        check("", false);
        check("a b", false);
        check("a\"b", false);
        check("ä", false);
        check(&long, false);
        assert_eq!(sane(None), None);
    }

    proptest! {
        #[test]
        fn whatever_is_given_only_what_fits_a_log_and_a_field_is_taken(
            given in "([a-zA-Z0-9_.-]{0,40}|\r|\n|\0|\"| |é){0,4}",
        ) {
            if let Some(id) = sane(Some(&given)) {
                prop_assert!((1..=CHARS_MAX).contains(&id.len()));
                prop_assert!(id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'));
            }
        }
    }
}
