//! What a look alone says of missing indexes: nothing is tried, so what is said is that a table is read
//! from end to end for few of its rows, often or for long.

use std::collections::BTreeMap;

use tidewall_api::advice::Missing;

use super::consider::{Statement, consider};
use super::facts::Name;
use super::plan::Node;
use super::read::{self, Counted};
use super::session::Session;
use super::{IndexError, statement, work};
use crate::db::redact;

/// A statement as it was counted.
pub(crate) struct Workload {
    pub(crate) text: String,
    pub(crate) calls: f64,
    /// Calls in a second, of late.
    pub(crate) rate: f64,
    pub(crate) mean_ms: f64,
    /// Rows that each call gave.
    pub(crate) rows: f64,
}

/// What a look at a workload comes to.
pub(crate) struct Found {
    /// Indexes that it lacks, by the time of what each could serve.
    pub(crate) missing: Vec<Missing>,
    /// Milliseconds in a second of all that they could serve, each statement once.
    pub(crate) indexable_ms: f64,
    /// Statements and tables that nothing can be said of, and why.
    pub(crate) unread: Vec<(String, String)>,
    /// Milliseconds in a second of such statements.
    pub(crate) unread_ms: f64,
}

/// Characters of a statement that is told.
const SHOWN: usize = 300;

/// Looks at what `workload` lacks.
pub(crate) async fn lacking(session: &Session, workload: Vec<Workload>) -> Result<Found, IndexError> {
    let known = read::read(session, &[]).await?;
    let times: BTreeMap<String, f64> =
        workload.iter().map(|one| (redact(&one.text, SHOWN), one.rate * one.mean_ms)).collect();
    let counted = workload.into_iter().map(|one| Counted {
        text: one.text,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        calls: one.calls as u64,
        rate: Some(one.rate),
        mean_ms: one.mean_ms,
        rows: one.rows,
    });
    let (works, mut unread) = work::read(session, counted.collect(), &known.tables).await;
    let statements: Vec<_> = works.iter().map(|work| work.statement.clone()).collect();
    let considered = consider(&statements, &known.tables, &known.indexes);
    // Those that were counted too few times are judged by their share.
    unread.extend(considered.unknown.into_iter().filter(|(name, _)| !times.contains_key(name)));
    let rate = |place: &usize| statements.get(*place).map_or(0.0, |statement| statement.rate);
    let mut lacking: Vec<(Missing, BTreeMap<usize, f64>)> = Vec::new();
    for (candidate, places) in considered.worth {
        // Milliseconds of a call that go to reading the table from end to end.
        let served: BTreeMap<usize, f64> = places
            .into_iter()
            .filter_map(|place| {
                let work = works.get(place)?;
                let share = share_of_reading(&work.plan, &candidate.table);
                if share > 0.0 && is_guess(&work.statement, &candidate.table) {
                    let why =
                        "how many rows its range takes isn't known by looking: `tidewall index` tries it";
                    unread.push((work.statement.name.clone(), why.to_owned()));
                    return None;
                }
                (share > 0.0).then_some((place, work.statement.mean_ms * share))
            })
            .collect();
        if served.is_empty() {
            continue;
        }
        let one = Missing {
            ddl: candidate.ddl(),
            ms_per_s: served.iter().map(|(place, ms)| rate(place) * ms).sum(),
            slowest_ms: served.values().copied().fold(0.0, f64::max),
        };
        lacking.push((one, served));
    }
    // Of several for the same statements one is told.
    lacking.sort_by(|(one, _), (other, _)| other.ms_per_s.total_cmp(&one.ms_per_s));
    let mut told: BTreeMap<usize, f64> = BTreeMap::new();
    lacking.retain(|(_, served)| {
        let is_new = served.keys().any(|place| !told.contains_key(place));
        for (place, ms) in served {
            let most = told.entry(*place).or_default();
            *most = most.max(*ms);
        }
        is_new
    });
    unread.sort();
    unread.dedup();
    let unread_ms = unread.iter().filter_map(|(name, _)| times.get(name)).sum();
    let indexable_ms = told.iter().map(|(place, ms)| rate(place) * ms).sum();
    Ok(Found { missing: lacking.into_iter().map(|(one, _)| one).collect(), indexable_ms, unread, unread_ms })
}

/// Whether nothing says how much of the table it reads: a range whose bounds are parameters, of rows that are
/// added up, so that their number isn't told either.
fn is_guess(statement: &Statement, table: &Name) -> bool {
    statement.accesses.iter().filter(|access| access.table == *table).any(|access| {
        let is_by_range_alone =
            access.equal().is_empty() && access.joins.is_empty() && !access.ranges().is_empty();
        is_by_range_alone && access.is_aggregated
    })
}

/// Of a plan's cost, the share that goes to reading a table from end to end.
fn share_of_reading(plan: &Node, table: &Name) -> f64 {
    let scans = plan.all().into_iter().filter(|node| {
        let of_table = node.relation.as_ref() == Some(&table.1) && node.schema.as_ref() == Some(&table.0);
        node.kind.ends_with("Seq Scan") && of_table
    });
    let cost = scans.map(|node| node.cost).fold(0.0, f64::max);
    if plan.cost > 0.0 { (cost / plan.cost).min(1.0) } else { 0.0 }
}

/// Functions that give something else each time, and do nothing.
const HARMLESS: [&str; 4] = ["random", "clock_timestamp", "gen_random_uuid", "uuid_generate_v4"];

/// Whether a statement calls a function that may do more than read.
pub(crate) async fn calls_volatile(session: &Session, text: &str) -> Result<bool, IndexError> {
    let Ok(parsed) = statement::read(&statement::preparable(text)) else { return Ok(false) };
    let functions: Vec<_> =
        parsed.functions.into_iter().filter(|name| !HARMLESS.contains(&name.as_str())).collect();
    Ok(!functions.is_empty() && !session.are_pure(&functions).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::index::plan::tests::scan;

    #[test]
    fn of_a_report_that_also_reads_a_small_table_little_is_that_tables() {
        let name = |table: &str| ("public".to_owned(), table.to_owned());
        let explained = json!([{"Plan": {
            "Node Type": "Aggregate", "Total Cost": 10_000.0, "Plans": [scan("o", &json!({"Total Cost": 500.0}))],
        }}]);
        let plan = Node::read(explained).unwrap();
        assert!((share_of_reading(&plan, &name("orders")) - 0.05).abs() < 1e-9);
        assert!(share_of_reading(&plan, &name("others")).abs() < 1e-9);
    }
}
