//! The interleavings that are tried.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// Of each sort; by hand more, with QUEUE_INTERLEAVINGS.
const TRIES: usize = 2_000;
/// Changes from one thread to another that the second sort tries at any place.
const CHANGES: usize = 3;
/// What a panic's message takes in a debug build.
const STACK_BYTES: usize = 256 * 1024;

/// Until what is missing is missed.
const TRIES_FLAWED: usize = 200_000;
/// Of one sort, before the other has its turn: each finds what the other hardly does.
const TURN: usize = 500;

/// Any interleaving, and those with few changes from one thread to another.
pub(super) fn in_many_interleavings(test: impl Fn() + Clone + Send + Sync + 'static) {
    let tries =
        std::env::var("QUEUE_INTERLEAVINGS").ok().and_then(|tries| tries.parse().ok()).unwrap_or(TRIES);
    try_many(tries, test);
}

/// The same where the test is to fail.
pub(super) fn until_it_fails(test: impl Fn() + Clone + Send + Sync + 'static) {
    try_many(TRIES_FLAWED, test);
}

fn try_many(tries: usize, test: impl Fn() + Clone + Send + Sync + 'static) {
    // The same ones each time: what a test says depends on what it tests.
    for turn in 0..tries.div_ceil(TURN) {
        let seed = turn as u64;
        run(RandomScheduler::new_from_seed(seed, TURN), test.clone());
        run(PctScheduler::new_from_seed(seed, CHANGES, TURN), test.clone());
    }
}

/// For what is small, and leaves nothing to chance.
pub(super) fn in_every_interleaving(test: impl Fn() + Send + Sync + 'static) {
    run(DfsScheduler::new(None, false), test);
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    Runner::new(scheduler, config).run(test);
}
