//! What the rounds of one contestant came to.

/// Figures of the rounds, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// `None` without rounds, or where one came to no number.
    pub fn new(rounds: Vec<f64>) -> Option<Self> {
        (!rounds.is_empty() && rounds.iter().all(|figure| figure.is_finite())).then_some(Self(rounds))
    }

    /// The middle one, which one odd round doesn't move.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
    }

    /// The least and the greatest.
    pub fn spread(&self) -> [f64; 2] {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [least, greatest]
    }

    /// How many times `other` this is, round by round: what slowed the machine
    /// in one round slowed both. `None` where the rounds don't match, or `other`
    /// has a zero.
    pub fn over(&self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        Self::new(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// Each figure `factor` times.
    pub fn times(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|figure| figure * factor).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rounds: &[f64]) -> Sample {
        Sample::new(rounds.to_vec()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle_round() {
        for (rounds, median) in [
            (&[5.0][..], 5.0),
            (&[3.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 2.0, 3.0], 2.5),
            (&[1.0, 1.0, 1_000_000.0], 1.0),
        ] {
            assert!((sample(rounds).median() - median).abs() < f64::EPSILON, "{rounds:?}");
        }
    }

    #[test]
    fn the_spread_is_the_least_and_the_greatest_round() {
        assert_eq!(sample(&[3.0, 1.0, 2.0]).spread(), [1.0, 3.0]);
        assert_eq!(sample(&[7.0]).spread(), [7.0, 7.0]);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The machine was half as fast in the second round; the ratio wasn't.
        assert_eq!(sample(&[200.0, 100.0]).over(&sample(&[100.0, 50.0])), Some(sample(&[2.0, 2.0])));
    }

    #[test]
    fn no_ratio_of_rounds_that_do_not_match() {
        assert_eq!(sample(&[1.0, 2.0]).over(&sample(&[1.0])), None);
        assert_eq!(sample(&[1.0]).over(&sample(&[0.0])), None);
    }

    #[test]
    fn no_sample_without_rounds() {
        assert_eq!(Sample::new(Vec::new()), None);
        assert_eq!(Sample::new(vec![1.0, f64::NAN]), None);
    }

    #[test]
    fn every_round_is_multiplied() {
        assert_eq!(sample(&[0.5, 1.0]).times(100.0), sample(&[50.0, 100.0]));
    }
}
