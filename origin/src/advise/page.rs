//! What is said, as a page: one file, without scripts, in light and dark, and on paper.

use std::fmt::Write as _;

use tidewall_api::advice::{Advice, Report, Verdict};

use super::text::{cost_text, figure_text, score_text};

const STYLE: &str = "
:root{color-scheme:light dark;--line:#d8dde3;--soft:#5b6672;--now:#b3261e;--place:#1b6e3c;--yet:#335c9c}
@media(prefers-color-scheme:dark){:root{--line:#3a424b;--soft:#a3adb8;--now:#ff8a80;--place:#7bd69b;--yet:#9dbfff}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:0 0 .25rem}
section{border-top:1px solid var(--line);padding:1rem 0}
.verdict{font-weight:600}.add_now{color:var(--now)}.in_place{color:var(--place)}.not_yet{color:var(--yet)}
.unknown,dt,.soft{color:var(--soft)}dl{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.15rem 1rem;margin:.5rem 0}
dd{margin:0;overflow-wrap:anywhere}ul{margin:0;padding-left:1.1rem}code{font-size:.9em}
@media(max-width:36rem){dl{display:block}dd{margin-bottom:.5rem}}
@media print{section{break-inside:avoid}body{margin:0}}";

/// The whole page. `at`: when that was.
pub fn page(report: &Report, at: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Which tools now</title>\n<style>{STYLE}</style>\n\
         <main>\n<h1>Which tools now, which not yet</h1>\n<p class=\"soft\">{}</p>\n\
         <p>Stage {}: {}.</p>\n",
        escaped(at),
        report.stage,
        escaped(&report.stage_reason),
    );
    if let Some(primary) = &report.primary {
        let _ = writeln!(page, "<p>The primary: {}.</p>", escaped(&primary.describe()));
    }
    if let Some(next) = &report.next {
        let rate = next.rate.map(|rate| format!(" ({rate} {})", next.unit)).unwrap_or_default();
        let _ = writeln!(
            page,
            "<p>Next comes the {}, at {} times today's load{}.</p>",
            next.tool.as_str(),
            next.times,
            escaped(&rate)
        );
    }
    for advice in &report.tools {
        section(&mut page, advice);
    }
    if !report.scores.is_empty() {
        let lines = report.scores.iter().map(score_text);
        list(&mut page, "What came of what was advised", lines);
    }
    if !report.unknown.is_empty() {
        list(&mut page, "What could not be learned", report.unknown.iter().cloned());
    }
    page.push_str("</main>\n</html>\n");
    page
}

fn section(page: &mut String, advice: &Advice) {
    let class = match advice.verdict {
        Verdict::AddNow => "add_now",
        Verdict::NotYet => "not_yet",
        Verdict::InPlace => "in_place",
        Verdict::Unknown => "unknown",
    };
    let _ = write!(
        page,
        "<section>\n<h2>{}: <span class=\"verdict {class}\">{}</span></h2>\n<p>{}.</p>\n<dl>\n",
        capital(advice.tool.as_str()),
        advice.verdict.as_str(),
        escaped(&capital(&advice.reason)),
    );
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{value}</dd>");
    };
    if !advice.evidence.is_empty() {
        let figures: String = advice
            .evidence
            .iter()
            .map(|figure| format!("<li>{}</li>", escaped(&figure_text(figure))))
            .collect();
        row("measured", &format!("<ul>{figures}</ul>"));
    }
    if advice.verdict != Verdict::InPlace {
        row("needed from", &escaped(&advice.threshold));
        row("who says so", &escaped(&advice.source));
    }
    if let Some(times) = advice.distance {
        row("distance", &format!("{times} times today's load"));
    }
    if let Some(effect) = &advice.effect {
        row(
            "expected",
            &escaped(&format!("{}: {} to {} {}", effect.what, effect.low, effect.high, effect.unit)),
        );
    }
    if advice.verdict != Verdict::InPlace {
        if let Some(cost) = advice.cost {
            row("price", &escaped(&cost_text(cost)));
        }
        row("how", &format!("<code>{}</code>", escaped(&advice.command)));
    }
    page.push_str("</dl>\n</section>\n");
}

fn list(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: String = lines.map(|line| format!("<li>{}</li>\n", escaped(&line))).collect();
    let _ = write!(page, "<section>\n<h2>{title}</h2>\n<ul>\n{lines}</ul>\n</section>\n");
}

/// As a sentence begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Text within HTML. Much of it was written by others: routes, statements, names.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use tidewall_api::advice::{Evidence, Prices, Route, Traffic, advise};

    use super::*;

    #[test]
    fn what_others_wrote_is_text_on_the_page() {
        let route = Route {
            method: "GET".to_owned(),
            path: "/<script>".to_owned(),
            requests: 100.0,
            p50_ms: Some(5.0),
            total_ms: Some(500.0),
            ..Route::default()
        };
        let traffic = Traffic { seconds: Some(10.0), clients: Some(5.0), routes: vec![route], unread: 0 };
        let evidence = Evidence { traffic: Some(traffic), ..Evidence::default() };
        let page = page(&advise(&evidence, &Prices::own()), "2026-01-01");
        assert!(page.contains("/&lt;script&gt;") && !page.contains("<script"), "{page}");
    }
}
