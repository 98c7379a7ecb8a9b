//! Where a response stands in the two logs.

use serde::{Deserialize, Serialize};
use tidewall_api::headers::{LSN_PRIMARY, TIDEWALL_LSN};

use crate::control::log::Known;
use crate::fields::Fields;

/// A response's position: one value, replaced whole by each exchange with an
/// origin (P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How far the isolate's view had read when the exchange began, and of which log: one
    /// that takes the place of a lost one may have given the same positions (P1).
    pub fence: Known,
    /// Where in the WAL it was read.
    pub read_at: ReadAt,
}

/// Where in the WAL of its database a response was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadAt {
    /// The origin didn't say, or said something that is no position.
    Unknown,
    /// At this position or past it.
    Lsn(u64),
    /// On the primary, so past everything that was committed when the exchange began.
    Primary,
}

impl ReadAt {
    /// What an answer says of itself in `Tidewall-LSN`.
    pub fn of(answer: &Fields) -> Self {
        match answer.get(TIDEWALL_LSN) {
            Some(LSN_PRIMARY) => Self::Primary,
            Some(text) => number(text).map_or(Self::Unknown, Self::Lsn),
            None => Self::Unknown,
        }
    }

    /// The position as a number, where it is one.
    pub fn lsn(self) -> Option<u64> {
        match self {
            Self::Lsn(lsn) => Some(lsn),
            Self::Unknown | Self::Primary => None,
        }
    }
}

/// Digits only: `u64::from_str` would take a sign as well.
pub fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_says_where_it_was_read() {
        let check = |lines: &str, expected| {
            assert_eq!(ReadAt::of(&Fields::from_lines(lines)), expected, "{lines}");
        };
        check("", ReadAt::Unknown);
        check("tidewall-lsn\n42", ReadAt::Lsn(42));
        check("tidewall-lsn\nprimary", ReadAt::Primary);
        for broken in ["", "Primary", "+1", "-1", "1, 2", "0x1", "18446744073709551616"] {
            check(&format!("tidewall-lsn\n{broken}"), ReadAt::Unknown);
        }
    }

    proptest! {
        #[test]
        fn a_position_is_a_number_and_nothing_else(text in "([0-9]{1,12}|\\+|-| |primary|é){0,3}") {
            let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let expected = match text.parse::<u64>() {
                Ok(lsn) if is_digits => ReadAt::Lsn(lsn),
                _ if text == LSN_PRIMARY => ReadAt::Primary,
                _ => ReadAt::Unknown,
            };
            prop_assert_eq!(ReadAt::of(&Fields::from_lines(&format!("tidewall-lsn\n{text}"))), expected);
        }
    }
}
