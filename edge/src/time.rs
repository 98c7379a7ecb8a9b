//! Points in time, as values: nothing in the core reads a clock.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The first second, counted from the Unix epoch, of a year that has five digits.
const YEAR_10000_S: u64 = 253_402_300_800;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point `ms` milliseconds after the Unix epoch.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Reads a date of HTTP; RFC 9110, section 5.6.7.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self(u64::try_from(since_epoch.as_millis()).ok()?))
    }

    /// Writes a date of HTTP, in whole seconds; `None` beyond the year 9999, which
    /// none can tell.
    pub fn to_http_date(self) -> Option<String> {
        let seconds = self.0 / 1_000;
        (seconds < YEAR_10000_S).then(|| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)))
    }

    /// The point `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Time since `earlier`; none where the clocks disagree and it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_ahead_is_no_time_ago() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_500));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn a_date_that_is_written_is_read_again() {
        let date = Timestamp::from_millis(784_111_777_999).to_http_date().unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Timestamp::from_http_date(&date), Some(Timestamp::from_millis(784_111_777_000)));
        assert!(Timestamp::from_millis(253_402_300_799_999).to_http_date().is_some());
        for beyond in [253_402_300_800_000, u64::MAX] {
            assert_eq!(Timestamp::from_millis(beyond).to_http_date(), None);
        }
    }

    #[test]
    fn dates_of_http_are_read_in_their_three_forms() {
        let expected = Some(Timestamp::from_millis(784_111_777_000));
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(Timestamp::from_http_date(text), expected, "{text}");
        }
        assert_eq!(Timestamp::from_http_date("0"), None);
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_reading_a_date_panic(
            text in "((Sun|Monday|Nov|Feb| GMT)|[0-9]{1,4}|[,: -]|é|\r|\n){0,16}",
        ) {
            let _ = Timestamp::from_http_date(&text);
        }

        #[test]
        fn no_day_whatever_makes_reading_a_date_panic(day: u8, month in "[A-S][a-u][a-y]", year in 0_u16..10_000) {
            for month in [&month, "Feb", "Dec"] {
                let _ = Timestamp::from_http_date(&format!("Sun, {day:02} {month} {year:04} 23:59:60 GMT"));
            }
        }

        #[test]
        fn every_second_that_is_written_is_read_again(seconds in 0..YEAR_10000_S) {
            let at = Timestamp::from_millis(seconds * 1_000);
            prop_assert_eq!(at.to_http_date().and_then(|date| Timestamp::from_http_date(&date)), Some(at));
        }
    }
}
