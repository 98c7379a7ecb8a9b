//! Where a chart has its lines.

/// Most lines above the one at nothing.
const STEPS_MAX: i64 = 5;
/// Nobody reads an axis in cents.
const STEP_CENTS_MIN: i64 = 100;

/// Round amounts from nothing to the first that no bar is above, evenly apart.
pub(super) fn ticks(highest_cents: i64) -> Vec<i64> {
    let step = step(highest_cents);
    let count = (highest_cents.max(1) - 1) / step + 1;
    (0..=count).map(|index| step.saturating_mul(index)).collect()
}

/// The least of 1, 2 or 5 times a power of ten that needs few enough lines.
fn step(highest_cents: i64) -> i64 {
    let mut power = STEP_CENTS_MIN;
    loop {
        for times in [1, 2, 5] {
            let step = power.saturating_mul(times);
            if step.saturating_mul(STEPS_MAX) >= highest_cents {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(highest_cents: i64, expected: &[i64]) {
        assert_eq!(ticks(highest_cents), expected, "{highest_cents}");
    }

    #[test]
    fn lines_are_at_round_amounts() {
        check(0, &[0, 100]);
        check(99, &[0, 100]);
        check(500, &[0, 100, 200, 300, 400, 500]);
        check(501, &[0, 200, 400, 600]);
        check(123_456, &[0, 50_000, 100_000, 150_000]);
        check(999_999, &[0, 200_000, 400_000, 600_000, 800_000, 1_000_000]);
    }

    proptest! {
        #[test]
        fn every_bar_has_a_line_at_or_above_it_and_lines_are_few(highest_cents in 0..i64::MAX) {
            let ticks = ticks(highest_cents);
            prop_assert!(ticks.last().is_some_and(|last| *last >= highest_cents));
            prop_assert!((2..=6).contains(&ticks.len()));
        }
    }
}
