//! Which values a statement's parameters are given when it is measured: those of rows that are
//! there, since statistics keep none of those that it really had.

use std::collections::BTreeMap;

use super::access::Access;
use super::condition::{Key, Operator, With};
use super::facts::{Name, Table};
use super::statement::Parsed;

/// Where the value of a parameter is taken from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// So many rows are wanted, or passed over.
    Count(u32),
    /// What one row has; parameters of one table have it of the same row.
    Row(Name, Key),
    /// What a few rows have, as an array.
    Rows(Name, Key),
    /// A value that this share of the rows has at most.
    Quantile(Name, Key, f64),
    /// So long ago as a value of which this share of the rows have less.
    Age(Name, Key, f64),
    /// None: what a row is set to costs the same whatever it is.
    Null,
}

/// Rows that a statement asks for where it says how many by a parameter, and hasn't been counted.
const LIMIT: u32 = 20;
/// A range of whose size nothing is known has this share of the rows.
const RANGE_SHARE: f64 = 0.02;

/// A source for each parameter of `parsed`, the first is `$1`. `rows`: that it gave when it was
/// counted, on the average. `Err`: a parameter of which nothing is known.
pub(super) fn sources(
    parsed: &Parsed,
    accesses: &[Access],
    tables: &BTreeMap<Name, Table>,
    rows: Option<f64>,
) -> Result<Vec<Source>, u32> {
    (1..=parsed.parameters)
        .map(|number| {
            if let Some(place) = parsed.limits.iter().position(|limit| *limit == number) {
                let wanted = rows.map_or(LIMIT, |rows| rows.ceil().max(1.0) as u32);
                return Ok(Source::Count(if place == 0 { wanted } else { 0 }));
            }
            let found = accesses.iter().find_map(|access| {
                let conditions = access.conditions.iter().chain(&access.joins);
                let own = conditions.clone().find(|condition| {
                    condition.parameters.contains(&number)
                        && matches!(condition.with, With::Parameter | With::Ago)
                })?;
                Some((access, own))
            });
            match found {
                Some((access, condition)) => {
                    let (table, key) = (access.table.clone(), condition.key.clone());
                    Ok(match condition.operator {
                        // A list of several parameters has one value each.
                        Operator::In if condition.parameters.len() == 1 => Source::Rows(table, key),
                        Operator::From | Operator::UpTo => {
                            let share = range_share(access, tables.get(&access.table), rows);
                            let place = quantile(access, &key, condition.operator, share);
                            match condition.with {
                                With::Ago => Source::Age(table, key, place),
                                _ => Source::Quantile(table, key, place),
                            }
                        }
                        _ if condition.with == With::Ago => return Err(number),
                        _ => Source::Row(table, key),
                    })
                }
                None if parsed.is_write => Ok(Source::Null),
                None => Err(number),
            }
        })
        .collect()
}

/// The share of the rows in a range, by the rows that the statement gave.
fn range_share(access: &Access, table: Option<&Table>, rows: Option<f64>) -> f64 {
    let Some((table, rows)) = table.zip(rows).filter(|_| !access.is_limited && !access.is_aggregated) else {
        return RANGE_SHARE;
    };
    let equal: f64 = access.equal().into_iter().filter_map(|key| table.share_of_one(key)).product();
    let among = table.rows * equal;
    if among < 1.0 || rows < 1.0 { RANGE_SHARE } else { (rows / among).clamp(1e-4, 0.9) }
}

/// Where a bound lies, as a share of the rows, so that `share` of them are in the range.
fn quantile(access: &Access, key: &Key, operator: Operator, share: f64) -> f64 {
    let has = |wanted| {
        access.conditions.iter().any(|condition| condition.key == *key && condition.operator == wanted)
    };
    match (operator, has(Operator::From) && has(Operator::UpTo)) {
        // In the middle: neither what is rare by being the first nor what is by being new.
        (Operator::From, true) => (0.5 - share / 2.0).max(0.0),
        (_, true) => (0.5 + share / 2.0).min(1.0),
        (Operator::From, false) => 1.0 - share,
        (_, false) => share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::condition;
    use crate::index::statement;

    fn access(table: &str, conditions: &str, is_limited: bool) -> Access {
        Access {
            table: ("public".to_owned(), table.to_owned()),
            conditions: condition::read(conditions),
            joins: Vec::new(),
            order: Vec::new(),
            is_limited,
            is_aggregated: false,
            columns: [].into(),
            index: None,
        }
    }

    fn check(sql: &str, conditions: &str, expected: Result<&[&str], u32>) {
        let parsed = statement::read(sql).unwrap();
        let sources = sources(&parsed, &[access("orders", conditions, false)], &BTreeMap::new(), None);
        let shown = sources.map(|sources| {
            let each = sources.iter().map(|source| match source {
                Source::Count(count) => count.to_string(),
                Source::Row(_, Key::Column(name)) => name.clone(),
                Source::Rows(_, Key::Column(name)) => format!("{name}[]"),
                Source::Quantile(_, Key::Column(name), share) => format!("{name} at {share:.2}"),
                Source::Age(_, Key::Column(name), share) => format!("{name} ago at {share:.2}"),
                other => format!("{other:?}"),
            });
            each.collect::<Vec<_>>()
        });
        assert_eq!(
            shown.as_deref().map_err(|number| *number),
            expected
                .map(|all| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
                .as_deref()
                .map_err(|number| *number),
            "{sql}"
        );
    }

    #[test]
    fn a_parameter_has_the_value_of_what_it_is_compared_with() {
        check(
            "SELECT * FROM orders WHERE user_id = $1 ORDER BY id LIMIT $2 OFFSET $3",
            "(orders.user_id = $1)",
            Ok(&["user_id", "20", "0"]),
        );
        check("SELECT * FROM orders WHERE id = ANY ($1)", "(orders.id = ANY ($1))", Ok(&["id[]"]));
        check(
            "SELECT * FROM orders WHERE id IN ($1, $2)",
            "(orders.id = ANY (ARRAY[$1, $2]))",
            Ok(&["id", "id"]),
        );
    }

    #[test]
    fn a_range_is_at_the_end_that_it_is_open_to_or_in_the_middle() {
        check("SELECT * FROM orders WHERE at > $1", "(orders.at > $1)", Ok(&["at at 0.98"]));
        check("SELECT * FROM orders WHERE at < $1", "(orders.at < $1)", Ok(&["at at 0.02"]));
        check(
            "SELECT * FROM orders WHERE at >= $1 AND at < $2",
            "((orders.at >= $1) AND (orders.at < $2))",
            Ok(&["at at 0.49", "at at 0.51"]),
        );
        check(
            "SELECT * FROM orders WHERE at > now() - $1",
            "(orders.at > (now() - $1))",
            Ok(&["at ago at 0.98"]),
        );
    }

    #[test]
    fn what_a_row_is_set_to_is_nothing_and_of_a_read_everything_must_be_known() {
        check("UPDATE orders SET note = $1 WHERE id = $2", "(orders.id = $2)", Ok(&["Null", "id"]));
        check("SELECT total * $1 FROM orders WHERE id = $2", "(orders.id = $2)", Err(1));
    }
}
