//! Which of the candidates are built: those with which the whole workload takes least time, reads
//! and writes together. Few indexes that serve many come out by themselves, since each costs what
//! it costs once.
//!
//! A statement reads a table by one index, the fastest that it has: so what a set of indexes
//! comes to follows from what each one alone does (Finkelstein, Schkolnick and Tiberio, "Physical
//! database design for relational databases", ACM TODS 13(1), 1988, call it separability; Papadomanolakis,
//! Dash and Ailamaki, "Efficient use of the query optimizer for automated physical design", VLDB
//! 2007, atomic configurations). What was chosen is measured together before it is built, since
//! a planner can be wrong about the fastest.

use std::collections::BTreeMap;

/// A statement with what it takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load {
    /// How often it runs in a second.
    pub(super) rate: f64,
    /// As it is.
    pub(super) now: Reading,
    /// With each candidate alone; none: the planner doesn't use it.
    pub(super) with: Vec<Option<Reading>>,
}

/// One way of running a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// What the planner expects, in its own units: by that it chooses.
    pub(super) cost: f64,
    /// Milliseconds that were measured.
    pub(super) ms: f64,
}

/// What a candidate costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Burden {
    /// On which table it is: of one table a statement takes one index, of each the best.
    pub(super) table: usize,
    /// Milliseconds that keeping it takes in each second, for the writes that there are.
    pub(super) write_ms: f64,
    pub(super) bytes: f64,
}

/// So many candidates are weighed in every combination; beyond, step by step.
const EXHAUSTIVE_MAX: usize = 12;
/// An index is built if it saves at least this share of the time of what it serves: less is lost
/// in what measuring says, and an index is something to look after.
const GAIN_MIN: f64 = 0.05;
/// A smaller index does as much if it saves all but this share of what the larger one saves.
const ALIKE: f64 = 0.02;
/// Milliseconds in a second that a gigabyte of memory and disk is worth: decides between equals.
const BYTE_MS: f64 = 1e-3 / 1e9;

/// Milliseconds of work in a second with the indexes of `set`.
pub(super) fn total_ms(loads: &[Load], burdens: &[Burden], set: &[usize]) -> f64 {
    let reads: f64 = loads.iter().map(|load| load.rate * load.ms(burdens, set)).sum();
    let writes: f64 = set.iter().filter_map(|index| burdens.get(*index)).map(|burden| burden.write_ms).sum();
    reads + writes
}

impl Load {
    /// Milliseconds with the indexes of `set`: of each table the planner takes what looks cheapest to
    /// it, which can be slower than what there was; what that saves, or costs, adds up over tables.
    pub(super) fn ms(&self, burdens: &[Burden], set: &[usize]) -> f64 {
        let mut by_table: BTreeMap<usize, Reading> = BTreeMap::new();
        for index in set {
            let (Some(burden), Some(with)) = (burdens.get(*index), self.with.get(*index).copied().flatten())
            else {
                continue;
            };
            let cheapest = by_table.entry(burden.table).or_insert(self.now);
            if with.cost < cheapest.cost {
                *cheapest = with;
            }
        }
        let saved: f64 = by_table.values().map(|reading| self.now.ms - reading.ms).sum();
        // What is left is never less than nothing.
        (self.now.ms - saved).max(self.now.ms * 1e-4)
    }
}

/// The candidates to build, in the order of what each adds.
pub(super) fn choose(loads: &[Load], burdens: &[Burden]) -> Vec<usize> {
    let score = |set: &[usize]| {
        let bytes: f64 = set.iter().filter_map(|index| burdens.get(*index)).map(|burden| burden.bytes).sum();
        total_ms(loads, burdens, set) + bytes * BYTE_MS
    };
    let mut set = match burdens.len() {
        0 => Vec::new(),
        few if few <= EXHAUSTIVE_MAX => exhaustive(few, &score),
        // From nothing, and from everything: where the one is stuck the other seldom is.
        many => {
            let (grown, cut) =
                (stepwise(many, Vec::new(), &score), stepwise(many, (0..many).collect(), &score));
            if score(&grown) <= score(&cut) { grown } else { cut }
        }
    };
    drop_small_gains(&mut set, loads, burdens);
    take_smaller(&mut set, loads, burdens);
    let full = score(&set);
    let mut gains: Vec<_> = set
        .iter()
        .map(|index| {
            let without: Vec<_> = set.iter().copied().filter(|other| other != index).collect();
            (score(&without) - full, *index)
        })
        .collect();
    gains.sort_by(|one, other| other.0.total_cmp(&one.0));
    gains.into_iter().map(|(_, index)| index).collect()
}

fn exhaustive(count: usize, score: &impl Fn(&[usize]) -> f64) -> Vec<usize> {
    let sets = (0..1_u32 << count).map(|bits| (0..count).filter(|index| bits & (1 << index) != 0).collect());
    let scored = sets.map(|set: Vec<usize>| (score(&set), set));
    let best = scored.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.len().cmp(&other.1.len())));
    best.map(|(_, set)| set).unwrap_or_default()
}

/// Adds, drops or exchanges one at a time, as long as that is better.
fn stepwise(count: usize, from: Vec<usize>, score: &impl Fn(&[usize]) -> f64) -> Vec<usize> {
    let mut set = from;
    let mut best = score(&set);
    loop {
        let added =
            (0..count).filter(|index| !set.contains(index)).map(|index| [&set[..], &[index]].concat());
        let dropped = (0..set.len()).map(|place| {
            let mut fewer = set.clone();
            fewer.remove(place);
            fewer
        });
        let exchanged = (0..set.len()).flat_map(|place| {
            let set = &set;
            (0..count).filter(|index| !set.contains(index)).map(move |index| {
                let mut other = set.clone();
                other[place] = index;
                other
            })
        });
        let next = added.chain(dropped).chain(exchanged).map(|set| (score(&set), set));
        let Some((next_score, next)) = next.min_by(|one, other| one.0.total_cmp(&other.0)) else {
            return set;
        };
        if next_score >= best * (1.0 - 1e-9) {
            return set;
        }
        (best, set) = (next_score, next);
    }
}

/// Leaves out, one after the other, what saves too little of what it serves.
fn drop_small_gains(set: &mut Vec<usize>, loads: &[Load], burdens: &[Burden]) {
    loop {
        let weak = set.iter().position(|index| {
            let without: Vec<_> = set.iter().copied().filter(|other| other != index).collect();
            let served: f64 = loads
                .iter()
                .filter(|load| load.ms(burdens, set) < load.ms(burdens, &without))
                .map(|load| load.rate * load.ms(burdens, &without))
                .sum();
            let gain = total_ms(loads, burdens, &without) - total_ms(loads, burdens, set);
            gain < served * GAIN_MIN || gain <= 0.0
        });
        match weak {
            Some(place) => {
                set.remove(place);
            }
            None => return,
        }
    }
}

/// Takes a smaller index in place of each that does next to nothing more than it.
fn take_smaller(set: &mut [usize], loads: &[Load], burdens: &[Burden]) {
    for place in 0..set.len() {
        let Some(own) = set.get(place).and_then(|index| burdens.get(*index)).copied() else { continue };
        let without: Vec<_> =
            set.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, index)| *index).collect();
        let saved = total_ms(loads, burdens, &without) - total_ms(loads, burdens, set);
        let with = |other: usize| total_ms(loads, burdens, &[&without[..], &[other]].concat());
        let smaller = burdens
            .iter()
            .enumerate()
            .filter(|(other, burden)| {
                burden.table == own.table && burden.bytes < own.bytes && !set.contains(other)
            })
            .filter(|(other, _)| with(*other) - total_ms(loads, burdens, set) < saved * ALIKE);
        let smallest =
            smaller.min_by(|one, other| one.1.bytes.total_cmp(&other.1.bytes)).map(|(index, _)| index);
        if let (Some(smallest), Some(own)) = (smallest, set.get_mut(place)) {
            *own = smallest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(rate: f64, now_ms: f64, with_ms: &[Option<f64>]) -> Load {
        // A planner that is right.
        let reading = |ms| Reading { cost: ms, ms };
        Load { rate, now: reading(now_ms), with: with_ms.iter().map(|ms| ms.map(reading)).collect() }
    }

    fn free(count: usize) -> Vec<Burden> {
        vec![Burden { table: 0, write_ms: 0.0, bytes: 1e6 }; count]
    }

    #[test]
    fn one_index_that_serves_two_statements_is_better_than_two() {
        let loads = [
            load(10.0, 100.0, &[Some(1.0), None, Some(1.1)]),
            load(10.0, 100.0, &[None, Some(1.0), Some(1.1)]),
        ];
        let burdens = vec![Burden { table: 0, write_ms: 20.0, bytes: 1e6 }; 3];
        assert_eq!(choose(&loads, &burdens), [2]);
    }

    #[test]
    fn an_index_that_costs_writers_more_than_it_gives_readers_is_not_built() {
        let loads = [load(0.1, 50.0, &[Some(1.0)])];
        assert_eq!(choose(&loads, &[Burden { table: 0, write_ms: 4.0, bytes: 1e6 }]), [0]);
        assert_eq!(choose(&loads, &[Burden { table: 0, write_ms: 6.0, bytes: 1e6 }]), [0; 0]);
    }

    /// "A user's newest orders" with an index on the time alone: it comes in the right order, so it
    /// looks cheap, and reads everybody's orders until it has found enough of one user's.
    #[test]
    fn an_index_that_looks_cheap_and_is_slow_is_not_built_even_where_it_serves_another_statement() {
        let newest_of_all = Load {
            rate: 1.0,
            now: Reading { cost: 1_000.0, ms: 50.0 },
            with: vec![Some(Reading { cost: 1.0, ms: 0.1 })],
        };
        let newest_of_one = Load {
            rate: 10.0,
            now: Reading { cost: 1_000.0, ms: 50.0 },
            with: vec![Some(Reading { cost: 500.0, ms: 400.0 })],
        };
        assert_eq!(choose(std::slice::from_ref(&newest_of_all), &free(1)), [0]);
        assert_eq!(choose(&[newest_of_all.clone(), newest_of_one.clone()], &free(1)), [0; 0]);
        // With one that the planner prefers it does no harm.
        let with = |load: Load, other| Load { with: [load.with, vec![other]].concat(), ..load };
        let both = Some(Reading { cost: 2.0, ms: 0.2 });
        assert_eq!(choose(&[with(newest_of_all, None), with(newest_of_one, both)], &free(2)), [1, 0]);
    }

    #[test]
    fn a_larger_index_is_built_only_if_it_does_more() {
        let burdens =
            [Burden { table: 0, write_ms: 0.0, bytes: 2e9 }, Burden { table: 0, write_ms: 0.0, bytes: 1e9 }];
        assert_eq!(choose(&[load(10.0, 15.0, &[Some(0.02), Some(0.03)])], &burdens), [1]);
        assert_eq!(choose(&[load(10.0, 15.0, &[Some(0.1), Some(0.9)])], &burdens), [0]);
    }

    #[test]
    fn indexes_of_two_tables_serve_one_statement_together() {
        let loads = [load(1.0, 30.0, &[Some(12.0), Some(20.0)])];
        let burden = |table| Burden { table, write_ms: 0.0, bytes: 1e6 };
        assert_eq!(choose(&loads, &[burden(0), burden(1)]), [0, 1]);
        assert_eq!(choose(&loads, &[burden(0), burden(0)]), [0]);
    }

    #[test]
    fn what_saves_next_to_nothing_is_not_built() {
        let loads = [load(10.0, 100.0, &[Some(96.0)])];
        assert_eq!(choose(&loads, &free(1)), [0; 0]);
    }

    #[test]
    fn of_two_that_serve_alike_the_smaller_is_built() {
        let loads = [load(10.0, 100.0, &[Some(1.0), Some(1.0)])];
        let burdens =
            [Burden { table: 0, write_ms: 0.0, bytes: 2e9 }, Burden { table: 0, write_ms: 0.0, bytes: 1e9 }];
        assert_eq!(choose(&loads, &burdens), [1]);
    }

    proptest! {
        #[test]
        fn step_by_step_comes_close_to_every_combination(
            times in prop::collection::vec(
                (0.1..100.0, 1.0..1_000.0, prop::collection::vec(prop::option::of(0.1..1_000.0), 8)), 1..8),
            costs in prop::collection::vec(0.0..500.0, 8),
        ) {
            let loads: Vec<_> = times.iter().map(|(rate, now, with)| load(*rate, *now, with)).collect();
            let burdens: Vec<_> =
                costs.iter().map(|cost| Burden { table: 0, write_ms: *cost, bytes: 0.0 }).collect();
            let score = |set: &[usize]| total_ms(&loads, &burdens, set);
            let all = score(&exhaustive(8, &score));
            let steps = [Vec::new(), (0..8).collect()].map(|from| score(&stepwise(8, from, &score)));
            prop_assert!(steps.iter().copied().fold(f64::INFINITY, f64::min) <= all * 1.05 + 1e-9);
            prop_assert!(steps.iter().all(|steps| all <= steps + 1e-9));
            // What is left out for being little, or for a smaller one, is little of all.
            let chosen = score(&choose(&loads, &burdens));
            prop_assert!(chosen <= all * 1.25 + 1e-9 && chosen <= score(&[]) + 1e-9);
        }
    }
}
