//! What a shopper is told about the pieces left.

/// At most this many left is worth a hint: few enough that waiting may cost the chance.
const FEW_MAX: i32 = 5;

/// How many are left, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// None.
    Out,
    /// The last few.
    Few(i32),
    /// Enough.
    Plenty,
}

impl Stock {
    /// Judges a number of pieces.
    pub fn of(pieces: i32) -> Self {
        match pieces {
            ..=0 => Self::Out,
            1..=FEW_MAX => Self::Few(pieces),
            _ => Self::Plenty,
        }
    }

    /// In words.
    pub fn text(self) -> String {
        match self {
            Self::Out => "Out of stock".to_owned(),
            Self::Few(pieces) => format!("Only {pieces} left"),
            Self::Plenty => "In stock".to_owned(),
        }
    }

    /// The style sheet's name for it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Out => "stock stock-out",
            Self::Few(_) => "stock stock-few",
            Self::Plenty => "stock stock-plenty",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_counted() {
        for (pieces, text) in [
            (-1, "Out of stock"),
            (0, "Out of stock"),
            (1, "Only 1 left"),
            (5, "Only 5 left"),
            (6, "In stock"),
        ] {
            assert_eq!(Stock::of(pieces).text(), text, "{pieces}");
        }
    }
}
