//! The orders that are tried.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

/// Orders of each sort; by hand more, with QUEUE_ORDERS.
const ORDERS: usize = 2_000;
/// Changes from one thread to another that the second sort tries at any place.
const CHANGES: usize = 3;
/// What a panic's message takes in a debug build.
const STACK_BYTES: usize = 256 * 1024;

/// Any order, then those with few changes from one thread to another.
pub(super) fn in_many_orders(test: impl Fn() + Clone + Send + Sync + 'static) {
    let orders = std::env::var("QUEUE_ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(ORDERS);
    run(RandomScheduler::new(orders), test.clone());
    run(PctScheduler::new(CHANGES, orders), test);
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
