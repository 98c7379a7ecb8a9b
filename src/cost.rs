//! `tidewall cost`: what a month costs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidewall_api::advice::{Bill, Prices, STAGES, Tool, Usage, bill};

use crate::cli::CostArgs;
use crate::failure::{Failure, IoContext};
use crate::progress::Progress;

/// All that is said.
#[derive(Serialize)]
struct Answer {
    usage: Usage,
    /// With the tools.
    bill: Bill,
    /// Without any.
    without: Bill,
    prices: Prices,
}

/// Reckons, and prints.
///
/// # Errors
/// A file can't be read, or isn't what it should be.
pub(crate) fn run(args: &CostArgs, progress: &Progress) -> Result<(), Failure> {
    if args.prices_json {
        progress.result(Prices::text().trim_end());
        return Ok(());
    }
    let prices = args.prices.as_deref().map(read).transpose()?.unwrap_or_else(Prices::own);
    let usage: Usage = args.usage.as_deref().map(read).transpose()?.unwrap_or_default();
    let usage = Usage { users: args.users as f64, ..usage };
    if let Some(why) = usage.refused() {
        return Err(Failure::new(format!("--usage can't be used: {why}")));
    }
    let tools = args.tools.clone().unwrap_or_else(|| of_stage(usage.users));
    let tools: BTreeSet<_> = tools.into_iter().collect();
    let (bill, without) = (bill(&usage, &tools, &prices), bill(&usage, &BTreeSet::new(), &prices));
    let answer = Answer { usage, bill, without, prices };
    if args.json {
        let json = serde_json::to_string_pretty(&answer)
            .map_err(|error| Failure::new(format!("cannot write it as JSON: {error}")))?;
        progress.result(&json);
    } else {
        progress.result(&table(&answer));
    }
    Ok(())
}

/// What the article adds up to the stage of so many users.
fn of_stage(users: f64) -> Vec<Tool> {
    let reached = STAGES.iter().filter(|stage| users >= f64::from(stage.from));
    reached.flat_map(|stage| stage.adds).copied().collect()
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let text = fs::read_to_string(file).or_fail("read", file)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{} can't be used: {error}", file.display())))
}

fn table(answer: &Answer) -> String {
    let Answer { usage, bill, without, prices } = answer;
    let names: Vec<_> = bill.tools.iter().map(|tool| tool.as_str()).collect();
    let names = if names.is_empty() { "none of the seven tools".to_owned() } else { names.join(", ") };
    let mut lines = vec![
        format!("{:.0} users a month (stage {}), with {names}:", usage.users, bill.stage),
        String::new(),
    ];
    for line in &bill.lines {
        lines.push(format!("  ${:>10.2}  {}: {:.2} {}", line.month, line.what, line.amount, line.unit));
    }
    lines.push(format!(
        "  ${:>10.2}  a month, ${:.2} for each thousand users",
        bill.month, bill.thousand_users
    ));
    lines.extend(bill.short.iter().map(|short| format!("\n  {short}")));
    lines.push(String::new());
    lines.push(format!("Without any of them: ${:.2} a month.", without.month));
    lines.extend(without.short.iter().map(|short| format!("  {short}")));
    lines.push(String::new());
    lines.push(format!("Prices: {}.", prices.as_of));
    lines.extend(prices.article.iter().map(|told| format!("The article: {} ${:.0}.", told.what, told.price)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_the_tools_of_those_before() {
        assert_eq!(of_stage(10.0), [Tool::Index]);
        assert_eq!(of_stage(1e6).len(), Tool::ALL.len());
    }
}
