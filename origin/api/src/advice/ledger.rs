//! What was advised, and what came of it. An entry is a line of a file, and is never changed.

use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::gauge::gauge;
use super::report::Report;
use super::verdict::{Figure, Tool, Verdict, round};

/// What was said at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, as RFC 3339 has it.
    pub at: String,
    /// Of which system.
    pub system: String,
    /// Its stage.
    pub stage: u8,
    /// Of each tool.
    pub tools: Vec<Taken>,
}

/// What was said of a tool, and what it would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Which.
    pub tool: Tool,
    /// What was said.
    pub verdict: Verdict,
    /// What the tool is to change, as it was then.
    pub gauge: Option<Figure>,
    /// The forecast, in percent less: from, to.
    pub forecast: Option<[f64; 2]>,
}

/// A forecast, and what it was worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Which tool was added.
    pub tool: Tool,
    /// When that was advised.
    pub advised_at: String,
    /// What it changed.
    pub what: String,
    /// Of what unit.
    pub unit: String,
    /// As it was then.
    pub before: f64,
    /// As it is now.
    pub after: f64,
    /// What was expected, in percent less: from, to.
    pub forecast: [f64; 2],
    /// What came, in percent less.
    pub measured: f64,
    /// Whether that was to be expected.
    pub came: Came,
}

/// What became of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// More than was expected.
    Better,
    /// As expected.
    AsExpected,
    /// Less than was expected.
    Worse,
}

impl Came {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better than expected",
            Self::AsExpected => "as expected",
            Self::Worse => "worse than expected",
        }
    }
}

/// Whether a tool's gauge is the same at any load: then it tells of a step also where nothing else does.
const fn is_of_each_request(tool: Tool) -> bool {
    match tool {
        Tool::Index | Tool::Pool | Tool::Queue => true,
        Tool::Cdn | Tool::Cache | Tool::LoadBalancer | Tool::ReadReplica => false,
    }
}

impl Entry {
    /// What `report` says of what `evidence` shows.
    pub fn new(at: String, system: String, report: &Report, evidence: &Evidence) -> Self {
        let tools = report.tools.iter().map(|advice| Taken {
            tool: advice.tool,
            verdict: advice.verdict,
            gauge: gauge(advice.tool, evidence),
            forecast: advice.effect.as_ref().map(|effect| [effect.low, effect.high]),
        });
        Self { at, system, stage: report.stage, tools: tools.collect() }
    }

    fn of(&self, tool: Tool) -> Option<&Taken> {
        self.tools.iter().find(|taken| taken.tool == tool)
    }
}

/// What came of the steps that were taken since `earlier`, the oldest first: of each tool that was to be
/// added the last time that anything was known of it, and no longer is.
pub fn score(earlier: &[Entry], now: &Entry) -> Vec<Score> {
    let scored = now.tools.iter().filter_map(|after| {
        let is_taken = match after.verdict {
            Verdict::InPlace => true,
            // A quiet night is no step.
            Verdict::NotYet => is_of_each_request(after.tool),
            Verdict::AddNow | Verdict::Unknown => false,
        };
        if !is_taken {
            return None;
        }
        let known = earlier.iter().rev().filter(|entry| entry.system == now.system);
        let mut known = known.filter_map(|entry| Some((entry, entry.of(after.tool)?)));
        let (advised, before) = known.find(|(_, taken)| taken.verdict != Verdict::Unknown)?;
        let (Some(was), Some(is), Some([low, high])) = (&before.gauge, &after.gauge, before.forecast) else {
            return None;
        };
        if before.verdict != Verdict::AddNow || was.unit != is.unit || was.value <= 0.0 {
            return None;
        }
        let measured = round((was.value - is.value) / was.value * 100.0);
        Some(Score {
            tool: after.tool,
            advised_at: advised.at.clone(),
            what: was.what.clone(),
            unit: was.unit.clone(),
            before: was.value,
            after: is.value,
            forecast: [low, high],
            measured,
            came: match measured {
                measured if measured > high => Came::Better,
                measured if measured >= low => Came::AsExpected,
                _ => Came::Worse,
            },
        })
    });
    scored.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(system: &str, verdict: Verdict, value: f64) -> Entry {
        let gauge = Figure { what: "time".to_owned(), value, unit: "ms".to_owned() };
        let taken = Taken { tool: Tool::Index, verdict, gauge: Some(gauge), forecast: Some([80.0, 99.0]) };
        Entry { at: format!("at {value}"), system: system.to_owned(), stage: 1, tools: vec![taken] }
    }

    fn check(earlier: &[Entry], now: &Entry, expected: Option<(f64, Came)>) {
        let scores = score(earlier, now);
        assert_eq!(scores.first().map(|score| (score.measured, score.came)), expected);
    }

    #[test]
    fn a_step_that_was_advised_and_taken_is_scored_once() {
        let advised = entry("a", Verdict::AddNow, 500.0);
        let done = entry("a", Verdict::InPlace, 5.0);
        check(std::slice::from_ref(&advised), &done, Some((99.0, Came::AsExpected)));
        check(&[advised.clone(), entry("a", Verdict::Unknown, 0.0)], &done, Some((99.0, Came::AsExpected)));
        check(&[advised.clone(), done.clone()], &done, None);
        check(std::slice::from_ref(&advised), &advised, None);
        check(&[entry("b", Verdict::AddNow, 500.0)], &done, None);
    }

    #[test]
    fn a_quiet_night_is_no_step_that_was_taken() {
        let of_replica = |mut entry: Entry| {
            entry.tools[0].tool = Tool::ReadReplica;
            entry
        };
        let advised = of_replica(entry("a", Verdict::AddNow, 500.0));
        check(std::slice::from_ref(&advised), &of_replica(entry("a", Verdict::NotYet, 5.0)), None);
        let added = of_replica(entry("a", Verdict::InPlace, 5.0));
        check(std::slice::from_ref(&advised), &added, Some((99.0, Came::AsExpected)));
    }

    #[test]
    fn a_forecast_that_was_wrong_is_told_as_such() {
        check(
            &[entry("a", Verdict::AddNow, 500.0)],
            &entry("a", Verdict::InPlace, 400.0),
            Some((20.0, Came::Worse)),
        );
        check(
            &[entry("a", Verdict::AddNow, 500.0)],
            &entry("a", Verdict::InPlace, 600.0),
            Some((-20.0, Came::Worse)),
        );
    }
}
