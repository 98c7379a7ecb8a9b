//! Which days a report is about.

use tidewall_api::job::ReportRequest;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::http::error::{ApiError, FieldErrors};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// Longest range, which bounds what one report can cost.
const YEARS_MAX: i32 = 10;

/// Whole days in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DayRange {
    /// The first moment.
    pub(super) begin: OffsetDateTime,
    /// The first moment after it.
    pub(super) end: OffsetDateTime,
}

impl DayRange {
    /// The days that `request` names, both included.
    pub(super) fn of(request: &ReportRequest) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::new();
        let mut day = |field: &str, text| {
            let day = parse(text);
            if day.is_none() {
                errors.insert(field.to_owned(), "must be a day that exists, as YYYY-MM-DD".to_owned());
            }
            day
        };
        let (Some((from, _)), Some((to, after))) = (day("from", &request.from), day("to", &request.to))
        else {
            return Err(ApiError::Invalid(errors));
        };
        if to < from {
            return Err(ApiError::invalid("to", "must not be before `from`"));
        }
        if after > years_later(from) {
            return Err(ApiError::invalid("to", format!("must be within {YEARS_MAX} years of `from`")));
        }
        Ok(Self { begin: from.midnight().assume_utc(), end: after.midnight().assume_utc() })
    }
}

/// The day, and the day after it.
fn parse(text: &str) -> Option<(Date, Date)> {
    // The format alone would also take signs.
    let digits = text.len() == "YYYY-MM-DD".len() && text.bytes().next()?.is_ascii_digit();
    let day = Date::parse(text, DAY).ok().filter(|_| digits)?;
    Some((day, day.next_day()?))
}

/// The same day [`YEARS_MAX`] years later; 1 March where that has no 29 February.
fn years_later(day: Date) -> Date {
    let year = day.year() + YEARS_MAX;
    day.replace_year(year)
        .or_else(|_| Date::from_calendar_date(year, time::Month::March, 1))
        .unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidewall_api::job::{ReportFormat, ReportKind};

    use super::*;

    fn check(from: &str, to: &str, expected: &str) {
        let request = ReportRequest {
            kind: ReportKind::Orders,
            format: ReportFormat::Csv,
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let outcome = match DayRange::of(&request) {
            Ok(range) => format!("{} until {}", range.begin, range.end),
            Err(ApiError::Invalid(errors)) => {
                format!("422 {}", errors.into_keys().collect::<Vec<_>>().join(" "))
            }
            Err(other) => other.to_string(),
        };
        assert_eq!(outcome, expected, "{from} to {to}");
    }

    /// Nearly a day, or one.
    const DAY_OR_NOT: &str =
        "(([0-9]{4}|20[0-9]{2}|9999|[+-][0-9]{3})-(0[1-9]|1[0-2]|[0-9]{2})-[0-3][0-9]|\\PC{0,12})";

    #[test]
    fn both_days_are_included() {
        check(
            "2026-01-01",
            "2026-01-01",
            "2026-01-01 0:00:00.0 +00:00:00 until 2026-01-02 0:00:00.0 +00:00:00",
        );
        check(
            "2024-02-29",
            "2026-12-31",
            "2024-02-29 0:00:00.0 +00:00:00 until 2027-01-01 0:00:00.0 +00:00:00",
        );
    }

    #[test]
    fn days_that_do_not_exist_are_named() {
        check("2026-02-29", "2026-12-31", "422 from");
        check("2026-13-01", "2026-04-31", "422 from to");
        check("", "01.02.2026", "422 from to");
        check("2026-1-1", "2026-01-01T00:00:00Z", "422 from to");
        check("+026-01-01", "2026-01-01", "422 from");
        check("2026-01-01", "9999-12-31", "422 to");
    }

    #[test]
    fn the_range_goes_forward_and_has_a_bound() {
        check("2026-01-02", "2026-01-01", "422 to");
        check("2016-01-01", "2026-01-01", "422 to");
        check("2024-02-29", "2034-03-01", "422 to");
        check(
            "2016-01-01",
            "2025-12-31",
            "2016-01-01 0:00:00.0 +00:00:00 until 2026-01-01 0:00:00.0 +00:00:00",
        );
    }

    proptest! {
        #[test]
        fn days_that_are_asked_for_are_in_order_and_not_too_many(from in DAY_OR_NOT, to in DAY_OR_NOT) {
            let request = ReportRequest { kind: ReportKind::Orders, format: ReportFormat::Csv, from, to };
            if let Ok(DayRange { begin, end }) = DayRange::of(&request) {
                let days = (end - begin).whole_days();
                prop_assert!((1..=i64::from(YEARS_MAX) * 366).contains(&days), "{request:?}");
                prop_assert_eq!(begin.date().to_string(), request.from);
            }
        }
    }
}
