//! Results as Markdown: a table for each bench.

use std::fmt::Write as _;

use super::{Measurement, Report, goal};

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
    // It can't fail in memory.
    let _ = write!(text, "\n## {name}\n\n{}", ran_on(report));
    text.push_str(
        "\n\n| result | Tidewall | rounds | beside it | article | asked |\n|---|---|---|---|---|---|\n",
    );
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
    beside.extend(result.remark().map(cell));
    let article = match (result.article, &result.note) {
        (Some(figure), Some(note)) => format!("{figure}: {}", cell(note)),
        (Some(figure), None) => figure.to_string(),
        (None, _) => String::new(),
    };
    let asked = goal::judge(result).map(|asked| cell(&asked)).unwrap_or_default();
    let _ = writeln!(
        text,
        "| `{}`, {}, {} is better | {} | {least} to {greatest} | {} | {article} | {asked} |",
        result.name,
        result.unit,
        result.better.as_str(),
        result.tidewall,
        beside.join("<br>"),
    );
}

/// The results of one bench, each with how it grows where that was looked at.
pub fn growths(report: &Report) -> String {
    let mut text = ran_on(report);
    text.push_str("\n\n| result | figure | grows as the power |\n|---|---|---|\n");
    for result in &report.results {
        let (figures, power) = match &result.growth {
            Some(growth) => (cell(&growth.figures()), growth.power()),
            None => (result.tidewall.to_string(), String::new()),
        };
        let note = result.remark().map(|note| format!("; {}", cell(note))).unwrap_or_default();
        // It can't fail in memory.
        let _ = writeln!(text, "| `{}`, {}{note} | {figures} | {power} |", result.name, cell(&result.unit));
    }
    text
}

/// The machine, what was measured, when, and what took part.
fn ran_on(report: &Report) -> String {
    cell(&report.ran_on()) + "."
}

/// Text within a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::growth::Growth;
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
                "| result | Tidewall | rounds | beside it | article | asked |",
                "|---|---|---|---|---|---|",
                "| `queue/end-to-end`, jobs/s, higher is better | 37000 | 35000 to 39000 | \
                 graphile-worker 0.18.0 18000<br>limit 74000<br>node pg 8.x – (there is no node) |  | at least 1.5 times the best of \
                 graphile-worker, graphile_worker, pg-boss: 2.056 times graphile-worker 0.18.0, reached |",
                "| `queue/cost`, ms, lower is better | 2.5 | 2.5 to 2.5 |  | 6 |  |",
            ]
        );
    }

    #[test]
    fn what_grows_stands_in_a_table_of_its_own() {
        let mut report = report();
        let growth = Growth::new("rows", &[(10.0, 1.0), (1_000.0, 10.0)]).unwrap();
        let result = report.results.pop().unwrap();
        report.results.push(Measurement { article: None, ..result }.growth(growth).note("simulated"));
        assert_eq!(
            growths(&report),
            "2 CPUs; commit 0123456789ab, 2026-11-30; PostgreSQL 18.1.\n\n\
             | result | figure | grows as the power |\n|---|---|---|\n\
             | `queue/end-to-end`, jobs/s | 37000 |  |\n\
             | `queue/cost`, ms; simulated | 1 at 10, 10 at 1000 rows | 0.50 |\n"
        );
        let row = markdown(&[report]);
        assert!(
            row.ends_with("| 1 at 10, 10 at 1000 rows: as the power 0.50<br>simulated |  |  |\n"),
            "{row}"
        );
    }

    #[test]
    fn what_a_peer_says_breaks_no_table() {
        assert_eq!(cell("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
