//! What results are to reach, by `goals.toml`, and whether they do.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Better, Measurement};
use crate::figure::Figure;

/// What a result is to reach.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Goal {
    of: String,
    reach: f64,
    #[serde(default)]
    times_best_of: Vec<String>,
    #[serde(default)]
    missed: Option<String>,
}

#[derive(Deserialize)]
struct Goals {
    goal: Vec<Goal>,
}

/// It is a part of the program, and a test reads it.
static GOALS: LazyLock<Vec<Goal>> = LazyLock::new(|| {
    toml::from_str::<Goals>(include_str!("goals.toml")).map(|goals| goals.goal).unwrap_or_default()
});

/// What a result was to reach, and whether it does; `None` where nothing is asked of it.
pub(super) fn judge(result: &Measurement) -> Option<String> {
    GOALS.iter().find(|goal| goal.of == result.name).map(|goal| goal.judge(result))
}

impl Goal {
    fn judge(&self, result: &Measurement) -> String {
        let bound = match result.better {
            Better::Higher => "at least",
            Better::Lower => "at most",
        };
        if self.times_best_of.is_empty() {
            let is_reached = reaches(result, self.reach);
            return format!("{bound} {}: {}", Figure::new(self.reach), self.outcome(is_reached));
        }
        let asked = format!("{bound} {} times the best of {}", self.reach, self.times_best_of.join(", "));
        match self.best(result) {
            Some((name, figure)) => {
                let is_reached = reaches(result, self.reach * figure);
                let times = Figure::new(result.tidewall.value() / figure);
                format!("{asked}: {times} times {name}, {}", self.outcome(is_reached))
            }
            None => format!("{asked}: unknown, none of them ran"),
        }
    }

    /// The best of the peers that it is beside.
    fn best<'a>(&self, result: &'a Measurement) -> Option<(&'a str, f64)> {
        // Their names have their versions.
        let is_meant = |peer: &str| {
            self.times_best_of.iter().any(|name| {
                peer.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        };
        let peers = result.peers.iter().filter(|(name, _)| is_meant(name));
        let peers = peers.map(|(name, figure)| (name.as_str(), figure.value()));
        match result.better {
            Better::Higher => peers.max_by(|one, other| one.1.total_cmp(&other.1)),
            Better::Lower => peers.min_by(|one, other| one.1.total_cmp(&other.1)),
        }
    }

    fn outcome(&self, is_reached: bool) -> String {
        match (is_reached, &self.missed) {
            (true, _) => "reached".to_owned(),
            (false, Some(why)) => format!("missed: {why}"),
            (false, None) => "missed".to_owned(),
        }
    }
}

fn reaches(result: &Measurement, bound: f64) -> bool {
    match result.better {
        Better::Higher => result.tidewall.value() >= bound,
        Better::Lower => result.tidewall.value() <= bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Bench;
    use crate::sample::Sample;

    fn result(better: Better, figure: f64) -> Measurement {
        Measurement::new("pool/overhead", "percent", better, &Sample::new(vec![figure]).unwrap())
    }

    fn goal(reach: f64, peers: &[&str]) -> Goal {
        Goal {
            of: "pool/overhead".to_owned(),
            reach,
            times_best_of: peers.iter().map(|name| (*name).to_owned()).collect(),
            missed: Some("it is slow".to_owned()),
        }
    }

    #[test]
    fn each_goal_is_of_a_bench_and_there_is_one_of_a_result() {
        let goals = toml::from_str::<Goals>(include_str!("goals.toml")).unwrap().goal;
        assert_eq!(goals.len(), GOALS.len());
        for (index, goal) in goals.iter().enumerate() {
            let bench = goal.of.split('/').next().unwrap();
            assert!(Bench::ALL.iter().any(|known| known.name() == bench), "{}", goal.of);
            assert!(goals[..index].iter().all(|other| other.of != goal.of), "{}", goal.of);
        }
    }

    #[test]
    fn what_is_asked_is_reached_or_missed_for_a_reason() {
        for (better, figure, told) in [
            (Better::Higher, 9.0, "at least 9: reached"),
            (Better::Higher, 8.99, "at least 9: missed: it is slow"),
            (Better::Lower, 9.0, "at most 9: reached"),
            (Better::Lower, 9.01, "at most 9: missed: it is slow"),
        ] {
            assert_eq!(goal(9.0, &[]).judge(&result(better, figure)), told);
        }
        assert_eq!(judge(&result(Better::Higher, 95.0)).unwrap(), "at least 90: reached");
    }

    #[test]
    fn a_peer_is_found_in_whichever_version() {
        let goal = goal(1.5, &["worker", "boss"]);
        let beside = |peers: &[(&str, f64)]| {
            let peers = peers.iter();
            peers.fold(result(Better::Higher, 30.0), |result, (name, figure)| result.peer(*name, *figure))
        };
        for (peers, told) in [
            (&[("worker 1.0", 10.0), ("boss", 20.0)][..], "1.5 times boss, reached"),
            (&[("worker 1.0", 25.0), ("boss", 20.0)], "1.2 times worker 1.0, missed: it is slow"),
            (&[("workers 1.0", 90.0), ("boss 2", 15.0)], "2 times boss 2, reached"),
            (&[("other", 90.0)], "unknown, none of them ran"),
        ] {
            let expected = format!("at least 1.5 times the best of worker, boss: {told}");
            assert_eq!(goal.judge(&beside(peers)), expected);
        }
    }
}
