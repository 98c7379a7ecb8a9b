//! The bench `scale`: how a figure grows with the work. Each result has it at several amounts, and
//! the power law that is nearest; its own figure is that of the greatest amount.
//!
//! - `products`: the shop's reads, the more products there are. `jobs`: the queue, the longer its
//!   backlog is. Both in databases of the bench's own.
//! - `groups`: the edge's decision on what is stored, the more groups were invalidated.
//! - `origins`: the balancer, the more origins there are. `isolates`: the edge, the more isolates
//!   it has. What is spread how evenly, and who is asked how often, is simulated: `fleet`, which is
//!   pure.
//!
//! What takes time is measured in rounds, all amounts in turn, so that what else the machine does
//! meets all of them. What is simulated has a seed in each round.

mod fleet;
mod groups;
mod isolates;
mod jobs;
mod origins;
mod products;

use crate::catalog::Setting;
use crate::effort::Effort;
use crate::error::{BenchError, Reason};
use crate::report::growth::Growth;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// Rounds that count, at most.
const ROUNDS_MAX: u32 = 10;

/// Measures how things grow.
///
/// # Errors
/// The server refuses, or something comes to no figure.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    let failed = |reason| BenchError::Contestant { name: "scale".to_owned(), reason };
    let rounds = setting.effort.rounds.min(ROUNDS_MAX);
    let mut results = products::run(setting, rounds).await.map_err(failed)?;
    results.extend(groups::run(rounds).map_err(failed)?);
    results.extend(origins::run(rounds).map_err(failed)?);
    results.extend(isolates::run(rounds).map_err(failed)?);
    results.extend(jobs::run(setting, rounds).await?);
    Ok(results)
}

/// So many amounts of work, from the least on, as there is time for.
fn affordable<'a, T>(setting: &Setting, amounts: &'a [T], quick: usize) -> &'a [T] {
    let is_full = setting.effort.rounds >= Effort::FULL.rounds;
    if is_full { amounts } else { &amounts[..quick.min(amounts.len())] }
}

/// What rounds came to at one amount of work.
struct Point {
    amount: u32,
    rounds: Vec<f64>,
}

impl Point {
    /// One for each amount, before the first round.
    fn at(amounts: impl IntoIterator<Item = u32>) -> Vec<Self> {
        amounts.into_iter().map(|amount| Self { amount, rounds: Vec::new() }).collect()
    }
}

/// What a figure is called, in what it is told, and what there is more and more of.
struct Grows {
    name: &'static str,
    unit: &'static str,
    better: Better,
    of: &'static str,
}

impl Grows {
    /// The result of points from little to much.
    fn by(self, points: &[Point]) -> Result<Measurement, Reason> {
        let Self { name, unit, better, of } = self;
        let none = || Reason::new(&format!("{name} came to no figure"));
        let samples: Vec<(f64, Sample)> = points
            .iter()
            .map(|point| Some((f64::from(point.amount), Sample::new(point.rounds.clone())?)))
            .collect::<Option<_>>()
            .ok_or_else(none)?;
        let medians: Vec<(f64, f64)> =
            samples.iter().map(|(amount, sample)| (*amount, sample.median())).collect();
        let (_, greatest) = samples.last().ok_or_else(none)?;
        let growth = Growth::new(of, &medians).ok_or_else(none)?;
        Ok(Measurement::new(name, unit, better, greatest).growth(growth))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COST: Grows = Grows { name: "scale/cost", unit: "ms", better: Better::Lower, of: "rows" };

    #[test]
    fn the_figure_is_that_of_the_greatest_amount_and_the_growth_has_the_medians() {
        let point = |amount, rounds: &[f64]| Point { amount, rounds: rounds.to_vec() };
        let measured = COST.by(&[point(10, &[1.0, 9.0, 1.0]), point(1_000, &[10.0, 8.0, 12.0])]).unwrap();
        assert_eq!(
            serde_json::to_value(&measured).unwrap(),
            json!({
                "name": "scale/cost", "unit": "ms", "better": "lower",
                "tidewall": 10, "spread": [8, 12], "article": null, "limit": null, "peers": {},
                "growth": {"of": "rows", "points": [[10, 1], [1000, 10]], "exponent": 0.5},
            })
        );
    }

    #[test]
    fn what_was_not_measured_is_no_figure() {
        let error = COST.by(&Point::at([10, 1_000])).unwrap_err();
        assert_eq!(error.to_string(), "scale/cost came to no figure");
    }
}
