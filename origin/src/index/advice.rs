//! What the advisor says: for programs as JSON, for people in lines.

use std::fmt::Write as _;

use serde::Serialize;
use tidewall_api::format;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Advice {
    /// Indexes to build, the most useful first.
    pub proposals: Vec<Proposal>,
    /// Indexes that were considered, and why they aren't worth it.
    pub rejected: Vec<Rejected>,
    /// Indexes that are there in vain.
    pub drops: Vec<Drop>,
    /// Indexes that are there, and are to be built anew.
    pub rebuilds: Vec<Drop>,
    /// Indexes that look as if they were there in vain, and what speaks for them.
    pub kept: Vec<Rejected>,
    /// What can't be said, and what is missing.
    pub unknown: Vec<Unknown>,
    /// What was done about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Applied>,
}

/// An index to build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// The statement that builds it while others write.
    pub ddl: String,
    /// Its name.
    pub name: String,
    /// `schema.table`
    pub table: String,
    /// Its keys, in their order.
    pub columns: Vec<String>,
    /// How many times faster the statements that it serves are with it, all together.
    pub gain: f64,
    /// Milliseconds of work that it saves in each second, what it costs writers taken off.
    pub saves_ms_per_s: f64,
    /// Bytes that it will have.
    pub size_bytes: u64,
    /// Milliseconds that it adds to each row that is written.
    pub write_cost: f64,
    /// The statements that it serves.
    pub statements: Vec<Served>,
    /// How that is known.
    pub proof: String,
}

/// A statement that an index serves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Served {
    /// Its text, without the values in it.
    pub statement: String,
    /// How often it was counted.
    pub calls: u64,
    /// Milliseconds without.
    pub before_ms: f64,
    /// Milliseconds with.
    pub after_ms: f64,
}

/// An index that isn't worth it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejected {
    /// The statement that would build it.
    pub ddl: String,
    /// Why not.
    pub reason: String,
}

/// An index that is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drop {
    /// The statement that does something about it.
    pub ddl: String,
    /// `schema.index`
    pub index: String,
    /// `schema.table`
    pub table: String,
    /// Why.
    pub reason: String,
    /// Bytes that it has.
    pub size_bytes: u64,
}

/// Something that can't be said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unknown {
    /// A statement, an index or a table.
    pub what: String,
    /// What is missing.
    pub reason: String,
}

/// A proposal that was tried on the table itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Applied {
    /// The statement that built it.
    pub ddl: String,
    /// It is there.
    pub kept: bool,
    /// Milliseconds that what it serves takes, weighed by how often each runs, without it.
    pub before_ms: Option<f64>,
    /// The same with it.
    pub after_ms: Option<f64>,
    /// Why it was kept, taken back, or not built.
    pub reason: String,
}

impl Advice {
    /// In lines, for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        match self.proposals.len() {
            0 => text.push_str("No index is worth building now.\n"),
            1 => text.push_str("One index is worth building.\n"),
            many => {
                let _ = writeln!(text, "{many} indexes are worth building, the most useful first.");
            }
        }
        for proposal in &self.proposals {
            let Proposal { ddl, gain, size_bytes, write_cost, statements, proof, .. } = proposal;
            let _ = writeln!(
                text,
                "\n  {ddl};\n    {gain:.1} times faster, {}, {:.1} µs more for each row that is written\n    {proof}",
                bytes(*size_bytes),
                write_cost * 1_000.0,
            );
            for Served { statement, calls, before_ms, after_ms } in statements {
                let _ = writeln!(
                    text,
                    "    {} → {} ms, {} calls: {statement}",
                    milliseconds(*before_ms),
                    milliseconds(*after_ms),
                    format::count(*calls),
                );
            }
        }
        for applied in &self.applied {
            let figures = match (applied.before_ms, applied.after_ms) {
                (Some(before), Some(after)) => {
                    format!(" ({} → {} ms)", milliseconds(before), milliseconds(after))
                }
                _ => String::new(),
            };
            let state = if applied.kept { "built" } else { "not kept" };
            let _ = writeln!(text, "\n  {state}{figures}: {}\n    {}", applied.reason, applied.ddl);
        }
        let drops = self
            .drops
            .iter()
            .map(|drop| (format!("{}; -- {}", drop.ddl, bytes(drop.size_bytes)), &drop.reason));
        section(&mut text, "There in vain", drops);
        let rebuilds = self.rebuilds.iter().map(|drop| (format!("{};", drop.ddl), &drop.reason));
        section(&mut text, "To be built anew", rebuilds);
        section(&mut text, "Stays", self.kept.iter().map(|kept| (kept.ddl.clone(), &kept.reason)));
        section(&mut text, "Not worth it", self.rejected.iter().map(|one| (one.ddl.clone(), &one.reason)));
        section(&mut text, "Unknown", self.unknown.iter().map(|one| (one.what.clone(), &one.reason)));
        text
    }
}

fn section<'a>(text: &mut String, title: &str, lines: impl Iterator<Item = (String, &'a String)>) {
    for (place, (what, reason)) in lines.enumerate() {
        if place == 0 {
            let _ = writeln!(text, "\n{title}:");
        }
        let _ = writeln!(text, "  {what}\n    {reason}");
    }
}

/// Three digits that say something.
fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.3}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1_024.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{size:.1} {}", UNITS[unit]) }
}
