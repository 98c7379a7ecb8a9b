//! Which indexes are worth a try for a workload, and which are not, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::access::Access;
use super::candidate::{Candidate, candidates};
use super::condition::{Key, Operator};
use super::facts::{Index, Name, Table};

/// A statement of the workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    /// What identifies it to people; never its literals.
    pub(super) name: String,
    /// How often it was counted.
    pub(super) calls: u64,
    /// How often it runs in a second.
    pub(super) rate: f64,
    /// Milliseconds that it takes.
    pub(super) mean_ms: f64,
    /// Rows that each call gave or changed, on the average.
    pub(super) rows: Option<f64>,
    pub(super) accesses: Vec<Access>,
}

impl Statement {
    /// Milliseconds that it takes of each second.
    pub(super) fn ms_per_second(&self) -> f64 {
        self.rate * self.mean_ms
    }
}

/// Why an index isn't worth a try.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rejection {
    /// Reading it all is as fast.
    Small { rows: f64 },
    /// So many of the rows are wanted that reading them one by one takes longer.
    Unselective { share: f64 },
    /// The statements that it could serve take next to no time together.
    Idle { ms_per_second: f64 },
}

/// What there is to try.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Considered {
    /// Candidates, with the places of the statements that each could serve.
    pub(super) worth: BTreeMap<Candidate, BTreeSet<usize>>,
    pub(super) rejected: BTreeMap<Candidate, Rejection>,
    /// Statements and tables of which too little is known.
    pub(super) unknown: Vec<(String, String)>,
}

/// With fewer rows a table is a few dozen pages.
const ROWS_MIN: f64 = 10_000.0;
/// A larger share of a table is read about as fast from end to end: its rows lie in nearly all pages,
/// and a page out of its turn costs up to four times as much (`random_page_cost`).
const SHARE_MAX: f64 = 0.1;
/// The share that a range leaves of which nothing is known: it is worth a try.
const RANGE_SHARE: f64 = 0.05;
/// Statements that were counted fewer times may have been somebody's experiment.
pub(super) const CALLS_MIN: u64 = 50;
/// Statements that take less of each second together are not what anybody waits for.
const MS_PER_SECOND_MIN: f64 = 0.05;
/// A statement that takes longer is worth it however rare it is.
const SLOW_MS: f64 = 50.0;

/// What to try for `statements` where `indexes` are there.
pub(super) fn consider(
    statements: &[Statement],
    tables: &BTreeMap<Name, Table>,
    indexes: &[Index],
) -> Considered {
    let mut considered = Considered::default();
    let uses = uses(statements);
    let mut time: BTreeMap<Candidate, (f64, f64)> = BTreeMap::new();
    let mut unanalyzed = BTreeSet::new();
    for (place, statement) in statements.iter().enumerate() {
        if statement.calls < CALLS_MIN {
            let why = format!("it was counted {} times; {CALLS_MIN} say something", statement.calls);
            considered.unknown.push((statement.name.clone(), why));
            continue;
        }
        for access in &statement.accesses {
            let Some(table) = tables.get(&access.table) else { continue };
            if table.rows < 0.0 {
                unanalyzed.insert(access.table.clone());
                continue;
            }
            for candidate in candidates(access, table, &uses) {
                if indexes.iter().any(|index| candidate.is_served_by(index)) {
                    continue;
                }
                let (total, slowest) = time.entry(candidate.clone()).or_default();
                *total += statement.ms_per_second();
                *slowest = slowest.max(statement.mean_ms);
                match rejection(&candidate, access, table, statement) {
                    // One statement that it serves is enough.
                    None => {
                        considered.rejected.remove(&candidate);
                        considered.worth.entry(candidate).or_default().insert(place);
                    }
                    Some(why) if !considered.worth.contains_key(&candidate) => {
                        considered.rejected.insert(candidate, why);
                    }
                    Some(_) => {}
                }
            }
        }
    }
    considered.unknown.extend(unanalyzed.into_iter().map(|(schema, table)| {
        (format!("{schema}.{table}"), "it was never analysed; run ANALYZE, and ask again".to_owned())
    }));
    let idle: Vec<_> = considered
        .worth
        .keys()
        .filter_map(|candidate| {
            let (total, slowest) = time.get(candidate).copied()?;
            (total < MS_PER_SECOND_MIN && slowest < SLOW_MS).then(|| (candidate.clone(), total))
        })
        .collect();
    for (candidate, ms_per_second) in idle {
        considered.worth.remove(&candidate);
        considered.rejected.insert(candidate, Rejection::Idle { ms_per_second });
    }
    considered
}

/// How much of each second is spent by statements that compare a key with one value.
fn uses(statements: &[Statement]) -> BTreeMap<(Name, Key), f64> {
    let mut uses = BTreeMap::new();
    for statement in statements {
        for access in &statement.accesses {
            for key in access.equal() {
                *uses.entry((access.table.clone(), key.clone())).or_default() += statement.ms_per_second();
            }
        }
    }
    uses
}

fn rejection(
    candidate: &Candidate,
    access: &Access,
    table: &Table,
    statement: &Statement,
) -> Option<Rejection> {
    if table.rows < ROWS_MIN {
        return Some(Rejection::Small { rows: table.rows });
    }
    // What it gave is known where it gives all that it finds.
    let gives_all = statement.accesses.len() == 1 && !access.is_limited && !access.is_aggregated;
    let given = statement.rows.filter(|_| gives_all).map(|rows| rows / table.rows);
    let share = share(candidate, access, table, given);
    // Whoever wants the first few in the index's own order reads no more than those.
    let is_first_few = access.is_limited && serves_order(candidate, access);
    (share > SHARE_MAX && !is_first_few && candidate.predicate.is_none())
        .then_some(Rejection::Unselective { share })
}

/// The share of the table's rows that is left by the candidate's keys, as the planner reckons:
/// conditions are independent of each other. `given`: the share that the statement gave.
fn share(candidate: &Candidate, access: &Access, table: &Table, given: Option<f64>) -> f64 {
    let mut share = 1.0;
    for ordered in &candidate.keys {
        let own = access.conditions.iter().filter(|condition| condition.key == ordered.key);
        let one = table.share_of_one(&ordered.key).unwrap_or(0.1);
        let operators: Vec<_> = own.map(|condition| condition.operator).collect();
        let joined = access.joins.iter().any(|join| join.key == ordered.key);
        if operators.contains(&Operator::Equal) || joined {
            share *= one;
        } else if operators.contains(&Operator::In) {
            // As the planner assumes of a list that it doesn't see.
            share *= (one * 10.0).min(1.0);
        } else if operators.contains(&Operator::IsNull) {
            let Key::Column(name) = &ordered.key else { return share };
            share *= table.columns.get(name).map_or(0.1, |column| column.null_share);
        } else if operators.iter().any(|operator| operator.is_range())
            || operators.contains(&Operator::Prefix)
        {
            return share * given.map_or(RANGE_SHARE, |given| (given / share).min(1.0));
        } else {
            return share;
        }
    }
    share
}

/// Whether the rows come in the order that is wanted: its keys follow those that have one value.
fn serves_order(candidate: &Candidate, access: &Access) -> bool {
    let equal = access.equal();
    let rest: Vec<_> = candidate.keys.iter().skip_while(|ordered| equal.contains(&ordered.key)).collect();
    let wanted: Vec<_> = access.order.iter().filter(|ordered| !equal.contains(&ordered.key)).collect();
    if wanted.is_empty() || rest.len() < wanted.len() {
        return false;
    }
    let same = rest.iter().zip(&wanted).all(|(own, wanted)| own == wanted);
    // An index can be read backwards.
    let turned = rest.iter().zip(&wanted).all(|(own, wanted)| {
        own.key == wanted.key && own.descending != wanted.descending && own.nulls_first != wanted.nulls_first
    });
    same || turned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::access::Ordered;
    use crate::index::condition::{Condition, With};
    use crate::index::facts::Column;

    fn column(distinct: f64) -> Column {
        Column {
            is_not_null: true,
            distinct: Some(distinct),
            null_share: 0.0,
            common: BTreeMap::new(),
            width: 8.0,
            has_language: false,
        }
    }

    fn table(rows: f64) -> Table {
        let columns =
            [("id", rows), ("user_id", rows / 20.0), ("status", 3.0), ("created_at", rows), ("email", rows)];
        Table {
            name: ("public".to_owned(), "orders".to_owned()),
            rows,
            bytes: rows * 100.0,
            columns: columns.map(|(name, distinct)| (name.to_owned(), column(distinct))).into(),
            inserts: Some(1.0),
            updates: Some(0.0),
            hot_updates: Some(0.0),
        }
    }

    fn equal(name: &str) -> Condition {
        Condition {
            relation: "o".to_owned(),
            key: Key::Column(name.to_owned()),
            operator: Operator::Equal,
            with: With::Parameter,
            parameters: vec![1],
        }
    }

    fn newest(name: &str) -> Ordered {
        Ordered { key: Key::Column(name.to_owned()), descending: true, nulls_first: true }
    }

    fn statement(conditions: Vec<Condition>, order: Vec<Ordered>) -> Statement {
        let columns = ["id", "user_id", "status", "created_at", "email", "note", "address"];
        let access = Access {
            table: ("public".to_owned(), "orders".to_owned()),
            conditions,
            joins: Vec::new(),
            is_limited: !order.is_empty(),
            is_aggregated: false,
            order,
            columns: columns.map(str::to_owned).into(),
            index: None,
        };
        Statement {
            name: "s".to_owned(),
            calls: 1_000,
            rate: 10.0,
            mean_ms: 100.0,
            rows: None,
            accesses: vec![access],
        }
    }

    fn check(rows: f64, statement: &Statement) -> (Vec<String>, Vec<String>) {
        let tables = [table(rows)].map(|table| (table.name.clone(), table)).into();
        let considered = consider(std::slice::from_ref(statement), &tables, &[]);
        let keys = |candidate: &Candidate| {
            let ddl = candidate.ddl();
            ddl[ddl.find('(').unwrap()..].to_owned()
        };
        (considered.worth.keys().map(keys).collect(), considered.rejected.keys().map(keys).collect())
    }

    #[test]
    fn a_users_newest_orders_want_the_user_first_and_the_time_behind() {
        let (worth, _) = check(1e6, &statement(vec![equal("user_id")], vec![newest("created_at")]));
        assert_eq!(worth, ["(user_id)", "(user_id, created_at DESC)"]);
    }

    #[test]
    fn the_newest_of_all_want_the_time_alone() {
        let (worth, rejected) = check(1e6, &statement(vec![], vec![newest("created_at")]));
        assert_eq!((worth, rejected), (vec!["(created_at DESC)".to_owned()], vec![]));
    }

    #[test]
    fn a_column_with_three_values_and_a_table_of_a_few_pages_want_none() {
        let (worth, rejected) = check(1e6, &statement(vec![equal("status")], vec![]));
        assert_eq!((worth, rejected), (vec![], vec!["(status)".to_owned()]));
        let (worth, rejected) = check(9_000.0, &statement(vec![equal("user_id")], vec![]));
        assert_eq!((worth, rejected), (vec![], vec!["(user_id)".to_owned()]));
    }

    #[test]
    fn what_is_called_and_is_unique_gets_an_index_that_keeps_it_so() {
        let statement = statement(vec![equal("email")], vec![]);
        let tables: BTreeMap<Name, Table> = [table(1e6)].map(|table| (table.name.clone(), table)).into();
        let considered = consider(&[statement], &tables, &[]);
        assert!(considered.worth.keys().any(|candidate| candidate.is_unique));
    }

    #[test]
    fn a_statement_that_was_counted_a_few_times_says_nothing() {
        let young = Statement { calls: 49, ..statement(vec![equal("user_id")], vec![]) };
        let tables = [table(1e6)].map(|table| (table.name.clone(), table)).into();
        let considered = consider(&[young], &tables, &[]);
        assert!(considered.worth.is_empty());
        assert_eq!(considered.unknown.len(), 1);
    }

    #[test]
    fn what_nobody_waits_for_is_left_as_it_is() {
        let idle = Statement { rate: 0.001, mean_ms: 2.0, ..statement(vec![equal("user_id")], vec![]) };
        let (worth, rejected) = check(1e6, &idle);
        assert_eq!((worth, rejected), (vec![], vec!["(user_id)".to_owned()]));
    }
}
