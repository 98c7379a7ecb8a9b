//! Money and counts as text, without floating point: cents stay exact, and its
//! formatting code would be a tenth of what the browser loads.

/// Whole cents as dollars: `$1,299.00`.
pub fn price(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}${}.{:02}", count(cents / 100), cents % 100)
}

/// A number with its thousands apart: `10,000`.
pub fn count(number: u64) -> String {
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
            (1_999, "$19.99"),
            (100_000, "$1,000.00"),
            (129_900, "$1,299.00"),
            (1_000_000_000, "$10,000,000.00"),
            (-250, "-$2.50"),
            (i64::MIN, "-$92,233,720,368,547,758.08"),
        ] {
            assert_eq!(price(cents), text);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (10_000, "10,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
    }
}
