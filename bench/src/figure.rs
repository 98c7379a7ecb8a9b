//! A measured number, told with as many digits as it is worth.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Digits that count. Rounds differ by some percent, so more would say nothing.
const DIGITS: usize = 4;
/// Up to here every whole number is exact as `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A number with four digits that count.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Deserialize)]
pub struct Figure(f64);

impl Figure {
    /// The figure nearest to `value`.
    pub fn new(value: f64) -> Self {
        // In decimal, so that what is printed is what was meant.
        let rounded = format!("{value:.*e}", DIGITS - 1);
        Self(rounded.parse().unwrap_or(value))
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A whole number as one, so that `37000` isn't `37000.0`.
impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= WHOLE_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 54 bits")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_count() {
        for (value, json) in [
            (37_123.4, "37120"),
            (9_999.6, "10000"),
            (2.931_49, "2.931"),
            (96.305, "96.31"),
            (0.000_123_456, "0.0001235"),
            (0.0, "0"),
            (-12.0, "-12"),
            (9.0, "9"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(serde_json::to_string(&Figure::new(value)).unwrap(), json, "{value}");
        }
    }

    #[test]
    fn text_has_the_same_digits() {
        for (value, text) in [(37_123.4, "37120"), (2.931_49, "2.931"), (9.0, "9")] {
            assert_eq!(Figure::new(value).to_string(), text);
        }
    }
}
