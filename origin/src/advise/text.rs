//! What is said, for a terminal.

use std::fmt::Write as _;

use tidewall_api::advice::{Advice, Figure, Report, Score, Verdict};

/// In lines.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Stage {}: {}\n", report.stage, report.stage_reason);
    for advice in &report.tools {
        let _ =
            writeln!(text, "  {:<16} {:<9} {}", advice.tool.as_str(), advice.verdict.as_str(), advice.reason);
    }
    let told = report.tools.iter().filter(|advice| match advice.verdict {
        Verdict::AddNow | Verdict::NotYet => true,
        Verdict::InPlace => !advice.evidence.is_empty(),
        Verdict::Unknown => false,
    });
    for advice in told {
        tell(&mut text, advice);
    }
    if let Some(primary) = &report.primary {
        let _ = writeln!(text, "\nThe primary: {}.", primary.describe());
    }
    if let Some(next) = &report.next {
        let rate = next.rate.map(|rate| format!(", at {rate} {}", next.unit)).unwrap_or_default();
        let _ = writeln!(text, "\nNext: {}, at {} times today's load{rate}.", next.tool.as_str(), next.times);
    }
    for score in &report.scores {
        let _ = writeln!(text, "\n{}.", score_text(score));
    }
    for unknown in &report.unknown {
        let _ = writeln!(text, "\nUnknown: {unknown}");
    }
    text
}

fn tell(text: &mut String, advice: &Advice) {
    let _ = writeln!(text, "\n{}: {}", advice.tool.as_str(), advice.verdict.as_str());
    for figure in &advice.evidence {
        let _ = writeln!(text, "  {}", figure_text(figure));
    }
    if advice.verdict != Verdict::InPlace {
        let _ = writeln!(text, "  needed from: {}\n  who says so: {}", advice.threshold, advice.source);
    }
    if let Some(times) = advice.distance {
        let _ = writeln!(text, "  needed at {times} times today's load");
    }
    if advice.verdict == Verdict::AddNow {
        if let Some(effect) = &advice.effect {
            let _ = writeln!(
                text,
                "  expected: {}, {} to {} {}",
                effect.what, effect.low, effect.high, effect.unit
            );
        }
        if let Some(cost) = advice.cost {
            let _ = writeln!(text, "  {}", cost_text(cost));
        }
        let _ = writeln!(text, "  {}", advice.command);
    }
}

/// What came of an advice, in a sentence without its end.
pub(super) fn score_text(score: &Score) -> String {
    let Score { tool, advised_at, what, unit, before, after, forecast: [low, high], measured, came } = score;
    let (tool, came) = (tool.as_str(), came.as_str());
    format!(
        "{tool} was advised at {advised_at}: {what} {before} → {after} {unit}, {measured} % less, {came} ({low} to {high} % less)"
    )
}

/// `what: 5 ms`
pub(super) fn figure_text(figure: &Figure) -> String {
    format!("{}: {} {}", figure.what, figure.value, figure.unit)
}

/// From, to, or what is saved.
pub(super) fn cost_text([low, high]: [f64; 2]) -> String {
    match (low, high) {
        (low, high) if high < 0.0 => format!("saves ${:.0} to ${:.0} a month", -high, -low),
        (low, high) if (high - low).abs() < 1.0 => format!("costs ${high:.0} a month"),
        (low, high) if low < 0.0 => format!("saves up to ${:.0}, or costs up to ${high:.0} a month", -low),
        (low, high) => format!("costs ${low:.0} to ${high:.0} a month"),
    }
}

#[cfg(test)]
mod tests {
    use tidewall_api::advice::{Evidence, Prices, Tool, advise};

    use super::*;

    #[test]
    fn each_tool_has_a_line_whatever_is_known() {
        let text = text(&advise(&Evidence::default(), &Prices::own()));
        for tool in Tool::ALL {
            let line = text.lines().find(|line| line.trim_start().starts_with(tool.as_str())).unwrap();
            assert!(line.contains("unknown"), "{line}");
        }
    }

    #[test]
    fn a_cost_below_zero_is_told_as_saved() {
        for (cost, expected) in [
            ([-300.0, -100.0], "saves $100 to $300 a month"),
            ([-300.0, 5.0], "saves up to $300, or costs up to $5 a month"),
            ([5.0, 5.2], "costs $5 a month"),
            ([0.0, 70.08], "costs $0 to $70 a month"),
        ] {
            assert_eq!(cost_text(cost), expected);
        }
    }
}
