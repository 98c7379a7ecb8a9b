//! What a tool does to a product, and so which it needs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidewall_api::advice::Tool;

use super::definition::Definition;

/// How bad it is: so many times what there may be. What is at most one is fine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pain {
    /// So many times.
    pub times: f64,
    /// Of what.
    pub what: String,
}

/// As it is, and with each tool by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Without any.
    pub alone: Pain,
    /// With one.
    pub with: BTreeMap<Tool, Pain>,
}

/// A tool that leaves more of the pain doesn't help.
const LEFT: f64 = 0.7;
/// What lies within this of a bound, either way, might lie beyond it the next time.
const MARGIN: f64 = 1.15;
/// Tools by what it takes to have them, the least first: a statement, a setting, a service before what is
/// there, a second one of what is there. Where several heal, that is what decides, here as in the golden
/// rule; it is a choice, and not measured.
const BY_EFFORT: [Tool; 7] =
    [Tool::Index, Tool::Pool, Tool::Cdn, Tool::Cache, Tool::Queue, Tool::LoadBalancer, Tool::ReadReplica];
/// Seconds of a month.
const MONTH: f64 = 30.0 * 86_400.0;
/// What a busy hour has of the mean.
const PEAK: f64 = 5.0;

/// The greatest pain: a route's 95th percentile beside what its readers may expect, or the bytes of
/// a month beside those there is money for. `waited` has milliseconds of each route.
pub(super) fn pain(definition: &Definition, waited: &[Vec<f64>], bytes_per_s: f64) -> Pain {
    let of_routes = definition.routes.iter().zip(waited).filter_map(|(route, waited)| {
        let ms = percentile(waited, 0.95)?;
        let what = format!("{} {}: {ms:.0} ms of {}", route.method, route.path, route.within_ms);
        Some(Pain { times: ms / route.within_ms, what })
    });
    let sent = definition.sent_gb_max.map(|most| {
        let month = bytes_per_s * MONTH / PEAK / 1e9;
        Pain { times: month / most, what: format!("{month:.0} GB a month of {most}") }
    });
    let worst = of_routes.chain(sent).max_by(|one, other| one.times.total_cmp(&other.times));
    let worst = worst.unwrap_or_else(|| Pain { times: 0.0, what: "nobody asked".to_owned() });
    Pain { times: (worst.times * 1_000.0).round() / 1_000.0, ..worst }
}

/// By nearest rank.
fn percentile(waited: &[f64], share: f64) -> Option<f64> {
    let mut sorted = waited.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.checked_sub(1)?).copied()
}

impl Outcome {
    /// Nothing is wrong.
    pub fn is_fine(&self) -> bool {
        self.alone.times <= 1.0
    }

    /// Whether a tool takes enough off.
    pub fn helps(&self, tool: Tool) -> bool {
        !self.is_fine() && self.times(tool) <= self.alone.times * LEFT
    }

    /// How bad it is with a tool; one that was not tried is no help.
    fn times(&self, tool: Tool) -> f64 {
        self.with.get(&tool).map_or(f64::INFINITY, |pain| pain.times)
    }

    /// The tool that is needed: of those that heal what is wrong the one that takes the least; where none
    /// does, the one that helps most.
    pub fn needed(&self) -> Option<Tool> {
        self.needed_by(1.0, LEFT)
    }

    /// No bound is so near to what was measured that by another run something else might be needed.
    pub fn is_clear(&self) -> bool {
        let bounds = [1.0 / MARGIN, 1.0, MARGIN];
        let all = bounds.iter().flat_map(|fine| bounds.map(|left| self.needed_by(*fine, LEFT * left)));
        let is_fine = |bound: f64| self.alone.times <= bound;
        is_fine(1.0 / MARGIN) == is_fine(MARGIN) && all.collect::<BTreeSet<_>>().len() == 1
    }

    /// With other bounds for what is fine, and what a tool leaves that helps.
    fn needed_by(&self, fine: f64, left: f64) -> Option<Tool> {
        if self.alone.times <= fine {
            return None;
        }
        let helping = || BY_EFFORT.into_iter().filter(|tool| self.times(*tool) <= self.alone.times * left);
        let healing = helping().find(|tool| self.times(*tool) <= fine);
        healing.or_else(|| helping().min_by(|one, other| self.times(*one).total_cmp(&self.times(*other))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(alone: f64, with: &[(Tool, f64)]) -> Outcome {
        let pain = |times| Pain { times, what: String::new() };
        Outcome { alone: pain(alone), with: with.iter().map(|(tool, times)| (*tool, pain(*times))).collect() }
    }

    #[test]
    fn what_is_needed_heals_and_takes_the_least() {
        use Tool::{Cache, Index, LoadBalancer, ReadReplica};
        for (alone, with, needed) in [
            (0.9, &[(Index, 0.1)][..], None),
            (3.0, &[(Index, 2.9), (Cache, 2.5)], None),
            (3.0, &[(ReadReplica, 0.2), (Index, 0.9)], Some(Index)),
            (3.0, &[(ReadReplica, 0.8), (Index, 1.5)], Some(ReadReplica)),
            (9.0, &[(LoadBalancer, 2.0), (Cache, 4.0)], Some(LoadBalancer)),
        ] {
            assert_eq!(outcome(alone, with).needed(), needed, "{alone} {with:?}");
        }
    }

    #[test]
    fn what_is_near_a_bound_is_not_clear() {
        use Tool::{Cache, Index};
        for (alone, with, is_clear) in [
            (0.5, &[][..], true),
            (0.95, &[], false),
            (1.1, &[], false),
            (3.0, &[(Cache, 0.5)], true),
            (3.0, &[(Cache, 2.0)], false),
            (3.0, &[(Cache, 2.9)], true),
            // Whether it helps as well makes no difference.
            (3.0, &[(Index, 0.5), (Cache, 2.0)], true),
            (3.0, &[(Index, 0.95), (Cache, 0.5)], false),
        ] {
            assert_eq!(outcome(alone, with).is_clear(), is_clear, "{alone} {with:?}");
        }
    }

    #[test]
    fn a_percentile_is_one_of_those_who_waited() {
        // Nineteen of twenty wait for at most that long.
        let waited: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(percentile(&waited, 0.95), Some(19.0));
        assert_eq!(percentile(&[7.0], 0.95), Some(7.0));
        assert_eq!(percentile(&[], 0.95), None);
    }
}
