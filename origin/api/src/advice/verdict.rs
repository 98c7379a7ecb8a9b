//! What is said of a tool.

use serde::{Deserialize, Serialize};

/// One of the seven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    /// Files near their readers.
    Cdn,
    /// Answers that are kept.
    Cache,
    /// Several servers as one.
    LoadBalancer,
    /// Rows found without reading them all.
    Index,
    /// Copies of the database that answer reads.
    ReadReplica,
    /// Connections that are kept.
    Pool,
    /// Work after the answer.
    Queue,
}

impl Tool {
    /// All of them, in the order of the article.
    pub const ALL: [Self; 7] =
        [Self::Cdn, Self::Cache, Self::LoadBalancer, Self::Index, Self::ReadReplica, Self::Pool, Self::Queue];

    /// As people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdn => "CDN",
            Self::Cache => "cache",
            Self::LoadBalancer => "load balancer",
            Self::Index => "database index",
            Self::ReadReplica => "read replica",
            Self::Pool => "connection pool",
            Self::Queue => "message queue",
        }
    }

    /// As programs call it: in JSON, and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cdn => "cdn",
            Self::Cache => "cache",
            Self::LoadBalancer => "load_balancer",
            Self::Index => "index",
            Self::ReadReplica => "read_replica",
            Self::Pool => "pool",
            Self::Queue => "queue",
        }
    }

    /// The tool of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

/// Whether it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was measured asks for it.
    AddNow,
    /// It doesn't.
    NotYet,
    /// It is there.
    InPlace,
    /// It can't be said.
    Unknown,
}

impl Verdict {
    /// As people say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddNow => "add now",
            Self::NotYet => "not yet",
            Self::InPlace => "in place",
            Self::Unknown => "unknown",
        }
    }
}

/// A figure that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what unit.
    pub unit: String,
}

/// A range that is expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// On what: the tool's gauge.
    pub what: String,
    /// From.
    pub low: f64,
    /// To.
    pub high: f64,
    /// `% less`
    pub unit: String,
}

/// What is said of one tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Which.
    pub tool: Tool,
    /// Whether it is needed.
    pub verdict: Verdict,
    /// Why, in a sentence; what is missing, where it can't be said.
    pub reason: String,
    /// What that rests on.
    pub evidence: Vec<Figure>,
    /// From where on it is needed.
    pub threshold: String,
    /// Who says so.
    pub source: String,
    /// What to expect of it.
    pub effect: Option<Effect>,
    /// Dollars a month: from, to. Below zero it saves.
    pub cost: Option<[f64; 2]>,
    /// How to add it.
    pub command: String,
    /// How many times today's load it takes until it is needed.
    pub distance: Option<f64>,
}

/// What a rule comes to, before what is the same for each tool is added.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) evidence: Vec<Figure>,
    /// Of the gauge, in percent less.
    pub(super) effect: Option<[f64; 2]>,
    pub(super) distance: Option<f64>,
}

impl Finding {
    fn new(verdict: Verdict, reason: impl Into<String>, evidence: Vec<Figure>) -> Self {
        Self { verdict, reason: reason.into(), evidence, effect: None, distance: None }
    }

    /// With what to expect of it, in percent less of its gauge.
    pub(super) fn add(reason: impl Into<String>, evidence: Vec<Figure>, effect: Option<[f64; 2]>) -> Self {
        let effect = effect.map(|effect| effect.map(round));
        Self { effect, ..Self::new(Verdict::AddNow, reason, evidence) }
    }

    pub(super) fn not_yet(reason: impl Into<String>, evidence: Vec<Figure>) -> Self {
        Self::new(Verdict::NotYet, reason, evidence)
    }

    pub(super) fn in_place(how: impl Into<String>, evidence: Vec<Figure>) -> Self {
        Self::new(Verdict::InPlace, how, evidence)
    }

    /// Without what the rule needs to know.
    pub(super) fn unknown(missing: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, missing, Vec::new())
    }

    /// It is needed at so many times today's load.
    pub(super) fn at_times(self, times: f64) -> Self {
        Self { distance: (times.is_finite() && times > 1.0).then(|| round(times)), ..self }
    }
}

pub(super) fn figure(what: impl Into<String>, value: f64, unit: &str) -> Figure {
    Figure { what: what.into(), value: round(value), unit: unit.to_owned() }
}

/// Three digits that count: more would say nothing.
pub(super) fn round(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        for (value, rounded) in [(123_456.0, 123_000.0), (0.012_345, 0.0123), (0.0, 0.0), (5.0, 5.0)] {
            assert!((round(value) - rounded).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn what_is_needed_by_now_is_not_told_to_be_far() {
        let finding = Finding::unknown("x");
        assert_eq!(finding.clone().at_times(0.5).distance, None);
        assert_eq!(finding.clone().at_times(f64::INFINITY).distance, None);
        assert_eq!(finding.at_times(2.345_6).distance, Some(2.35));
    }

    #[test]
    fn a_tool_is_found_by_the_name_that_it_has_in_json() {
        for tool in Tool::ALL {
            assert_eq!(serde_json::to_value(tool).unwrap(), tool.name());
            assert_eq!(Tool::named(tool.name()), Some(tool));
        }
        assert_eq!(Tool::named("CDN"), None);
    }
}
