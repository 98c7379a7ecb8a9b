//! Each origin in turn.

use crate::balance::{Asker, Candidate, Pick};

/// Takes the origin after the one taken last, passing over those that may not
/// take the request.
#[derive(Debug)]
pub(super) struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// Begins at origin `first`. Give each isolate another one: many isolates live
    /// for a few requests, and would all send them to the same origin.
    pub(super) fn new(first: usize) -> Self {
        Self { next: first }
    }
}

impl Pick for RoundRobin {
    fn pick(&mut self, candidates: &[Candidate<'_>], _: &Asker<'_>) -> Option<usize> {
        let mut origins = candidates.iter().map(|candidate| candidate.origin);
        let turn = origins.clone().find(|origin| *origin >= self.next).or_else(|| origins.next())?;
        self.next = turn + 1;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::candidates;

    const ASKER: Asker<'_> = Asker { client: "", kept: None, draw: 0 };

    #[test]
    fn origins_take_turns() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
        let mut policy = RoundRobin::new(0);
        let picks: Vec<_> = (0..6).map(|_| policy.pick(&all, &ASKER)).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2].map(Some));
    }

    #[test]
    fn an_origin_that_may_not_take_the_request_is_passed_over() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
        let others = [all[0], all[2]];
        let mut policy = RoundRobin::new(0);
        assert_eq!(policy.pick(&all, &ASKER), Some(0));
        assert_eq!(policy.pick(&others, &ASKER), Some(2));
        assert_eq!(policy.pick(&others, &ASKER), Some(0));
        assert_eq!(policy.pick(&[], &ASKER), None);
    }

    #[test]
    fn the_first_turn_can_be_anyones() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1)]);
        assert_eq!(RoundRobin::new(1).pick(&all, &ASKER), Some(1));
        assert_eq!(RoundRobin::new(7).pick(&all, &ASKER), Some(0));
    }
}
