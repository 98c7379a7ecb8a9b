//! How long a job waits for its handler while the queue is under load: from the
//! answer to its commit to the call of its handler, in one process.
//!
//! The load is 80 % of what Tidewall keeps up with. What a queue keeps up with
//! isn't its end-to-end rate, since jobs are added on the same machine at the same
//! time; so it is measured first, for each: jobs are added as fast as they are
//! done. A peer whose own 80 % is less than Tidewall's is put under its own, which
//! `queue/pickup-load` says. Jobs are added by the batch API, ten a call, by eight
//! producers in turn: one by one no contestant could add as many as it can do.

use std::time::Duration;

use super::contestant::{Counted, Flow, Flowed, Pace};
use super::field::{Entry, Field};
use super::results::{self, Pickup};
use super::scale::Scale;
use super::{BARE, TIDEWALL};
use crate::error::{BenchError, Reason};
use crate::report::Measurement;

/// Share of what is kept up with.
const LOAD: f64 = 0.8;
const PRODUCERS: u32 = 8;
const BATCH: u32 = 10;
/// Jobs that may wait while it is measured what is kept up with: enough that no
/// worker is ever out of work.
const WAITING: u32 = 2_000;

pub(super) async fn run(field: &mut Field, scale: &Scale) -> Result<Vec<Measurement>, BenchError> {
    // It isn't anything that reacts.
    let who = |name: &str| name != BARE;
    let flow = |pace| Flow {
        lead: scale.round.min(Duration::from_secs(1)),
        length: scale.round,
        producers: PRODUCERS,
        batch: BATCH,
        pace,
    };
    let kept_up = field
        .rounds("what is kept up with", scale.rounds, who, async |entry: &mut Entry| {
            entry.contestant.flow(flow(Pace::Waiting(WAITING.min(scale.jobs)))).await
        })
        .await?;
    let rate = |flowed: &Flowed| Counted::rate(&flowed.handled);
    let ours = LOAD * kept_up.sample(TIDEWALL, rate)?.median();
    let load = |name: &str| {
        let theirs = kept_up.sample(name, rate).map_or(ours, |sample| LOAD * sample.median());
        theirs.min(ours)
    };
    let outcome = field
        .rounds("pick-up", scale.rounds, who, async |entry: &mut Entry| {
            let load = load(&entry.name);
            let flowed = entry.contestant.flow(flow(Pace::Rate(load))).await?;
            let nothing = || Reason::new("no job was added while it counted");
            Ok(Pickup {
                load,
                p50_ms: flowed.p50_ms.ok_or_else(nothing)?,
                p99_ms: flowed.p99_ms.ok_or_else(nothing)?,
            })
        })
        .await?;
    results::pickup(&outcome)
}
