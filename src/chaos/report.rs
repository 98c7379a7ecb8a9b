//! What is told of faults and of memory: one JSON object for programs, a table for people.

use std::fmt;

use serde::Serialize;

use super::ledger::{Losses, Toll};

/// A fault, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Struck {
    pub(super) fault: String,
    #[serde(flatten)]
    pub(super) toll: Toll,
    #[serde(flatten)]
    pub(super) losses: Losses,
    /// In which way it cost more than it may.
    pub(super) broken: Vec<String>,
}

/// All faults of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) faults: Vec<Struck>,
}

impl Report {
    /// What was broken, by fault.
    pub(super) fn broken(&self) -> Vec<String> {
        let lines = |struck: &Struck| {
            let said = if struck.toll.examples.is_empty() {
                String::new()
            } else {
                format!(" ({})", struck.toll.examples.join("; "))
            };
            struck.broken.iter().map(|what| format!("{}: {what}{said}", struck.fault)).collect::<Vec<_>>()
        };
        self.faults.iter().flat_map(lines).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "fault", "reads", "refused", "failed", "writes", "refused", "unknown", "failed", "outage",
            "back", "slowest", "stale", "lost", "doubled",
        ];
        let rows: Vec<Vec<String>> = self.faults.iter().map(row).collect();
        let head: Vec<String> = head.map(str::to_owned).into();
        let width = |column: usize| {
            std::iter::once(&head).chain(&rows).map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in std::iter::once(&head).chain(&rows) {
            let (first, rest) = row.split_at(1);
            write!(f, "{:<width$}", first[0], width = widths[0])?;
            for (cell, width) in rest.iter().zip(&widths[1..]) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn row(struck: &Struck) -> Vec<String> {
    let Struck { fault, toll, losses, .. } = struck;
    let Losses { writes_lost, orders_lost, orders_doubled, stock_wrong, jobs_lost, jobs_doubled } = losses;
    let seconds = |seconds: f64| format!("{seconds:.1} s");
    vec![
        fault.clone(),
        toll.reads.asked.to_string(),
        toll.reads.refused.to_string(),
        toll.reads.failed.to_string(),
        toll.writes.asked.to_string(),
        toll.writes.refused.to_string(),
        toll.writes.unknown.to_string(),
        toll.writes.failed.to_string(),
        seconds(toll.outage_seconds),
        seconds(toll.back_after_seconds),
        seconds(toll.slowest_seconds),
        (toll.stale_reads + toll.own_writes_missed).to_string(),
        (writes_lost + orders_lost + jobs_lost).to_string(),
        (orders_doubled + stock_wrong + jobs_doubled).to_string(),
    ]
}

/// Memory of a part under load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Memory {
    pub(super) part: String,
    /// Over the second minute.
    pub(super) second_minute_mib: f64,
    /// Over the last.
    pub(super) last_minute_mib: f64,
    /// It ran all the time, as one process, and could be looked at.
    pub(super) is_known: bool,
}

/// How much more it may be than in the second minute.
const GROWTH_MAX: f64 = 1.1;

impl Memory {
    /// Of what was seen each second, in bytes.
    pub(super) fn of(part: &str, seen: &[u64]) -> Self {
        let minute = |seconds: &[u64]| {
            let count = seconds.len().max(1) as f64;
            seconds.iter().map(|bytes| *bytes as f64).sum::<f64>() / count / 1024.0 / 1024.0
        };
        let second = seen.get(60..120.min(seen.len()).max(60)).unwrap_or_default();
        let last = &seen[seen.len().saturating_sub(60)..];
        let is_known = !seen.is_empty() && seen.iter().all(|bytes| *bytes > 0);
        let (second_minute_mib, last_minute_mib) = (minute(second), minute(last));
        Self { part: part.to_owned(), second_minute_mib, last_minute_mib, is_known }
    }

    /// Whether it grew by more than it may, as far as that is known.
    pub(super) fn grew(&self) -> bool {
        !self.is_known || self.last_minute_mib > self.second_minute_mib * GROWTH_MAX
    }
}

/// A soak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Soak {
    pub(super) memory: Vec<Memory>,
    pub(super) reads: u32,
    pub(super) writes: u32,
    /// Refused and failed.
    pub(super) failed: u32,
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} reads, {} writes, {} failed", self.reads, self.writes, self.failed)?;
        for memory in &self.memory {
            let Memory { part, second_minute_mib: second, last_minute_mib: last, .. } = memory;
            let times = if *second > 0.0 { last / second } else { 1.0 };
            writeln!(f, "{part:<10}  {second:>8.1} MiB  {last:>8.1} MiB  {times:>5.2} times")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_compared_between_the_second_minute_and_the_last() {
        let mib = |count: u64| count * 1024 * 1024;
        let mut seen = vec![mib(900); 60];
        seen.extend(vec![mib(100); 60]);
        seen.extend(vec![mib(500); 60]);
        seen.extend(vec![mib(110); 60]);
        let memory = Memory::of("edge", &seen);
        assert_eq!((memory.second_minute_mib, memory.last_minute_mib), (100.0, 110.0));
        assert!(!Memory { last_minute_mib: 109.9, ..memory.clone() }.grew());
        assert!(Memory { last_minute_mib: 110.2, ..memory.clone() }.grew());
        assert!(Memory { is_known: false, ..memory }.grew());
    }

    #[test]
    fn every_broken_promise_is_told_with_what_was_answered() {
        let toll = Toll { examples: vec!["500 of an origin: no".to_owned()], ..Toll::default() };
        let struck = Struck {
            fault: "origin-a/kill".to_owned(),
            toll,
            losses: Losses::default(),
            broken: vec!["reads: 1 failed, 0 refused, 0 of unknown outcome".to_owned()],
        };
        let report = Report { faults: vec![struck] };
        assert_eq!(
            report.broken(),
            ["origin-a/kill: reads: 1 failed, 0 refused, 0 of unknown outcome (500 of an origin: no)"]
        );
        assert_eq!(report.to_string().lines().count(), 2);
    }
}
