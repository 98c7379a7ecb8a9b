//! Chance that depends on a seed alone (SplitMix64).

use std::cell::Cell;

/// A stream of numbers.
pub(crate) struct Random(Cell<u64>);

impl Random {
    /// The stream of one part of a world, so that what other parts draw doesn't change it.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        let random = Self(Cell::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(part << 40)));
        random.next();
        random
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    /// One of `from..=to`.
    pub(crate) fn between(&self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// True so many times of a hundred.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}
