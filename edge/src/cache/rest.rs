//! A level that has let a request wait in vain isn't asked for a while: the wait is then
//! one request's, not everybody's.

use std::time::Duration;

use crate::cache::level::Level;
use crate::time::Timestamp;

/// How long it isn't asked. Short: one slow answer says little of the next, and each
/// lookup that leaves out a level may miss what is there.
const REST: Duration = Duration::from_secs(1);

/// The levels that are left alone.
#[derive(Clone, Debug, Default)]
pub struct Rests([Option<Timestamp>; Level::ALL.len()]);

impl Rests {
    /// Whether `level` is to be left alone.
    pub fn is_resting(&self, level: Level, now: Timestamp) -> bool {
        // Beyond a clock that was put back nothing is remembered.
        self.0[level as usize].is_some_and(|until| now < until && until <= now.after(REST))
    }

    /// `level` took too long.
    pub fn was_slow(&mut self, level: Level, now: Timestamp) {
        self.0[level as usize] = Some(now.after(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_was_slow_is_left_alone_for_a_while_and_the_others_are_not() {
        let at = Timestamp::from_millis;
        let mut rests = Rests::default();
        assert!(!rests.is_resting(Level::Kv, at(10_000)));
        rests.was_slow(Level::Kv, at(10_000));
        assert!(rests.is_resting(Level::Kv, at(10_000)) && rests.is_resting(Level::Kv, at(10_999)));
        assert!(!rests.is_resting(Level::Kv, at(11_000)));
        assert!(!rests.is_resting(Level::CacheApi, at(10_500)));
        assert!(!rests.is_resting(Level::Kv, at(9_000)), "the clock was put back");
    }
}
