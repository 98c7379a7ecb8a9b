//! Each origin in turn.

use crate::balance::Pick;

/// Takes the origin after the one taken last, passing over those that may not
/// take the request.
#[derive(Debug)]
pub struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// Begins at origin `first`. Give each isolate another one: many isolates live
    /// for a few requests, and would all send them to the same origin.
    pub fn new(first: usize) -> Self {
        Self { next: first }
    }
}

impl Pick for RoundRobin {
    fn pick(&mut self, candidates: &[usize]) -> Option<usize> {
        let turn = candidates.iter().find(|origin| **origin >= self.next).or(candidates.first()).copied()?;
        self.next = turn + 1;
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_take_turns() {
        let mut policy = RoundRobin::new(0);
        let picks: Vec<_> = (0..6).map(|_| policy.pick(&[0, 1, 2])).collect();
        assert_eq!(picks, [0, 1, 2, 0, 1, 2].map(Some));
    }

    #[test]
    fn an_origin_that_may_not_take_the_request_is_passed_over() {
        let mut policy = RoundRobin::new(0);
        assert_eq!(policy.pick(&[0, 1, 2]), Some(0));
        assert_eq!(policy.pick(&[0, 2]), Some(2));
        assert_eq!(policy.pick(&[0, 2]), Some(0));
        assert_eq!(policy.pick(&[]), None);
    }

    #[test]
    fn the_first_turn_can_be_anyones() {
        assert_eq!(RoundRobin::new(1).pick(&[0, 1]), Some(1));
        assert_eq!(RoundRobin::new(7).pick(&[0, 1]), Some(0));
    }
}
