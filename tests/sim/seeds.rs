//! Worlds in which anything happens, one for each seed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use tidewall_edge::control::log::Bounds;
use tidewall_edge::control::view::Limits;

use crate::client::Client;
use crate::flaw::Flaw;
use crate::isolate::MAX_AGE;
use crate::oracle::Broken;
use crate::random::Random;
use crate::resource::Extent;
use crate::storm;
use crate::world::{Settings, World};

/// How long clients write and things go wrong.
const STORM_MS: u64 = 45_000;

/// Until when the outbox must be empty.
const END_MS: u64 = 240_000;

/// What came of a world.
pub(crate) struct Outcome {
    /// Guarantees that were broken, the first first.
    pub(crate) broken: Vec<(Broken, String)>,
    /// What happened how often.
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// The seeds of a test: a range, or the one that `SEED` says.
pub(crate) fn seeds(range: Range<u64>) -> Vec<u64> {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => range.collect(),
    }
}

/// What the world of a seed is like.
fn settings(seed: u64, flaw: Option<Flaw>) -> Settings {
    let random = Random::of(seed, 3);
    let is_short = random.chance(50);
    let bounds = Bounds { entries_max: 16, uris_max: 6, prefixes_max: 3, ..Bounds::default() };
    let max_age = if random.chance(25) { Duration::ZERO } else { MAX_AGE };
    Settings {
        seed,
        is_stormy: true,
        limits: Limits { max_age, grace: Duration::from_secs(5) },
        bounds: if is_short { bounds } else { Bounds::default() },
        extent: Extent { items: 4, lists: 2, notes: 1 },
        isolates: vec![0, 0, 1, 1, 2],
        clocks_differ_ms: 300,
        replicas: 2,
        heeds_lsn: !random.chance(25),
        flaw,
        ..Settings::calm()
    }
}

/// Runs the world of a seed.
pub(crate) fn run(seed: u64, flaw: Option<Flaw>, with_bookmarks: bool) -> Outcome {
    let world = World::begin(settings(seed, flaw));
    storm::begin(&world, STORM_MS);
    for number in 0..4 {
        world.clock.spawn(Client::new(&world, number, false).browses(STORM_MS));
    }
    for number in 4..8 {
        world.clock.spawn(Client::new(&world, number, with_bookmarks).shops(STORM_MS, number == 4));
    }
    world.clock.spawn(Client::new(&world, 9, false).purges(STORM_MS));
    world.plays(ends);
    world.end();
    Outcome { broken: world.oracle.broken(), counts: world.counts.all() }
}

async fn ends(world: Rc<World>) {
    world.clock.sleep(STORM_MS + 40_000).await;
    while world.outbox_len() > 0 || !world.oracle.is_settled(world.clock.now()) {
        assert!(world.clock.now() < END_MS, "the outbox still holds {} rows", world.outbox_len());
        world.clock.sleep(100).await;
    }
    world.clock.sleep(u64::try_from(world.settings.limits.max_age.as_millis()).unwrap_or(0)).await;
    world.check_the_end().await;
}
