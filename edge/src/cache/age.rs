//! How old a response is; RFC 9111, section 4.2.3.

use std::time::Duration;

use crate::cache::directives::seconds;
use crate::fields::{Fields, members};
use crate::time::Timestamp;

/// A response's age when it arrived, `corrected_initial_age`: what the caches
/// before this one say and how long the exchange took, or what `Date` says,
/// whichever is more.
pub fn initial_age(response: &Fields, request_time: Timestamp, response_time: Timestamp) -> Duration {
    let apparent = date(response).map_or(Duration::ZERO, |date| response_time.since(date));
    let response_delay = response_time.since(request_time);
    apparent.max(age_value(response).saturating_add(response_delay))
}

/// The value of `Age`; section 5.1. Of several the first counts, and one that is
/// no number is not there.
fn age_value(response: &Fields) -> Duration {
    let first = members(response.get("age").unwrap_or_default()).next();
    first.and_then(seconds).unwrap_or_default()
}

/// The value of `Date`.
pub fn date(response: &Fields) -> Option<Timestamp> {
    response.get("date").and_then(Timestamp::from_http_date)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    fn check(response: &str, exchange_ms: u64, expected_ms: u64) {
        let sent = Timestamp::from_millis(784_111_777_000 - exchange_ms);
        let age = initial_age(&Fields::from_lines(response), sent, NOW);
        assert_eq!(age, Duration::from_millis(expected_ms), "{response}");
    }

    #[test]
    fn age_is_the_greater_of_what_upstream_and_the_date_say() {
        check("", 0, 0);
        check("", 250, 250);
        check("age\n5", 250, 5_250);
        check("date\nSun, 06 Nov 1994 08:49:27 GMT", 0, 10_000);
        check("date\nSun, 06 Nov 1994 08:49:27 GMT\nage\n60", 0, 60_000);
        check("date\nSun, 06 Nov 1994 08:49:27 GMT\nage\n60", 3_000, 63_000);
        check("date\nSun, 06 Nov 1994 08:59:27 GMT", 0, 0);
        check("date\nyesterday", 0, 0);
    }

    #[test]
    fn a_broken_age_is_ignored_and_the_first_of_several_counts() {
        for broken in ["old", "-5", "+5", "5.0", "5s", "\"5\"", ""] {
            check(&format!("age\n{broken}"), 0, 0);
        }
        check("age\n5, 60", 0, 5_000);
        check("age\nold, 60", 0, 0);
        check("age\n99999999999999999999", 0, 1_000 << 31);
    }

    proptest! {
        #[test]
        fn no_field_whatever_makes_a_response_younger_than_its_exchange(
            age in "([0-9]{1,22}|,|\"| |-|\\.|é){0,6}",
            date in "((Sun, |Thu, )?[0-9]{2} (Nov|Jan) [0-9]{4} [0-2][0-9]:[0-9]{2}:[0-9]{2} GMT|[ -~]{0,9})",
            sent: u64,
            arrived: u64,
        ) {
            let response = Fields::from_lines(&format!("age\n{age}\ndate\n{date}"));
            let initial = initial_age(&response, Timestamp::from_millis(sent), Timestamp::from_millis(arrived));
            prop_assert!(initial >= Duration::from_millis(arrived.saturating_sub(sent)));
            prop_assert!(age_value(&response) <= Duration::from_secs(1 << 31));
        }
    }
}
