//! The less loaded of two origins: the power of two choices (M. Mitzenmacher, 2001). It
//! keeps load nearly as even as the least loaded of all would, and isolates that see the
//! same origin idle don't all rush to it.

use std::cmp::Ordering;

use crate::balance::{Asker, Candidate, Pick};

/// Draws two, and takes the one that costs less for its weight.
#[derive(Debug)]
pub(super) struct LeastConnections;

impl Pick for LeastConnections {
    fn pick(&mut self, candidates: &[Candidate<'_>], asker: &Asker<'_>) -> Option<usize> {
        let count = candidates.len() as u64;
        if count < 2 {
            return candidates.first().map(|candidate| candidate.origin);
        }
        // Below the count, so each is a place in the list.
        let first = (asker.draw % count) as usize;
        let second = (asker.draw / count % (count - 1)) as usize;
        let second = if second < first { second } else { second + 1 };
        let [first, second] = [&candidates[first], &candidates[second]];
        Some(if for_its_weight(second, first) == Ordering::Less { second.origin } else { first.origin })
    }
}

/// What one costs beside the other: `a.cost / a.weight` to `b.cost / b.weight`.
fn for_its_weight(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let times = |cost: u64, weight: u32| u128::from(cost) * u128::from(weight);
    times(a.cost, b.weight).cmp(&times(b.cost, a.weight))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::candidates;

    fn pick(of: &[(&str, u32, u64)], draw: u64) -> Option<usize> {
        LeastConnections.pick(&candidates(of), &Asker { client: "", kept: None, draw })
    }

    #[test]
    fn the_most_loaded_is_never_taken() {
        for draw in 0..100 {
            assert_ne!(pick(&[("a", 1, 3), ("b", 1, 9), ("c", 1, 3)], draw), Some(1), "{draw}");
        }
    }

    #[test]
    fn who_has_twice_the_weight_may_have_twice_the_load() {
        for draw in 0..10 {
            assert_eq!(pick(&[("a", 1, 3), ("b", 2, 5)], draw), Some(1), "{draw}");
            assert_eq!(pick(&[("a", 1, 3), ("b", 2, 7)], draw), Some(0), "{draw}");
        }
    }

    #[test]
    fn of_equals_each_is_taken_as_often() {
        let mut taken = [0; 3];
        for draw in 0..600 {
            taken[pick(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)], draw).unwrap()] += 1;
        }
        assert_eq!(taken, [200; 3]);
    }

    #[test]
    fn without_a_choice_there_is_none() {
        assert_eq!(pick(&[], 7), None);
        assert_eq!(pick(&[("a", 1, u64::MAX)], 7), Some(0));
    }

    proptest! {
        #[test]
        fn whatever_is_drawn_it_is_one_of_them(
            costs in prop::collection::vec((1_u32..=100, any::<u64>()), 1..8),
            draw: u64,
        ) {
            let of: Vec<_> = costs.iter().map(|(weight, cost)| ("", *weight, *cost)).collect();
            prop_assert!(pick(&of, draw).unwrap() < of.len());
        }
    }
}
