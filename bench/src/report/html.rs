//! Results as a page: one file, without scripts, in light and dark, and on paper. Each result has a
//! bar for every figure, and a line where it was looked at how it grows.

use std::fmt::Write as _;

use super::growth::Growth;
use super::{Measurement, Report, goal};

const STYLE: &str = "
:root{color-scheme:light dark;--line:#d8dde3;--soft:#5b6672;--own:#1f6f8b;--peer:#9aa7b4;--limit:#c9a227;--article:#b3602b}
@media(prefers-color-scheme:dark){:root{--line:#3a424b;--soft:#a3adb8;--own:#6cc4de;--peer:#6d7985;--limit:#e0c25a;--article:#e09a66}}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 0}h3{font-size:1rem;margin:1.5rem 0 .25rem}
.soft,.why{color:var(--soft)}table{border-collapse:collapse;inline-size:100%}
th,td{padding:.15rem .5rem .15rem 0;text-align:start;font-weight:400;vertical-align:baseline}
td.figure{text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}td.bar{inline-size:50%}
.bar span{display:block;block-size:.8rem;min-inline-size:1px;border-radius:.15rem;background:var(--peer)}
.own .bar span{background:var(--own)}.limit .bar span{background:var(--limit)}.article .bar span{background:var(--article)}
.own th,.own td{font-weight:600}svg{max-inline-size:30rem;block-size:auto}polyline{fill:none;stroke:var(--own);stroke-width:2}
circle{fill:var(--own)}svg text{fill:var(--soft);font-size:11px}
@media(max-width:40rem){td.bar{display:none}}@media print{section{break-inside:avoid}body{margin:0}}";

/// All that is kept, each bench with what it ran on.
pub fn html(reports: &[Report]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>What was measured</title>\n<style>{STYLE}</style>\n<main>\n<h1>What was measured</h1>\n\
         <p>Each figure is the median of the rounds. Peers ran in the same run, in turn.</p>\n"
    );
    for report in reports {
        let name = report.results.first().map_or("nothing", Measurement::bench);
        let (name, ran_on) = (escaped(name), escaped(&report.ran_on()));
        // It can't fail in memory.
        let _ = writeln!(page, "<h2>{name}</h2>\n<p class=\"soft\">{ran_on}</p>");
        for result in &report.results {
            section(&mut page, result);
        }
    }
    page.push_str("</main>\n</html>\n");
    page
}

fn section(page: &mut String, result: &Measurement) {
    let [least, greatest] = result.spread;
    let mut rows = vec![("own", "Tidewall", result.tidewall, format!("{least} to {greatest}"))];
    rows.extend(result.peers.iter().map(|(name, figure)| ("peer", name.as_str(), *figure, String::new())));
    rows.extend(result.limit.map(|figure| ("limit", "limit", figure, String::new())));
    let note = result.note.as_deref().unwrap_or_default();
    rows.extend(result.article.map(|figure| ("article", "article", figure, note.to_owned())));
    let most = rows.iter().map(|row| row.2.value()).fold(0.0, f64::max);
    let _ = writeln!(
        page,
        "<section>\n<h3>{}</h3>\n<p class=\"soft\">{}, {} is better{}</p>\n<table>",
        escaped(&result.name),
        escaped(&result.unit),
        result.better.as_str(),
        result.remark().map(|note| format!("; {}", escaped(note))).unwrap_or_default(),
    );
    for (class, name, figure, remark) in rows {
        let percent = if most > 0.0 { (figure.value() / most * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        let _ = writeln!(
            page,
            "<tr class=\"{class}\"><th scope=\"row\">{}</th><td class=\"figure\">{figure}</td>\
             <td class=\"bar\"><span style=\"inline-size:{percent:.1}%\"></span></td><td class=\"why\">{}</td></tr>",
            escaped(name),
            escaped(&remark),
        );
    }
    for (name, why) in &result.missing {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"figure\">–</td><td></td><td class=\"why\">{}</td></tr>",
            escaped(name),
            escaped(why),
        );
    }
    page.push_str("</table>\n");
    if let Some(asked) = goal::judge(result) {
        let _ = writeln!(page, "<p class=\"soft\">Asked: {}</p>", escaped(&asked));
    }
    if let Some(growth) = &result.growth {
        let _ = writeln!(page, "{}\n<p class=\"soft\">{}</p>", line(growth), escaped(&growth.text()));
    }
    page.push_str("</section>\n");
}

/// Width of a line's picture.
const WIDTH: f64 = 480.0;
/// Its height.
const HEIGHT: f64 = 160.0;
/// Room around the line, for its labels.
const MARGIN: f64 = 24.0;

/// The points of a growth, on scales of powers of ten: what grows in step with the work is a diagonal.
fn line(growth: &Growth) -> String {
    let logs: Vec<[f64; 2]> =
        growth.points().iter().map(|point| point.map(|figure| figure.value().log10())).collect();
    let range = |of: usize| {
        let values = || logs.iter().map(|log| log[of]);
        (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max))
    };
    let ((least_work, most_work), (least_cost, most_cost)) = (range(0), range(1));
    // As many powers of ten on either scale, or the line would not say how steep the growth is.
    let decades = (most_work - least_work).max(most_cost - least_cost).max(1.0);
    let x = |log: f64| MARGIN + (log - least_work) / decades * (WIDTH - 2.0 * MARGIN);
    let y = |log: f64| HEIGHT - MARGIN - (log - least_cost) / decades * (HEIGHT - 2.0 * MARGIN);
    let mut points = String::new();
    let mut marks = String::new();
    for (log, [work, cost]) in logs.iter().zip(growth.points()) {
        let (x, y) = (x(log[0]), y(log[1]));
        let _ = write!(points, "{x:.1},{y:.1} ");
        let _ = write!(
            marks,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{cost}</text>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{work}</text>",
            y - 8.0,
            HEIGHT - 6.0,
        );
    }
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"by {}\"><polyline points=\"{}\"/>{marks}</svg>",
        escaped(growth.of()),
        points.trim_end(),
    )
}

/// Text within HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn the_longest_bar_is_the_greatest_figure() {
        let page = html(&[report()]);
        let bars: Vec<&str> = page
            .match_indices("inline-size:")
            .filter_map(|(at, found)| page[at + found.len()..].split_once("%\"").map(|(percent, _)| percent))
            .filter(|percent| percent.len() < 6)
            .collect();
        // Tidewall, a peer, the limit; Tidewall, the article.
        assert_eq!(bars, ["50.0", "24.3", "100.0", "41.7", "100.0"]);
    }

    #[test]
    fn what_grows_in_step_is_a_diagonal() {
        let growth = Growth::new("rows", &[(10.0, 1.0), (1_000.0, 100.0)]).unwrap();
        assert!(line(&growth).contains("points=\"24.0,136.0 456.0,24.0\""), "{}", line(&growth));
    }

    #[test]
    fn what_others_wrote_is_text() {
        let mut report = report();
        report.machine = "<script>".to_owned();
        assert!(!html(&[report]).contains("<script"));
    }
}
