//! What a client carries so that no later read of its own misses what it saw:
//! `<seq>.<lsn>`, the positions of the control log and of the database's WAL.

use std::fmt;
use std::str::FromStr;

/// Positions a reader must not be served behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// Position in the control log.
    pub seq: Seq,
    /// Position in the WAL, as a number of bytes; 0 for nothing.
    pub lsn: u64,
}

/// A bookmark's position in the control log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seq {
    /// At this entry; 0 for nothing.
    At(u64),
    /// An invalidation could not be logged, written `-`: its bearer can't be
    /// served from a store of grouped responses.
    Unlogged,
}

/// For how long one whose invalidation could not be logged is kept, in seconds. The origin's outbox
/// has delivered it by then, or something is so broken that stale answers are the least of it.
pub const UNLOGGED_KEPT_S: u32 = 10 * 60;

/// Text that is no bookmark; readers of the header ignore the whole field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookmarkError;

impl Bookmark {
    /// What an origin hands out: it knows the WAL alone.
    pub fn of_lsn(lsn: u64) -> Self {
        Self { seq: Seq::At(0), lsn }
    }
}

impl Bookmark {
    /// No position at all.
    pub const NOTHING: Self = Self { seq: Seq::At(0), lsn: 0 };

    /// Field by field the greater: a client's answers arrive in parallel. What could not be logged
    /// outweighs every position.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let seq = match (self.seq, other.seq) {
            (Seq::At(one), Seq::At(other)) => Seq::At(one.max(other)),
            (Seq::Unlogged, _) | (_, Seq::Unlogged) => Seq::Unlogged,
        };
        Self { seq, lsn: self.lsn.max(other.lsn) }
    }
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Seq::At(seq) => write!(f, "{seq}.{}", self.lsn),
            Seq::Unlogged => write!(f, "-.{}", self.lsn),
        }
    }
}

impl fmt::Display for BookmarkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bookmark is `<seq>.<lsn>`: two decimal numbers, the first of which may be `-`")
    }
}

impl std::error::Error for BookmarkError {}

impl FromStr for Bookmark {
    type Err = BookmarkError;

    fn from_str(text: &str) -> Result<Self, BookmarkError> {
        let (seq, lsn) = text.split_once('.').ok_or(BookmarkError)?;
        let seq = if seq == "-" { Seq::Unlogged } else { Seq::At(decimal(seq)?) };
        Ok(Self { seq, lsn: decimal(lsn)? })
    }
}

/// Digits only: `u64::from_str` would take a sign as well.
fn decimal(text: &str) -> Result<u64, BookmarkError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| BookmarkError)
    } else {
        Err(BookmarkError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<Bookmark>) {
        assert_eq!(text.parse().ok(), expected, "{text:?}");
        if let Some(bookmark) = expected {
            assert_eq!(bookmark.to_string(), text);
        }
    }

    #[test]
    fn a_bookmark_is_two_positions() {
        check("0.0", Some(Bookmark::of_lsn(0)));
        check(
            "1790000000000.18446744073709551615",
            Some(Bookmark { seq: Seq::At(1_790_000_000_000), lsn: u64::MAX }),
        );
        check("-.7", Some(Bookmark { seq: Seq::Unlogged, lsn: 7 }));
    }

    #[test]
    fn two_are_merged_field_by_field_to_the_greater() {
        let at = |seq, lsn| Bookmark { seq: Seq::At(seq), lsn };
        let unlogged = |lsn| Bookmark { seq: Seq::Unlogged, lsn };
        for (one, other, merged) in [
            (at(3, 9), at(5, 2), at(5, 9)),
            (Bookmark::NOTHING, at(5, 2), at(5, 2)),
            (unlogged(1), at(5, 2), unlogged(2)),
        ] {
            assert_eq!((one.merged(other), other.merged(one)), (merged, merged));
        }
    }

    #[test]
    fn anything_else_is_no_bookmark() {
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.-",
            "+1.2",
            "1.+2",
            "1.2.3",
            " 1.2",
            "1,2",
            "0x1.2",
            "1.18446744073709551616",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(seq in prop::option::of(any::<u64>()), lsn: u64) {
            let bookmark = Bookmark { seq: seq.map_or(Seq::Unlogged, Seq::At), lsn };
            prop_assert_eq!(bookmark.to_string().parse(), Ok(bookmark));
        }

        #[test]
        fn whatever_is_read_is_written_in_one_way(text in "([0-9]{1,21}|-|\\.|\\+| |é|\r|\0){0,6}") {
            if let Ok(bookmark) = text.parse::<Bookmark>() {
                let written = bookmark.to_string();
                prop_assert!(written.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte)));
                prop_assert_eq!(written.parse(), Ok(bookmark));
            }
        }
    }
}
