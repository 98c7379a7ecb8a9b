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
}
