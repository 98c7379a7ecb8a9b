//! How many days are asked for.

use tidewall_api::analytics::{DAYS_DEFAULT, DAYS_MAX};

use crate::http::error::ApiError;
use crate::http::query::{self, number};

/// Reads a URL's query.
pub(super) fn parse(query: Option<&str>) -> Result<u32, ApiError> {
    let mut days = DAYS_DEFAULT;
    query::read(query, |name, value| match name {
        "days" => {
            days = number(value, DAYS_MAX)?;
            Ok(())
        }
        _ => Err("is not known here; known is days".to_owned()),
    })?;
    Ok(days)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(query: Option<&str>, expected: &str) {
        let outcome = match parse(query) {
            Ok(days) => days.to_string(),
            Err(ApiError::Invalid(errors)) => errors
                .iter()
                .map(|(name, problem)| format!("{name} {problem}"))
                .collect::<Vec<_>>()
                .join("; "),
            Err(other) => other.to_string(),
        };
        assert_eq!(outcome, expected, "{query:?}");
    }

    #[test]
    fn it_is_a_month_unless_said_otherwise() {
        check(None, "30");
        check(Some(""), "30");
        check(Some("days=1"), "1");
        check(Some("days=365"), "365");
    }

    #[test]
    fn what_is_not_valid_is_named() {
        for days in ["0", "366", "-1", "+7", "", "7d", "4294967296"] {
            check(Some(&format!("days={days}")), "days must be a number from 1 to 365");
        }
        check(Some("days=1&days=2"), "days is given twice");
        check(Some("weeks=1"), "weeks is not known here; known is days");
    }

    proptest! {
        #[test]
        fn however_many_days_are_asked_for_they_are_within_the_bound(
            query in "(days=)?(days|=|&|[0-9]{1,12}|-|\\+|%3[0-9]|é){0,8}",
        ) {
            if let Ok(days) = parse(Some(&query)) {
                prop_assert!((1..=DAYS_MAX).contains(&days));
            }
        }
    }
}
