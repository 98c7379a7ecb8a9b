//! A position in the write-ahead log.

use std::fmt;

use tokio_postgres::types::PgLsn;

/// A WAL position, in bytes since the log's beginning. Positions of two timelines
/// can't be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(u64);

impl Lsn {
    /// The position `bytes` after the log's beginning.
    pub fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes since the log's beginning.
    pub fn get(self) -> u64 {
        self.0
    }

    /// Bytes of log from `earlier` to here; 0 where `earlier` is not earlier.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<PgLsn> for Lsn {
    fn from(lsn: PgLsn) -> Self {
        Self(lsn.into())
    }
}

impl From<Lsn> for PgLsn {
    fn from(lsn: Lsn) -> Self {
        Self::from(lsn.0)
    }
}

/// Decimal, as it stands in headers.
impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
