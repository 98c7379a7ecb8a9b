//! When something that failed is tried again.

use std::time::Duration;

/// How long to wait after each failure.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first one: what fails for a moment is over by then.
    pub base: Duration,
    /// At the longest: what is broken for long is asked about this often.
    pub delay_max: Duration,
}

impl Backoff {
    /// The delay after attempt number `attempt`, counted from 1: doubled each time
    /// up to a bound, of which the half is fixed and the other half is jitter, so
    /// that what failed together doesn't come back together.
    /// `random` is uniform over its range.
    pub fn delay(self, attempt: u32, random: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(u32::BITS - 1);
        let full = self.base.saturating_mul(1 << doublings).min(self.delay_max);
        let jitter = (full / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
        full / 2 + jitter
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), delay_max: Duration::from_mins(10) };

    fn check(attempt: u32, least_ms: u64, most_ms: u64) {
        assert_eq!(BACKOFF.delay(attempt, 0), Duration::from_millis(least_ms), "attempt {attempt}, least");
        assert_eq!(
            BACKOFF.delay(attempt, u32::MAX),
            Duration::from_millis(most_ms),
            "attempt {attempt}, most"
        );
    }

    #[test]
    fn the_delay_doubles_up_to_its_bound() {
        check(1, 500, 1_000);
        check(2, 1_000, 2_000);
        check(3, 2_000, 4_000);
        check(10, 256_000, 512_000);
        check(11, 300_000, 600_000);
        check(u32::MAX, 300_000, 600_000);
    }

    proptest! {
        #[test]
        fn the_delay_is_between_half_a_base_and_the_bound(attempt: u32, random: u32) {
            let delay = BACKOFF.delay(attempt, random);
            prop_assert!(delay >= BACKOFF.base / 2 && delay <= BACKOFF.delay_max);
        }
    }
}
