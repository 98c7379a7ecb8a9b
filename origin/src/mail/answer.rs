//! What a mail server's refusal means. Pure.

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt may succeed.
    Retry,
    /// No attempt can.
    Discard,
}

/// Judges a reply code (RFC 5321, section 4.2). Of those that say "never", some are about who
/// sends and not about the letter (RFC 4954, section 6): they end once somebody has mended the
/// settings, and no letter is to be lost until then.
pub(super) fn judge(code: u16) -> Verdict {
    match code {
        530 | 534 | 535 | 538 => Verdict::Retry,
        500..600 => Verdict::Discard,
        _ => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_good_is_discarded_and_all_else_tried_again() {
        for (code, expected) in [
            (421, Verdict::Retry),
            (450, Verdict::Retry),
            (451, Verdict::Retry),
            (452, Verdict::Retry),
            (500, Verdict::Discard),
            (550, Verdict::Discard),
            (552, Verdict::Discard),
            (554, Verdict::Discard),
            (530, Verdict::Retry),
            (535, Verdict::Retry),
            (250, Verdict::Retry),
        ] {
            assert_eq!(judge(code), expected, "{code}");
        }
    }
}
