//! All that the advisor says.

use serde::{Deserialize, Serialize};

use super::cause::{Cause, State, state};
use super::evidence::Evidence;
use super::gauge::gauge;
use super::ledger::Score;
use super::prices::Prices;
use super::verdict::{Advice, Effect, Tool, round};
use super::{cost, rules, stage};

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Which of the article's four, 1 to 4.
    pub stage: u8,
    /// By what that is known, and what it adds.
    pub stage_reason: String,
    /// Each of the seven.
    pub tools: Vec<Advice>,
    /// How busy the primary is. Unknown without its CPUs.
    pub primary: Option<Primary>,
    /// Which tool is needed next, if what there is grows.
    pub next: Option<Next>,
    /// What could not be learned, and why.
    pub unknown: Vec<String>,
    /// What came of what was advised before.
    pub scores: Vec<Score>,
}

/// How busy the primary is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Primary {
    /// Sessions at work for each CPU. Unknown where they wait for each other.
    pub load: Option<f64>,
    /// It has no time left, or nobody gets on.
    pub is_busy: bool,
    /// Why, as far as what is known explains it.
    pub cause: Option<Cause>,
}

impl Primary {
    fn of(state: State) -> Self {
        match state {
            State::Waits => Self { load: None, is_busy: true, cause: Some(Cause::LockQueue) },
            State::Idle(load) => Self { load: Some(round(load)), is_busy: false, cause: None },
            State::Busy(load, cause) => Self { load: Some(round(load)), is_busy: true, cause },
        }
    }

    /// In a sentence without its end.
    pub fn describe(&self) -> String {
        let load =
            self.load.map(|load| format!("{load} sessions at work for each CPU: ")).unwrap_or_default();
        let why = match (self.is_busy, self.cause) {
            (false, _) => "it has time left",
            (true, Some(cause)) => cause.as_str(),
            (true, None) => "it is busy, and what its statements do explains too little of it",
        };
        format!("{load}{why}")
    }
}

/// The next ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// The tool that is needed there.
    pub tool: Tool,
    /// At so many times today's load.
    pub times: f64,
    /// Which is so many a second.
    pub rate: Option<f64>,
    /// Of these: requests, or transactions.
    pub unit: String,
}

/// What `evidence` comes to for each tool, at these prices.
pub fn advise(evidence: &Evidence, prices: &Prices) -> Report {
    let tools: Vec<_> = Tool::ALL.into_iter().map(|tool| advice(tool, evidence, prices)).collect();
    let (number, stage_reason) = match stage::users(evidence) {
        Some((users, how)) => {
            let stage = stage::of(users);
            (stage.number, format!("{} ({users:.0} users, {how})", stage.what))
        }
        None => (1, "nothing says how many users there are: pass --users or an access log".to_owned()),
    };
    Report {
        stage: number,
        stage_reason,
        primary: state(evidence).map(Primary::of),
        next: next(&tools, evidence),
        tools,
        unknown: evidence.unknown.clone(),
        scores: Vec::new(),
    }
}

fn advice(tool: Tool, evidence: &Evidence, prices: &Prices) -> Advice {
    let finding = rules::finding(tool, evidence);
    let (threshold, source) = rules::threshold(tool);
    let effect = finding.effect.zip(gauge(tool, evidence)).map(|([low, high], gauge)| Effect {
        what: gauge.what,
        low,
        high,
        unit: "% less".to_owned(),
    });
    Advice {
        tool,
        verdict: finding.verdict,
        reason: finding.reason,
        evidence: finding.evidence,
        threshold: threshold.to_owned(),
        source: source.to_owned(),
        effect,
        cost: cost::of(tool, evidence, prices).map(|range| range.map(round)),
        command: rules::command(tool).to_owned(),
        distance: finding.distance,
    }
}

/// The nearest of what isn't needed yet.
fn next(tools: &[Advice], evidence: &Evidence) -> Option<Next> {
    let distances = tools.iter().filter_map(|advice| Some((advice.tool, advice.distance?)));
    let (tool, times) = distances.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let requests = evidence.traffic.as_ref().and_then(|traffic| traffic.rate());
    let transactions = evidence.database.as_ref().and_then(|database| database.transactions);
    let (rate, unit) = match requests {
        Some(rate) => (Some(rate), "requests a second"),
        None => (transactions, "transactions a second"),
    };
    Some(Next { tool, times, rate: rate.map(|rate| round(rate * times)), unit: unit.to_owned() })
}
