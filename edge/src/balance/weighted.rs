//! Each origin in turn, as often as its weight says and spread evenly: the smooth weighted
//! round robin of nginx.

use crate::balance::{Asker, Candidate, Pick};

/// With each choice every candidate gains its weight, the richest is taken and pays for
/// all. So with weights 5, 1, 1 the order is a a b a c a a, and not five times a in a row.
#[derive(Debug)]
pub(super) struct Weighted {
    /// What each origin has, by its place in the configuration.
    credits: Vec<i64>,
    first: usize,
}

impl Weighted {
    /// Of origins with the same credit those from `first` on go before.
    pub(super) fn new(first: usize) -> Self {
        Self { credits: Vec::new(), first }
    }
}

impl Pick for Weighted {
    fn pick(&mut self, candidates: &[Candidate<'_>], _: &Asker<'_>) -> Option<usize> {
        let last = candidates.last()?.origin;
        if self.credits.len() <= last {
            self.credits.resize(last + 1, 0);
        }
        for candidate in candidates {
            self.credits[candidate.origin] += i64::from(candidate.weight);
        }
        let before = |origin: usize| (origin < self.first, origin);
        let richest = candidates
            .iter()
            .map(|candidate| candidate.origin)
            .min_by_key(|origin| (std::cmp::Reverse(self.credits[*origin]), before(*origin)))?;
        self.credits[richest] -= candidates.iter().map(|candidate| i64::from(candidate.weight)).sum::<i64>();
        Some(richest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::candidates;

    const ASKER: Asker<'_> = Asker { client: "", kept: None, draw: 0 };

    #[test]
    fn turns_are_spread_evenly() {
        let all = candidates(&[("a", 5, 1), ("b", 1, 1), ("c", 1, 1)]);
        let mut policy = Weighted::new(0);
        let picks: Vec<_> = (0..7).map(|_| policy.pick(&all, &ASKER).unwrap()).collect();
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(policy.pick(&[], &ASKER), None);
    }

    #[test]
    fn the_first_turn_can_be_anyones() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1)]);
        let mut policy = Weighted::new(1);
        assert_eq!([policy.pick(&all, &ASKER), policy.pick(&all, &ASKER)], [Some(1), Some(0)]);
    }

    #[test]
    fn who_was_away_does_not_get_all_at_once_what_it_missed() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1)]);
        let mut policy = Weighted::new(0);
        for _ in 0..100 {
            assert_eq!(policy.pick(&all[..1], &ASKER), Some(0));
        }
        let picks: Vec<_> = (0..4).map(|_| policy.pick(&all, &ASKER).unwrap()).collect();
        assert_eq!(picks, [0, 1, 0, 1]);
    }

    proptest! {
        #[test]
        fn in_a_whole_round_each_gets_its_weight(weights in prop::collection::vec(1_u32..20, 1..6)) {
            let of: Vec<_> = weights.iter().map(|weight| ("", *weight, 1)).collect();
            let all = candidates(&of);
            let mut policy = Weighted::new(0);
            let mut taken = vec![0; weights.len()];
            for _ in 0..weights.iter().sum() {
                taken[policy.pick(&all, &ASKER).unwrap()] += 1;
            }
            prop_assert_eq!(taken, weights);
        }
    }
}
