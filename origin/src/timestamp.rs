//! Moments as they stand in JSON: RFC 3339, UTC, milliseconds.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// `2026-11-24T01:02:03.456Z`
pub fn rfc3339(moment: OffsetDateTime) -> String {
    moment
        .to_offset(UtcOffset::UTC)
        .format(FORMAT)
        .unwrap_or_else(|_| unreachable!("every moment has the format's components"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn moments_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(datetime!(2026-11-24 01:02:03.456789 UTC)), "2026-11-24T01:02:03.456Z");
        assert_eq!(rfc3339(datetime!(2026-01-01 00:30 +01:00)), "2025-12-31T23:30:00.000Z");
    }
}
