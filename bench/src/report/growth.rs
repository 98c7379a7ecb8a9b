//! How a figure, mostly a cost, grows with the work.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::figure::Figure;

/// What a cost came to at several amounts of work, and the power law that is nearest to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Of what there is more and more.
    of: Cow<'static, str>,
    /// How much of it, and the cost then; from little to much.
    points: Vec<[Figure; 2]>,
    /// The cost grows as the work to this power: 0 is not at all, 1 is in step.
    exponent: Figure,
}

impl Growth {
    /// Of `points`, each an amount of work and a cost. `None` where they are of fewer than two amounts,
    /// or one of them is not above zero.
    pub fn new(of: &'static str, points: &[(f64, f64)]) -> Option<Self> {
        let exponent = exponent(points)?;
        let mut points: Vec<[Figure; 2]> =
            points.iter().map(|(work, cost)| [*work, *cost].map(Figure::new)).collect();
        points.sort_by(|one, other| one[0].value().total_cmp(&other[0].value()));
        Some(Self { of: of.into(), points, exponent: Figure::new(exponent) })
    }

    /// Of what.
    pub fn of(&self) -> &str {
        &self.of
    }

    /// The amounts of work, and what each came to.
    pub fn points(&self) -> &[[Figure; 2]] {
        &self.points
    }

    /// To which power of the work it grows, with two decimals.
    pub fn power(&self) -> String {
        // A power just below zero is none, and not less than none.
        format!("{:.2}", (self.exponent.value() * 100.0).round() / 100.0 + 0.0)
    }

    /// In a line: what it came to at how much.
    pub fn figures(&self) -> String {
        let points: Vec<String> =
            self.points.iter().map(|[work, cost]| format!("{cost} at {work}")).collect();
        format!("{} {}", points.join(", "), self.of)
    }

    /// The same, and the power.
    pub fn text(&self) -> String {
        format!("{}: as the power {}", self.figures(), self.power())
    }
}

/// The slope of the line through the logarithms that has the least squares.
fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let is_positive = |value: f64| value.is_finite() && value > 0.0;
    if !points.iter().all(|(work, cost)| is_positive(*work) && is_positive(*cost)) {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|(work, cost)| (work.ln(), cost.ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (mean_work, mean_cost) = (mean(|log| log.0), mean(|log| log.1));
    let spread: f64 = logs.iter().map(|(work, _)| (work - mean_work).powi(2)).sum();
    let shared: f64 = logs.iter().map(|(work, cost)| (work - mean_work) * (cost - mean_cost)).sum();
    (spread > 0.0).then(|| shared / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(points: &[(f64, f64)], expected: Option<f64>) {
        let found = Growth::new("rows", points).map(|growth| growth.exponent.value());
        assert_eq!(found.map(|power| (power * 1_000.0).round() / 1_000.0), expected, "{points:?}");
    }

    #[test]
    fn a_power_law_is_found() {
        check(&[(1.0, 5.0), (10.0, 5.0), (100.0, 5.0)], Some(0.0));
        check(&[(1_000.0, 2.0), (10_000.0, 20.0), (100_000.0, 200.0)], Some(1.0));
        check(&[(10.0, 1.0), (1_000.0, 10.0)], Some(0.5));
        check(&[(1.0, 8.0), (2.0, 4.0)], Some(-1.0));
    }

    #[test]
    fn what_has_no_logarithm_or_one_amount_only_has_none() {
        check(&[], None);
        check(&[(10.0, 1.0)], None);
        check(&[(10.0, 1.0), (10.0, 2.0)], None);
        check(&[(10.0, 0.0), (20.0, 2.0)], None);
        check(&[(10.0, f64::NAN), (20.0, 2.0)], None);
    }

    #[test]
    fn points_are_told_from_little_to_much() {
        let growth = Growth::new("rows", &[(1_000.0, 2.0), (10.0, 1.0), (100.0, 1.5)]).unwrap();
        assert_eq!(growth.text(), "1 at 10, 1.5 at 100, 2 at 1000 rows: as the power 0.15");
    }

    #[test]
    fn a_power_is_told_with_two_decimals() {
        for (points, power) in [
            ([(10.0, 1.0), (1_000.0, 0.999)], "0.00"),
            ([(10.0, 1.0), (1_000.0, 10.0)], "0.50"),
            ([(1.0, 8.0), (2.0, 4.0)], "-1.00"),
        ] {
            assert_eq!(Growth::new("rows", &points).unwrap().power(), power);
        }
    }
}
