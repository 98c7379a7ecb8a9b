//! How much is measured: unlike the requests of the other benches, jobs pile up,
//! so their number says more than the time does.

use std::time::Duration;

/// How many jobs, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Jobs of the backlog.
    pub jobs: u32,
    /// Jobs that each contestant does before anything is measured: code is
    /// compiled just in time, statements are prepared.
    pub warm_up: u32,
    /// Rounds that count; at least one.
    pub rounds: u32,
    /// For how long jobs come at a rate, in each round.
    pub round: Duration,
    /// For how long an old transaction is held, and for how long without.
    pub held: Duration,
}

impl Scale {
    /// On a machine that does nothing else, medians are steady within some percent.
    pub const FULL: Self = Self {
        jobs: 100_000,
        warm_up: 50_000,
        rounds: 5,
        round: Duration::from_secs(5),
        held: Duration::from_mins(2),
    };
    /// To see that everything can be measured; the figures are rough.
    pub const QUICK: Self = Self {
        jobs: 20_000,
        warm_up: 20_000,
        rounds: 3,
        round: Duration::from_secs(2),
        held: Duration::from_secs(10),
    };
}
