//! What was recorded of a scenario: the evidence, and what each tool did. By that the rules are judged,
//! as often as they change.

use std::fs;

use serde::{Deserialize, Serialize};
use tidewall_api::advice::{Evidence, Prices, Tool, Verdict, advise};

use super::definition::{Definition, Kind};
use super::outcome::Outcome;
use crate::error::Reason;

/// A scenario that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Of the text of its file.
    pub digest: String,
    /// On what.
    pub machine: String,
    /// What the advisor could see.
    pub evidence: Evidence,
    /// What each tool did.
    pub outcome: Outcome,
}

/// What the advisor says, beside what is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Of each tool, what is said.
    pub said: Vec<(Tool, Verdict)>,
    /// What is needed.
    pub needed: Option<Tool>,
    /// What is needed is advised, and nothing else.
    pub is_right: bool,
    /// Advised, and no help.
    pub harmful: Vec<Tool>,
}

impl Record {
    /// Reads what was recorded of a scenario.
    ///
    /// # Errors
    /// Nothing was, or it has another form.
    pub fn read(definition: &Definition) -> Result<Self, Reason> {
        let path = definition.record_file();
        let read = fs::read_to_string(&path).map_err(Reason::from);
        let record = read.and_then(|text| serde_json::from_str::<Self>(&text).map_err(Reason::from));
        let again = format!("run `tidewall advise record {}`", definition.name);
        let record = record.map_err(|why| Reason::new(&format!("{}: {why}; {again}", path.display())))?;
        match record.digest == definition.digest {
            true => Ok(record),
            false => Err(Reason::new(&format!("{} is of another definition; {again}", path.display()))),
        }
    }

    /// Writes it where it belongs.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, definition: &Definition) -> Result<(), Reason> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(fs::write(definition.record_file(), text)?)
    }

    /// Whether what was measured is what the scenario is there to show, clearly.
    pub fn shows(&self, definition: &Definition) -> bool {
        if !self.outcome.is_clear() {
            return false;
        }
        let needs = self.outcome.needed() == Some(definition.tool);
        match definition.kind {
            Kind::Needed => needs,
            Kind::NotYet => self.outcome.is_fine(),
            Kind::Decoy => !self.outcome.is_fine() && !needs,
        }
    }

    /// What the advisor says of it by now, and whether that is right.
    pub fn judge(&self, definition: &Definition) -> Judgement {
        self.judge_of(definition, &self.said())
    }

    /// What the advisor says of each tool by now.
    pub fn said(&self) -> Vec<(Tool, Verdict)> {
        let report = advise(&self.evidence, &Prices::own());
        report.tools.iter().map(|advice| (advice.tool, advice.verdict)).collect()
    }

    /// Whether what is said is right: advised is what is needed, and nothing else. Not to know is right
    /// of what isn't needed, other than of the scenario's own tool. A tool that has nothing to work on
    /// is no help.
    pub fn judge_of(&self, definition: &Definition, said: &[(Tool, Verdict)]) -> Judgement {
        let needed = self.outcome.needed();
        let is_right = said.iter().all(|(tool, verdict)| match verdict {
            Verdict::AddNow => needed == Some(*tool),
            Verdict::NotYet | Verdict::InPlace => needed != Some(*tool),
            Verdict::Unknown => needed != Some(*tool) && definition.tool != *tool,
        });
        let advised = said.iter().filter(|(_, verdict)| *verdict == Verdict::AddNow);
        let harmful = advised.map(|(tool, _)| *tool).filter(|tool| !self.outcome.helps(*tool)).collect();
        Judgement { said: said.to_vec(), needed, is_right, harmful }
    }
}
