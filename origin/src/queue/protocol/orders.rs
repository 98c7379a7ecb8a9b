//! The orders that are tried.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// Orders of each sort; by hand more, with QUEUE_ORDERS.
const ORDERS: usize = 2_000;
/// Changes from one thread to another that the second sort tries at any place.
const CHANGES: usize = 3;
/// What a panic's message takes in a debug build.
const STACK_BYTES: usize = 256 * 1024;

/// Until what is missing is missed.
const ORDERS_FLAWED: usize = 200_000;
/// Of one sort, before the other has its turn: each finds what the other hardly does.
const TURN: usize = 500;

/// Any order, and those with few changes from one thread to another.
pub(super) fn in_many_orders(test: impl Fn() + Clone + Send + Sync + 'static) {
    let orders = std::env::var("QUEUE_ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(ORDERS);
    try_orders(orders, test);
}

/// The same where the test is to fail.
pub(super) fn until_it_fails(test: impl Fn() + Clone + Send + Sync + 'static) {
    try_orders(ORDERS_FLAWED, test);
}

fn try_orders(orders: usize, test: impl Fn() + Clone + Send + Sync + 'static) {
    // The same orders each time: what a test says depends on what it tests.
    for turn in 0..orders.div_ceil(TURN) {
        let seed = turn as u64;
        run(RandomScheduler::new_from_seed(seed, TURN), test.clone());
        run(PctScheduler::new_from_seed(seed, CHANGES, TURN), test.clone());
    }
}

/// For what is small, and leaves nothing to chance.
pub(super) fn in_every_order(test: impl Fn() + Send + Sync + 'static) {
    run(DfsScheduler::new(None, false), test);
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    Runner::new(scheduler, config).run(test);
}
