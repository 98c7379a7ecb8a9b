//! Whatever happens, the guarantees hold; and a world in which they don't is found out.

use std::collections::BTreeMap;

use crate::flaw::Flaw;
use crate::seeds::{run, seeds};

/// Worlds in which everything must hold.
const SEEDS: u64 = 256;

/// Worlds among which one with a flaw must be found out, mostly the first.
const FLAWED: u64 = 64;

/// What must have happened, so that it proves something: at least so often in each world,
/// on average.
const FLOORS: [(&str, u64); 17] = [
    ("appends", 50),
    ("crossed", 3),
    ("duplicates", 10),
    ("evicted", 10),
    ("hits", 60),
    ("hits of waiters", 2),
    ("misses", 100),
    ("outbox", 5),
    ("purged", 25),
    ("rejected", 15),
    ("revalidated", 30),
    ("stale", 3),
    ("unlogged", 3),
    ("written through", 5),
    ("blind", 5),
    ("hits of bystanders", 50),
    ("asked", 100),
];

/// The same over all worlds.
const FLOORS_OF_ALL: [(&str, u64); 3] = [("lost logs", 50), ("promotions", 50), ("lost commits", 50)];

#[test]
fn the_guarantees_hold() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let seeds = seeds(0..SEEDS);
    for &seed in &seeds {
        let outcome = run(seed, None, true);
        assert!(outcome.broken.is_empty(), "replay with SEED={seed}: {:#?}", outcome.broken);
        for (name, count) in outcome.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    if seeds.len() < 2 {
        return;
    }
    let of_all = |(name, floor): (&'static str, u64)| (name, floor * SEEDS);
    for (name, floor) in FLOORS.map(of_all).into_iter().chain(FLOORS_OF_ALL) {
        let count = counts.get(name).copied().unwrap_or(0);
        assert!(count >= floor, "{name}: {count}, not {floor}, in {counts:#?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..4 {
        assert_eq!(run(seed, None, true).counts, run(seed, None, true).counts, "{seed}");
    }
}

/// A reader without a bookmark has as many hits beside readers with one.
#[test]
fn a_bookmark_costs_nobody_else_a_hit() {
    let hits = |with_bookmarks| -> u64 {
        let outcomes = (0..FLAWED).map(|seed| run(seed, None, with_bookmarks));
        outcomes.map(|outcome| outcome.counts["hits of bystanders"]).sum()
    };
    let (without, with) = (hits(false), hits(true));
    assert!(
        with * 100 >= without * 97,
        "{with} hits of bystanders, {without} among readers without bookmarks"
    );
}

fn is_found_out(flaw: Flaw) {
    let seeds = seeds(0..FLAWED);
    let is_broken = |seed: &u64| !run(*seed, Some(flaw), true).broken.is_empty();
    assert!(seeds.iter().any(is_broken), "{flaw:?} goes unnoticed");
}

/// Those that need no rare event. The others have cases of their own only.
#[test]
fn broken_rules_are_found_out() {
    for flaw in [
        Flaw::AnyLog,
        Flaw::LogWithoutFloor,
        Flaw::LsnBeforeCommit,
        Flaw::MergesPositions,
        Flaw::LsnOnly,
        Flaw::FenceOnly,
        Flaw::FenceOfAnswer,
        Flaw::ViewNeverExpires,
        Flaw::AgeFromAnswer,
        Flaw::ServesWithoutView,
        Flaw::NoRefreshForBookmark,
        Flaw::UnloggedIsForgotten,
        Flaw::UnloggedMeansGrouped,
        Flaw::NoLsnOnFill,
        Flaw::ServesFencedWhileRevalidating,
        Flaw::ServesFencedOnError,
        Flaw::WaitersTrustLeader,
        Flaw::AnswersBeforeAppending,
        Flaw::NoOutbox,
        Flaw::OutboxLsnBeforeRow,
        Flaw::StoresEveryWrite,
        Flaw::StoresKeyedWrite,
        Flaw::ForgetsEvicted,
        Flaw::NegativeWithoutGroup,
        Flaw::LastBookmarkWins,
        Flaw::JobWithoutBookmark,
        Flaw::WalBookmarkVanishes,
    ] {
        is_found_out(flaw);
    }
}
