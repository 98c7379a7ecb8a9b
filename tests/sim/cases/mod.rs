//! The tests: each rule by its name in ARCHITECTURE.md, in the shortest run of events that
//! shows it, and then all of them where anything happens.

use std::rc::Rc;

use crate::flaw::Flaw;
use crate::world::{Settings, World};

mod positions;
mod random;
mod serving;
mod waiting;
mod writing;

/// Plays a script in a world that keeps the rules, where nothing may break, and in one with
/// each flaw, where something must.
fn check<S: Future<Output = ()> + 'static>(
    settings: &Settings,
    flaws: &[Flaw],
    script: impl Fn(Rc<World>) -> S,
) {
    let broken = |flaw| {
        let world = World::begin(Settings { flaw, ..settings.clone() });
        world.clock.run_until(20);
        world.plays(&script);
        world.end();
        world.oracle.broken()
    };
    let without = broken(None);
    assert!(without.is_empty(), "{without:#?}");
    for flaw in flaws {
        assert!(!broken(Some(*flaw)).is_empty(), "{flaw:?} goes unnoticed");
    }
}
