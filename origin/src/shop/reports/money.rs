//! Money and counts as people read them.

/// Whole cents as dollars: `$1,299.00`.
pub(super) fn price(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", grouped(cents / 100), cents % 100)
}

/// A number with its thousands apart: `10,000`.
pub(super) fn count(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_become_dollars() {
        for (cents, text) in [
            (0, "$0.00"),
            (5, "$0.05"),
            (129_900, "$1,299.00"),
            (-250, "-$2.50"),
            (100_000_000, "$1,000,000.00"),
        ] {
            assert_eq!(price(cents), text);
        }
        assert_eq!(
            (count(999), count(1_000), count(-1_234_567)),
            ("999".into(), "1,000".into(), "-1,234,567".into())
        );
    }
}
