//! What an endpoint's answer means. Pure.

use std::time::Duration;

/// Longest wait that an endpoint may ask for.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken.
    Taken,
    /// It is told again.
    Again,
    /// It is told again, not before so long.
    Later(Duration),
    /// It is given up.
    Discard,
}

/// The seconds of a `Retry-After` (RFC 9110, section 10.2.3), however many. `None`: it names none.
pub(super) fn seconds(retry_after: &str) -> Option<u64> {
    let text = retry_after.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Judges an answer by its status, and by the seconds of its `Retry-After` where it has some.
pub(super) fn judge(status: u16, retry_after_s: Option<u64>) -> Verdict {
    let again = || match retry_after_s {
        Some(seconds) => Verdict::Later(Duration::from_secs(seconds).min(WAIT_MAX)),
        None => Verdict::Again,
    };
    match status {
        200..300 => Verdict::Taken,
        429 | 503 => again(),
        408 | 500.. => Verdict::Again,
        // Elsewhere is where nobody has subscribed; all else is the message's fault.
        _ => Verdict::Discard,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_says_whether_to_go_on() {
        let later = |seconds| Verdict::Later(Duration::from_secs(seconds));
        for (status, retry_after_s, expected) in [
            (200, None, Verdict::Taken),
            (204, Some(5), Verdict::Taken),
            (301, None, Verdict::Discard),
            (302, Some(5), Verdict::Discard),
            (400, None, Verdict::Discard),
            (401, None, Verdict::Discard),
            (404, None, Verdict::Discard),
            (408, Some(5), Verdict::Again),
            (410, None, Verdict::Discard),
            (422, None, Verdict::Discard),
            (429, None, Verdict::Again),
            (429, Some(5), later(5)),
            (500, Some(5), Verdict::Again),
            (503, Some(0), later(0)),
            (503, None, Verdict::Again),
            (503, Some(u64::MAX), later(24 * 60 * 60)),
            (599, None, Verdict::Again),
        ] {
            assert_eq!(judge(status, retry_after_s), expected, "{status} {retry_after_s:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_of_coming_again_nobody_waits_beyond_the_bound(
            status: u16, said in "([0-9]{1,25}|\\+|-| |Sun, 06 Nov 9994 08:49:37 GMT|é){0,3}",
        ) {
            let is_digits = !said.trim().is_empty() && said.trim().bytes().all(|byte| byte.is_ascii_digit());
            let seconds = seconds(&said);
            prop_assert_eq!(seconds.is_some(), is_digits);
            if let Verdict::Later(wait) = judge(status, seconds) {
                prop_assert!(wait <= WAIT_MAX && matches!(status, 429 | 503));
            }
        }
    }
}
