//! Numbers that others wrote, where they can be sizes, durations or counts.

/// Nothing has more bytes, takes more milliseconds or happens more often: what is more is a mistake, and
/// would make nothing of all that it is added to.
pub(super) const AMOUNT_MAX: f64 = (1_u64 << 53) as f64;

/// A number that can be one of these: none is negative.
pub(super) fn amount(value: f64) -> Option<f64> {
    (0.0..=AMOUNT_MAX).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_amount_can_be_is_none() {
        for value in [0.0, 0.5, AMOUNT_MAX] {
            assert_eq!(amount(value), Some(value));
        }
        for value in [-1.0, AMOUNT_MAX * 2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(amount(value), None, "{value}");
        }
    }
}
