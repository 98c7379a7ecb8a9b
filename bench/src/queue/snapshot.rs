//! What is left of the throughput while an old transaction is open. It has taken a
//! snapshot and an id, so no version of a row that it might still see can be
//! cleaned up, and whoever looks for the next job passes those of all jobs that
//! were done.
//!
//! Jobs are added as fast as they are done, first without the transaction, then
//! with it, for as long. It gets worse with time, so the last quarter of each
//! counts.

use super::contestant::{Flow, Pace};
use super::field::{Entry, Field};
use super::results::{self, Kept};
use super::scale::Scale;
use super::{TIDEWALL, node};
use crate::error::BenchError;
use crate::peers;
use crate::report::Measurement;

const PRODUCERS: u32 = 2;
const BATCH: u32 = 200;
/// Jobs that may wait.
const WAITING: u32 = 4_000;

pub(super) async fn run(field: &mut Field, scale: &Scale) -> Result<Vec<Measurement>, BenchError> {
    let peer = peers::npm(node::GRAPHILE_WORKER.package);
    let who = |name: &str| name == TIDEWALL || name == peer;
    let counted = scale.held / 4;
    let flow = Flow {
        lead: scale.held - counted,
        length: counted,
        producers: PRODUCERS,
        batch: BATCH,
        pace: Pace::Waiting(WAITING.min(scale.jobs)),
    };
    let outcome = field
        .rounds("an old transaction", 1, who, async |entry: &mut Entry| {
            let Entry { contestant, place, .. } = entry;
            let without = contestant.flow(flow).await?.handled;
            place.clear().await?;
            let held = place.hold_snapshot().await?;
            let with = contestant.flow(flow).await?.handled;
            drop(held);
            Ok(Kept { with, without })
        })
        .await?;
    Ok(vec![results::old_snapshot(&outcome)?])
}
