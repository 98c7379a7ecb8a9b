//! What a run is told as: one JSON object for programs, tables for people. What is kept of it is read
//! back to be written as [`markdown`] and as a page ([`html`]).

mod goal;
pub mod growth;
pub mod html;
pub mod markdown;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::Bench;
use crate::figure::Figure;
use crate::report::growth::Growth;
use crate::sample::Sample;

/// All results of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it ran on.
    pub machine: String,
    /// What was measured; `None` where the sources are in no repository.
    pub commit: Option<String>,
    /// On which day, as `2026-11-30`.
    pub day: String,
    /// Versions of what took part and is no peer, whose names have theirs.
    pub versions: BTreeMap<String, String>,
    /// The results, in the order in which they were measured.
    pub results: Vec<Measurement>,
}

impl Report {
    /// In a line: the machine, what was measured, when, and what took part.
    fn ran_on(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or("unknown");
        let versions = self.versions.iter().map(|(what, version)| format!("; {what} {version}"));
        format!("{}; commit {commit}, {}{}", self.machine, self.day, versions.collect::<String>())
    }
}

/// What of a report is the bench's.
pub fn measured_by(report: &Report, bench: Bench) -> Report {
    let is_its = |result: &&Measurement| result.bench() == bench.name();
    Report { results: report.results.iter().filter(is_its).cloned().collect(), ..report.clone() }
}

/// Which way a figure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Throughput.
    Higher,
    /// Time and cost.
    Lower,
}

impl Better {
    /// In a sentence.
    fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
        }
    }
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Measurement {
    name: Cow<'static, str>,
    unit: Cow<'static, str>,
    better: Better,
    /// The median of the rounds.
    tidewall: Figure,
    /// Their least and greatest.
    spread: [Figure; 2],
    /// What the article has for the same thing.
    article: Option<Figure>,
    /// What can't be passed here.
    limit: Option<Figure>,
    /// Why it isn't the article's, or how it was come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Cow<'static, str>>,
    /// What others came to, each the median of its rounds.
    peers: BTreeMap<String, Figure>,
    /// Peers that should be there and could not be run, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    missing: BTreeMap<String, String>,
    /// How it grows with the work, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    growth: Option<Growth>,
}

impl Measurement {
    /// A result called `name`: Tidewall came to `sample`.
    pub fn new(name: &'static str, unit: &'static str, better: Better, sample: &Sample) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            better,
            tidewall: Figure::new(sample.median()),
            spread: sample.spread().map(Figure::new),
            article: None,
            limit: None,
            note: None,
            peers: BTreeMap::new(),
            missing: BTreeMap::new(),
            growth: None,
        }
    }

    /// With how it grows.
    pub fn growth(mut self, growth: Growth) -> Self {
        self.growth = Some(growth);
        self
    }

    /// The note, where it isn't about the article's figure.
    fn remark(&self) -> Option<&str> {
        self.note.as_deref().filter(|_| self.article.is_none())
    }

    /// The bench that it is a result of.
    fn bench(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Beside the article's figure.
    pub fn article(mut self, value: f64) -> Self {
        self.article = Some(Figure::new(value));
        self
    }

    /// Below this limit.
    pub fn limit(mut self, value: f64) -> Self {
        self.limit = Some(Figure::new(value));
        self
    }

    /// Unlike the article's for this reason; or, without one of the article's, come to in this way.
    pub fn note(mut self, why: &'static str) -> Self {
        self.note = Some(why.into());
        self
    }

    /// Beside this peer.
    pub fn peer(mut self, name: impl Into<String>, value: f64) -> Self {
        self.peers.insert(name.into(), Figure::new(value));
        self
    }

    /// Without this peer, for this reason.
    pub fn without(mut self, name: impl Into<String>, reason: impl Into<String>) -> Self {
        self.missing.insert(name.into(), reason.into());
        self
    }

    /// Label, figure and remark of each line that people see.
    fn lines(&self) -> Vec<[String; 3]> {
        let [least, greatest] = self.spread;
        let mut lines =
            vec![["tidewall".to_owned(), self.tidewall.to_string(), format!("{least} to {greatest}")]];
        lines.extend(self.peers.iter().map(|(name, figure)| line(name, *figure)));
        lines.extend(self.limit.map(|figure| line("limit", figure)));
        let note = self.note.as_deref().unwrap_or_default();
        lines.extend(self.article.map(|figure| ["article".to_owned(), figure.to_string(), note.to_owned()]));
        lines.extend(self.growth.iter().map(|growth| ["growth".to_owned(), String::new(), growth.text()]));
        lines.extend(goal::judge(self).map(|asked| ["asked".to_owned(), String::new(), asked]));
        lines.extend(self.remark().map(|note| ["note".to_owned(), String::new(), note.to_owned()]));
        lines
            .extend(self.missing.iter().map(|(name, reason)| [name.clone(), "–".to_owned(), reason.clone()]));
        lines
    }
}

fn line(label: &str, figure: Figure) -> [String; 3] {
    [label.to_owned(), figure.to_string(), String::new()]
}

/// One table for all results, with columns of the same width.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<_> = self.results.iter().map(Measurement::lines).collect();
        let width = |column: usize| {
            tables.iter().flatten().map(|line| line[column].chars().count()).max().unwrap_or(0)
        };
        let (label_width, figure_width) = (width(0), width(1));
        writeln!(f, "machine: {}", self.machine)?;
        writeln!(f, "commit:  {}", self.commit.as_deref().unwrap_or("unknown"))?;
        for (result, lines) in self.results.iter().zip(&tables) {
            writeln!(f, "\n{}: {}, {} is better", result.name, result.unit, result.better.as_str())?;
            for [label, figure, remark] in lines {
                let line = format!("  {label:<label_width$}  {figure:>figure_width$}  {remark}");
                writeln!(f, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn report() -> Report {
        let rounds = |figures: &[f64]| Sample::new(figures.to_vec()).unwrap();
        let end_to_end = rounds(&[37_000.0, 35_000.0, 39_000.0]);
        let cost = rounds(&[2.5]);
        Report {
            machine: "2 CPUs".to_owned(),
            commit: Some("0123456789ab".to_owned()),
            day: "2026-11-30".to_owned(),
            versions: [("PostgreSQL".to_owned(), "18.1".to_owned())].into(),
            results: vec![
                Measurement::new("queue/end-to-end", "jobs/s", Better::Higher, &end_to_end)
                    .limit(74_000.0)
                    .peer("graphile-worker 0.18.0", 18_000.4)
                    .without("node pg 8.x", "there is no node"),
                Measurement::new("queue/cost", "ms", Better::Lower, &cost).article(6.0),
            ],
        }
    }

    #[test]
    fn growth_and_a_note_are_told_and_read_again() {
        let growth = Growth::new("rows", &[(10.0, 1.0), (1_000.0, 10.0)]).unwrap();
        let cost = Sample::new(vec![10.0]).unwrap();
        let result =
            Measurement::new("queue/cost", "ms", Better::Lower, &cost).growth(growth).note("simulated");
        assert_eq!(
            result.lines()[1..],
            [
                ["growth", "", "1 at 10, 10 at 1000 rows: as the power 0.50"].map(str::to_owned),
                ["note", "", "simulated"].map(str::to_owned),
            ]
        );
        let json = serde_json::to_value(&result).unwrap();
        assert_eq!(
            json["growth"],
            serde_json::json!({"of": "rows", "points": [[10, 1], [1000, 10]], "exponent": 0.5})
        );
        assert_eq!(serde_json::from_value::<Measurement>(json).unwrap(), result);
        let remark_of_article = result.article(5.0);
        assert_eq!(remark_of_article.lines()[1..2], [["article", "5", "simulated"].map(str::to_owned)]);
    }

    #[test]
    fn each_bench_has_its_own_results() {
        assert_eq!(measured_by(&report(), Bench::Queue), report());
        assert_eq!(measured_by(&report(), Bench::Pool).results, []);
    }

    #[test]
    fn json_is_one_object() {
        let expected = serde_json::json!({
            "machine": "2 CPUs",
            "commit": "0123456789ab",
            "day": "2026-11-30",
            "versions": {"PostgreSQL": "18.1"},
            "results": [
                {
                    "name": "queue/end-to-end", "unit": "jobs/s", "better": "higher",
                    "tidewall": 37000, "spread": [35000, 39000], "article": null, "limit": 74000,
                    "peers": {"graphile-worker 0.18.0": 18000},
                    "missing": {"node pg 8.x": "there is no node"},
                },
                {
                    "name": "queue/cost", "unit": "ms", "better": "lower",
                    "tidewall": 2.5, "spread": [2.5, 2.5], "article": 6, "limit": null, "peers": {},
                },
            ],
        });
        assert_eq!(serde_json::to_value(report()).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Report>(expected).unwrap(), report());
    }

    #[test]
    fn a_table_has_a_line_for_every_figure_and_for_what_is_missing() {
        let expected = "\
machine: 2 CPUs
commit:  0123456789ab

queue/end-to-end: jobs/s, higher is better
  tidewall                37000  35000 to 39000
  graphile-worker 0.18.0  18000
  limit                   74000
  asked                          at least 1.5 times the best of graphile-worker, graphile_worker, pg-boss: 2.056 times graphile-worker 0.18.0, reached
  node pg 8.x                 –  there is no node

queue/cost: ms, lower is better
  tidewall                  2.5  2.5 to 2.5
  article                     6
";
        assert_eq!(report().to_string(), expected);
    }
}
