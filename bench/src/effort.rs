//! For how long contestants are measured.

use std::time::Duration;

/// How much measuring: every contestant is warmed up once, then measured in
/// each round.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds that count; at least one.
    pub rounds: u32,
    /// How long a contestant is under load in each.
    pub round: Duration,
    /// How long it is before the first: connections are made, statements
    /// prepared, code compiled just in time.
    pub warm_up: Duration,
}

impl Effort {
    /// Medians are steady within a few percent on a machine that does nothing
    /// else. Many short rounds rather than few long ones: contestants that are
    /// compared run closer together.
    pub const FULL: Self =
        Self { rounds: 30, round: Duration::from_millis(500), warm_up: Duration::from_secs(2) };
    /// To see that everything can be measured; the figures are rough.
    pub const QUICK: Self =
        Self { rounds: 3, round: Duration::from_millis(400), warm_up: Duration::from_millis(600) };
}
