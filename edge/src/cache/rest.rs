//! A level that has let requests wait in vain isn't asked for a while: the wait is then
//! that of a few, not everybody's.

use std::time::Duration;

use crate::cache::level::Level;
use crate::time::Timestamp;

/// How long it isn't asked. Short: one slow answer says little of the next, and each
/// lookup that leaves out a level may miss what is there.
const REST: Duration = Duration::from_secs(1);

/// Waits in vain, one after the other, after which KV isn't asked. What nobody has asked
/// for in a while may take it that long, and says nothing of all that is asked for.
const SLOW_IN_KV: u8 = 3;

/// The levels that are left alone.
#[derive(Clone, Debug, Default)]
pub struct Rests([Rest; Level::ALL.len()]);

#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    /// Waits in vain since it last answered in time.
    slow: u8,
    until: Option<Timestamp>,
}

impl Rests {
    /// Whether `level` is to be left alone.
    pub fn is_resting(&self, level: Level, now: Timestamp) -> bool {
        // Beyond a clock that was put back nothing is remembered.
        self.0[level as usize].until.is_some_and(|until| now < until && until <= now.after(REST))
    }

    /// `level` took too long.
    pub fn was_slow(&mut self, level: Level, now: Timestamp) {
        let rest = &mut self.0[level as usize];
        rest.slow = rest.slow.saturating_add(1);
        if rest.slow >= if level == Level::Kv { SLOW_IN_KV } else { 1 } {
            rest.until = Some(now.after(REST));
        }
    }

    /// `level` has answered in time.
    pub fn was_quick(&mut self, level: Level) {
        self.0[level as usize].slow = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_was_slow_is_left_alone_for_a_while_and_the_others_are_not() {
        let at = Timestamp::from_millis;
        let (level, other) = (Level::CacheApi, Level::Kv);
        let mut rests = Rests::default();
        assert!(!rests.is_resting(level, at(10_000)));
        rests.was_slow(level, at(10_000));
        assert!(rests.is_resting(level, at(10_000)) && rests.is_resting(level, at(10_999)));
        assert!(!rests.is_resting(level, at(11_000)));
        assert!(!rests.is_resting(other, at(10_500)));
        assert!(!rests.is_resting(level, at(9_000)), "the clock was put back");
    }

    #[test]
    fn kv_rests_after_three_and_after_that_with_each_until_one_is_in_time() {
        let at = Timestamp::from_millis;
        let mut rests = Rests::default();
        let mut slow = |ms| {
            rests.was_slow(Level::Kv, at(ms));
            rests.is_resting(Level::Kv, at(ms))
        };
        assert_eq!([slow(0), slow(1), slow(2), slow(2_000)], [false, false, true, true]);
        rests.was_quick(Level::Kv);
        rests.was_slow(Level::Kv, at(4_000));
        assert!(!rests.is_resting(Level::Kv, at(4_000)));
    }
}
