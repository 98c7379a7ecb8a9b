//! The statements of a workload, as far as they are understood.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Access, accesses};
use super::consider::Statement;
use super::facts::{Name, Table};
use super::plan::Node;
use super::read::Counted;
use super::session::Session;
use super::statement::{self, Parsed};
use super::values::{self, Source};
use crate::db::redact;

/// A statement with all that is known of it.
pub(super) struct Work {
    pub(super) statement: Statement,
    /// As it can be prepared.
    pub(super) text: String,
    pub(super) parsed: Parsed,
    /// As it is planned now, whatever its parameters are.
    pub(super) plan: Node,
    /// Where values for its parameters are taken from. `Err`: why it is planned and not run.
    pub(super) sources: Result<Vec<Source>, String>,
}

/// Characters of a statement that are shown.
const SHOWN: usize = 300;

/// Reads `counted`. The second: what isn't understood, and why.
pub(super) async fn read(
    session: &Session,
    counted: Vec<Counted>,
    tables: &BTreeMap<Name, Table>,
) -> (Vec<Work>, Vec<(String, String)>) {
    let mut works = Vec::new();
    let mut unknown = Vec::new();
    for counted in counted {
        let name = redact(&counted.text, SHOWN);
        match read_one(session, &name, &counted, tables).await {
            Ok(Some(work)) => works.push(work),
            // It is about no table of people.
            Ok(None) => {}
            Err(_) if !tables.keys().any(|(_, table)| statement::mentions(&counted.text, table)) => {}
            Err(why) => unknown.push((name, why)),
        }
    }
    (works, unknown)
}

async fn read_one(
    session: &Session,
    name: &str,
    counted: &Counted,
    tables: &BTreeMap<Name, Table>,
) -> Result<Option<Work>, String> {
    let text = statement::preparable(&counted.text);
    let parsed = match statement::read(&text) {
        Ok(parsed) => parsed,
        Err(statement::Unread::Other) => return Ok(None),
        Err(unread) => return Err(unread.as_str().to_owned()),
    };
    let plan = session.plan(&text, parsed.parameters).await.map_err(|refused| refused.describe())?;
    let accesses: Vec<Access> =
        accesses(&plan).into_iter().filter(|access| tables.contains_key(&access.table)).collect();
    if accesses.is_empty() {
        return Ok(None);
    }
    let rows = Some(counted.rows).filter(|rows| *rows > 0.0);
    let sources = values::sources(&parsed, &accesses, tables, rows)
        .map_err(|number| format!("what its ${number} stands for is not known"));
    let is_pure = session.are_pure(&parsed.functions).await.unwrap_or(false);
    let sources = match (parsed.is_plain, is_pure) {
        (true, true) => sources,
        (true, false) => {
            Err("it calls a function that does something, or something else each time".to_owned())
        }
        (false, _) => Err("it does more than read, or change the rows of one table".to_owned()),
    };
    let statement = Statement {
        name: name.to_owned(),
        calls: counted.calls,
        rate: counted.rate.unwrap_or_default(),
        mean_ms: counted.mean_ms,
        rows: Some(counted.rows).filter(|rows| *rows > 0.0),
        accesses,
    };
    Ok(Some(Work { statement, text, parsed, plan, sources }))
}

/// Columns that statements of the workload set, by table.
pub(super) fn set_columns(works: &[Work]) -> BTreeMap<Name, BTreeSet<String>> {
    let mut set: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
    for work in works.iter().filter(|work| !work.parsed.set.is_empty()) {
        for table in work.plan.changed() {
            set.entry(table).or_default().extend(work.parsed.set.iter().cloned());
        }
    }
    set
}
