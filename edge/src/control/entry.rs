//! What the log holds: which responses are out of date, from which positions on.

use serde::{Deserialize, Serialize};

use crate::control::position::{Position, ReadAt};

/// Which responses an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Every one.
    #[serde(rename = "a")]
    All,
    /// Those in a cache group; RFC 9875. Groups mean the same under all host names of
    /// one edge: it may invalidate more than a host's own, and never less.
    #[serde(rename = "g")]
    Group(String),
    /// Those of one URI, by its cache key; RFC 9111, section 4.4.
    #[serde(rename = "u")]
    Uri(String),
    /// Those of all URIs in a bucket ([`uri_bucket`]): what becomes of the entries of
    /// single ones that are evicted.
    #[serde(rename = "h")]
    Uris(u16),
    /// Those of a path, with all its queries.
    #[serde(rename = "p")]
    Path(String),
    /// Those of all paths that begin so.
    #[serde(rename = "b")]
    Prefix(String),
}

/// What happened to the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// They are stale, and may be used as stale ones may.
    #[serde(rename = "s")]
    Soft,
    /// They are never used again.
    #[serde(rename = "h")]
    Hard,
}

/// An entry's name in the log: there is one entry for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Which responses.
    pub scope: Scope,
    /// What happened to them.
    pub severity: Severity,
}

/// The positions that a response must have reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// In the control log.
    pub seq: u64,
    /// In the WAL; `None` where no one ever said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lsn: Option<u64>,
}

impl Mark {
    /// Both positions, each the greatest ever seen (P2): two writers may be logged in
    /// another order than they committed.
    pub fn raised_by(self, other: Self) -> Self {
        Self { seq: self.seq.max(other.seq), lsn: self.lsn.max(other.lsn) }
    }

    /// Whether a response has reached it (S1). The fence alone would miss a replica
    /// that lags; the LSN alone would miss that what is flushed on the primary need
    /// not be visible there yet.
    pub fn is_passed_by(self, position: Position) -> bool {
        let was_read_after = match (position.read_at, self.lsn) {
            (ReadAt::Lsn(read_at), Some(lsn)) => read_at >= lsn,
            (ReadAt::Primary | ReadAt::Unknown, _) | (_, None) => true,
        };
        position.fence.head >= self.seq && was_read_after
    }
}

/// How many buckets of URIs there are: of what is stored a thousandth is lost with each
/// URI that is evicted.
const URI_BUCKETS: u64 = 1_024;

/// The bucket of a URI, by its cache key (FNV-1a).
pub fn uri_bucket(uri: &str) -> u16 {
    let hash = uri.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Below 1,024.
    ((hash ^ (hash >> 32)) % URI_BUCKETS) as u16
}

impl Scope {
    /// What it is folded into when it is evicted.
    pub fn wider(&self) -> Self {
        match self {
            Self::Uri(uri) => Self::Uris(uri_bucket(uri)),
            _ => Self::All,
        }
    }

    /// Its kind in a word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Group(_) => "group",
            Self::Uri(_) => "uri",
            Self::Uris(_) => "uris",
            Self::Path(_) => "path",
            Self::Prefix(_) => "prefix",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::log::Known;

    /// Any scope.
    pub(in crate::control) fn scope() -> impl Strategy<Value = Scope> {
        prop_oneof![
            Just(Scope::All),
            "\\PC{0,9}".prop_map(Scope::Group),
            "\\PC{0,9}".prop_map(Scope::Uri),
            any::<u16>().prop_map(Scope::Uris),
            "/\\PC{0,9}".prop_map(Scope::Path),
            "/\\PC{0,9}".prop_map(Scope::Prefix),
        ]
    }

    fn known(head: u64) -> Known {
        Known { first: 1, head }
    }

    #[test]
    fn neither_position_of_a_mark_ever_decreases() {
        let earlier = Mark { seq: 5, lsn: Some(900) };
        let later = Mark { seq: 6, lsn: Some(800) };
        assert_eq!(earlier.raised_by(later), Mark { seq: 6, lsn: Some(900) });
        assert_eq!(later.raised_by(Mark { seq: 7, lsn: None }), Mark { seq: 7, lsn: Some(800) });
    }

    #[test]
    fn a_response_must_have_reached_both_positions() {
        let mark = Mark { seq: 5, lsn: Some(900) };
        let check = |fence, read_at, expected| {
            assert_eq!(
                mark.is_passed_by(Position { fence: known(fence), read_at }),
                expected,
                "{fence} {read_at:?}"
            );
        };
        check(5, ReadAt::Lsn(900), true);
        check(4, ReadAt::Lsn(900), false);
        check(5, ReadAt::Lsn(899), false);
        check(5, ReadAt::Primary, true);
        check(4, ReadAt::Primary, false);
        check(5, ReadAt::Unknown, true);
        check(4, ReadAt::Unknown, false);
        let without = Mark { seq: 5, lsn: None };
        assert!(without.is_passed_by(Position { fence: known(5), read_at: ReadAt::Lsn(1) }));
    }
}
