//! Results as Markdown: a table for each bench.

use std::fmt::Write as _;

use super::{Measurement, Report};

/// All that is kept, each bench with what it ran on.
pub fn markdown(reports: &[Report]) -> String {
    let mut text = String::from(
        "# What was measured\n\nBy `cargo run -- bench`. Each figure is the median of the rounds, with the least and the greatest; \
         peers ran in the same run, in turn. A dash is a peer that could not be run there.\n",
    );
    for report in reports {
        section(&mut text, report);
    }
    text
}

fn section(text: &mut String, report: &Report) {
    let name = report.results.first().map_or("nothing", Measurement::bench);
    let commit = report.commit.as_deref().unwrap_or("unknown");
    // It can't fail in memory.
    let _ = write!(text, "\n## {name}\n\n{}; commit {commit}, {}", cell(&report.machine), report.day);
    for (what, version) in &report.versions {
        let _ = write!(text, "; {} {}", cell(what), cell(version));
    }
    text.push_str(".\n\n| result | Tidewall | rounds | beside it | article |\n|---|---|---|---|---|\n");
    for result in &report.results {
        row(text, result);
    }
}

fn row(text: &mut String, result: &Measurement) {
    let [least, greatest] = result.spread;
    let mut beside: Vec<String> =
        result.peers.iter().map(|(name, figure)| format!("{} {figure}", cell(name))).collect();
    beside.extend(result.limit.map(|figure| format!("limit {figure}")));
    beside.extend(result.missing.iter().map(|(name, why)| format!("{} – ({})", cell(name), cell(why))));
    beside.extend(result.growth.iter().map(|growth| cell(&growth.text())));
    let article = match (result.article, &result.note) {
        (Some(figure), Some(note)) => format!("{figure}: {}", cell(note)),
        (Some(figure), None) => figure.to_string(),
        (None, _) => String::new(),
    };
    let _ = writeln!(
        text,
        "| `{}`, {}, {} is better | {} | {least} to {greatest} | {} | {article} |",
        result.name,
        result.unit,
        result.better.as_str(),
        result.tidewall,
        beside.join("<br>"),
    );
}

/// Text within a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn every_figure_stands_in_its_row() {
        let text = markdown(&[report()]);
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("## ")).collect();
        assert_eq!(
            lines,
            [
                "## queue",
                "",
                "2 CPUs; commit 0123456789ab, 2026-11-30; PostgreSQL 18.1.",
                "",
                "| result | Tidewall | rounds | beside it | article |",
                "|---|---|---|---|---|",
                "| `queue/end-to-end`, jobs/s, higher is better | 37000 | 35000 to 39000 | \
                 graphile-worker 0.18.0 18000<br>limit 74000<br>node pg 8.x – (there is no node) |  |",
                "| `queue/cost`, ms, lower is better | 2.5 | 2.5 to 2.5 |  | 6 |",
            ]
        );
    }

    #[test]
    fn what_a_peer_says_breaks_no_table() {
        assert_eq!(cell("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
