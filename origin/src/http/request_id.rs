//! The id that ties a request's answer, its problem and its log lines together.

use axum::http::HeaderValue;

/// Longest id that is taken over from the client.
const CHARS_MAX: usize = 128;

/// Identifies one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// The id that came with the request if it is fit for logs and headers, else
    /// one made of `random`.
    pub(super) fn accept_or_make(incoming: Option<&HeaderValue>, random: u128) -> Self {
        let fit = |id: &&str| {
            !id.is_empty()
                && id.len() <= CHARS_MAX
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte))
        };
        match incoming.and_then(|value| value.to_str().ok()).filter(fit) {
            Some(id) => Self(id.to_owned()),
            None => Self(format!("{random:032x}")),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(incoming: Option<&[u8]>, id: &str) {
        let incoming = incoming.map(|bytes| HeaderValue::from_bytes(bytes).unwrap());
        assert_eq!(RequestId::accept_or_make(incoming.as_ref(), 7).as_str(), id);
    }

    const MADE: &str = "00000000000000000000000000000007";

    #[test]
    fn a_fit_id_is_taken_over() {
        check(Some(b"0af7651916cd43dd-8448eb211c80319c"), "0af7651916cd43dd-8448eb211c80319c");
        check(Some(&[b'a'; CHARS_MAX]), &"a".repeat(CHARS_MAX));
    }

    #[test]
    fn any_other_is_replaced() {
        check(None, MADE);
        check(Some(b""), MADE);
        check(Some(b"two words"), MADE);
        check(Some(b"\"}{"), MADE);
        check(Some("ü".as_bytes()), MADE);
        check(Some(&[b'a'; CHARS_MAX + 1]), MADE);
    }

    proptest! {
        #[test]
        fn whatever_came_an_id_fits_logs_and_fields(
            incoming in "([a-zA-Z0-9:/+=_.-]{0,70}|\"| |\\{|\t|é){0,3}", random: u128,
        ) {
            let incoming = HeaderValue::from_bytes(incoming.as_bytes()).unwrap();
            let id = RequestId::accept_or_make(Some(&incoming), random);
            prop_assert!((1..=CHARS_MAX).contains(&id.as_str().len()));
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"{}".contains(&byte);
            prop_assert!(id.as_str().bytes().all(is_plain), "{id:?}");
        }
    }
}
