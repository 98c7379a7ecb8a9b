//! What was seen of the pages, beside what is asked of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::failure::{Failure, IoContext};

/// Least score of Lighthouse's for performance; all others are to be whole.
const PERFORMANCE_MIN: f64 = 0.95;
/// Longest time to the largest contentful paint, in milliseconds.
const LARGEST_PAINT_MAX_MS: f64 = 2_000.0;
/// Longest blocking time, in milliseconds.
const BLOCKING_MAX_MS: f64 = 100.0;
/// Longest time until the paint that follows an interaction, in milliseconds.
const INTERACTION_MAX_MS: f64 = 100.0;
/// Greatest layout shift that is none: what rounds to 0.00.
const LAYOUT_SHIFT_MAX: f64 = 0.005;

/// What was seen.
#[derive(Debug, Deserialize)]
pub(super) struct Audit {
    browser: String,
    pages: Vec<Seen>,
    /// Nothing where the Lab was not looked at by Lighthouse.
    under_load: Option<UnderLoad>,
}

/// How quickly the Lab's page answers people while a load runs on it.
#[derive(Debug, Deserialize)]
struct UnderLoad {
    /// Keys and buttons pressed.
    interactions: u32,
    /// The longest time until the frame after it is made.
    slowest_ms: f64,
    /// During the load of which experiment that was.
    slowest_of: String,
}

/// What was seen of a page.
#[derive(Debug, Deserialize)]
struct Seen {
    path: String,
    axe: Vec<Violation>,
    /// Nothing where only axe looked.
    lighthouse: Option<Scores>,
}

/// What axe found.
#[derive(Debug, Deserialize)]
struct Violation {
    reader: String,
    width: String,
    scheme: String,
    id: String,
    help: String,
    r#where: Vec<String>,
}

/// Lighthouse's scores, from 0 to 1, and figures.
#[derive(Debug, Deserialize)]
struct Scores {
    performance: f64,
    accessibility: f64,
    best_practices: f64,
    seo: f64,
    largest_contentful_paint_ms: f64,
    layout_shift: f64,
    blocking_ms: f64,
    bytes: f64,
    lacking: Vec<Lacking>,
}

/// What keeps a score from being whole.
#[derive(Debug, Deserialize)]
struct Lacking {
    id: String,
    title: String,
    r#where: Vec<String>,
}

impl Audit {
    /// Reads what was seen.
    ///
    /// # Errors
    /// It isn't there, or is something else.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let json = fs::read(path).or_fail("read", path)?;
        serde_json::from_slice(&json)
            .map_err(|error| Failure::new(format!("{} is no audit: {error}", path.display())))
    }

    /// The figures, as a table in Markdown.
    pub(super) fn table(&self) -> String {
        let mut table = String::from(
            "| page | performance | accessibility | best practices | SEO | largest paint | blocking | layout shift | sent | axe |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for Seen { path, axe, lighthouse } in &self.pages {
            let scores = match lighthouse {
                Some(scores) => {
                    let whole = |score: f64| format!("{:.0}", score * 100.0);
                    format!(
                        "{} | {} | {} | {} | {:.1} s | {:.0} ms | {:.2} | {:.0} kB",
                        whole(scores.performance),
                        whole(scores.accessibility),
                        whole(scores.best_practices),
                        whole(scores.seo),
                        scores.largest_contentful_paint_ms / 1_000.0,
                        scores.blocking_ms,
                        scores.layout_shift,
                        scores.bytes / 1_000.0,
                    )
                }
                None => ["–"; 8].join(" | "),
            };
            // It can't fail in memory.
            let _ = writeln!(table, "| `{path}` | {scores} | {} |", axe.len());
        }
        let _ = writeln!(
            table,
            "\nLighthouse's mobile profile (a slow phone on slow 4G, simulated) in {}; axe: violations, on a phone and a wide screen, light and dark, as a guest and as staff.",
            self.browser
        );
        if let Some(UnderLoad { interactions, slowest_ms, slowest_of }) = &self.under_load {
            let _ = writeln!(
                table,
                "\nWhile each load of the Lab ran in turn, {interactions} interactions with its page: the slowest was painted after {slowest_ms:.0} ms (`{slowest_of}`), on this machine as it is."
            );
        }
        table
    }

    /// What is not good enough, a line each.
    pub(super) fn missed(&self) -> Vec<String> {
        let slow = self.under_load.iter().filter(|load| load.slowest_ms > INTERACTION_MAX_MS);
        let slow = slow.map(|load| {
            format!(
                "/lab under load of {}: slowest interaction, ms {:.3}, {INTERACTION_MAX_MS} at most",
                load.slowest_of, load.slowest_ms
            )
        });
        self.pages.iter().flat_map(Seen::missed).chain(slow).collect()
    }
}

impl Seen {
    fn missed(&self) -> Vec<String> {
        let path = &self.path;
        let mut missed: Vec<String> = self.axe.iter().map(|violation| violation.line(path)).collect();
        let Some(scores) = &self.lighthouse else { return missed };
        let least = [
            ("performance", scores.performance, PERFORMANCE_MIN),
            ("accessibility", scores.accessibility, 1.0),
            ("best practices", scores.best_practices, 1.0),
            ("SEO", scores.seo, 1.0),
        ];
        for (what, score, min) in least.into_iter().filter(|(_, score, min)| score < min) {
            missed.push(format!("{path}: {what} {:.0}, {:.0} asked", score * 100.0, min * 100.0));
        }
        let most = [
            ("largest contentful paint, ms", scores.largest_contentful_paint_ms, LARGEST_PAINT_MAX_MS),
            ("layout shift", scores.layout_shift, LAYOUT_SHIFT_MAX),
            ("blocking time, ms", scores.blocking_ms, BLOCKING_MAX_MS),
        ];
        for (what, figure, max) in most.into_iter().filter(|(_, figure, max)| figure > max) {
            missed.push(format!("{path}: {what} {figure:.3}, {max} at most"));
        }
        for Lacking { id, title, r#where } in &scores.lacking {
            missed.push(format!("{path}: Lighthouse {id}: {title} {}", r#where.join(" · ")));
        }
        missed
    }
}

impl Violation {
    fn line(&self, path: &str) -> String {
        let Self { reader, width, scheme, id, help, r#where } = self;
        format!("{path}, {reader}, {width}, {scheme}: axe {id}: {help}: {}", r#where.join(" · "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn audit(change: impl FnOnce(&mut serde_json::Value)) -> Audit {
        let mut seen = json!({
            "browser": "Chrome/1",
            "pages": [{
                "path": "/lab",
                "axe": [],
                "lighthouse": {
                    "performance": 0.95, "accessibility": 1.0, "best_practices": 1.0, "seo": 1.0,
                    "largest_contentful_paint_ms": 1999.0, "layout_shift": 0.0, "blocking_ms": 99.0,
                    "bytes": 240_400.0, "lacking": [],
                },
            }],
            "under_load": { "interactions": 42, "slowest_ms": 100.0, "slowest_of": "cache" },
        });
        change(&mut seen);
        serde_json::from_value(seen).unwrap()
    }

    #[test]
    fn what_is_good_enough_is_not_missed() {
        let audit = audit(|_| ());
        assert_eq!(audit.missed(), Vec::<String>::new());
        let row = "| `/lab` | 95 | 100 | 100 | 100 | 2.0 s | 99 ms | 0.00 | 240 kB | 0 |";
        assert!(audit.table().contains(row), "{}", audit.table());
    }

    #[test]
    fn each_figure_can_be_missed() {
        for (figure, worse, said) in [
            ("performance", 0.94, "/lab: performance 94, 95 asked"),
            ("accessibility", 0.99, "/lab: accessibility 99, 100 asked"),
            ("best_practices", 0.9, "/lab: best practices 90, 100 asked"),
            ("seo", 0.9, "/lab: SEO 90, 100 asked"),
            (
                "largest_contentful_paint_ms",
                2_001.0,
                "/lab: largest contentful paint, ms 2001.000, 2000 at most",
            ),
            ("layout_shift", 0.01, "/lab: layout shift 0.010, 0.005 at most"),
            ("blocking_ms", 101.0, "/lab: blocking time, ms 101.000, 100 at most"),
        ] {
            let missed = audit(|seen| seen["pages"][0]["lighthouse"][figure] = json!(worse)).missed();
            assert_eq!(missed, [said]);
        }
        let missed = audit(|seen| seen["under_load"]["slowest_ms"] = json!(104)).missed();
        assert_eq!(missed, ["/lab under load of cache: slowest interaction, ms 104.000, 100 at most"]);
    }

    #[test]
    fn a_violation_is_told_with_its_place() {
        let violation = json!([{
            "reader": "guest", "width": "phone", "scheme": "dark", "id": "link-name",
            "help": "Links must have discernible text", "where": [".wordmark", ".x"],
        }]);
        let audit = audit(|seen| seen["pages"][0]["axe"] = violation);
        let said =
            "/lab, guest, phone, dark: axe link-name: Links must have discernible text: .wordmark · .x";
        assert_eq!(audit.missed(), [said]);
    }
}
