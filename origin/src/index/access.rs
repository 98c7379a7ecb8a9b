//! How a statement reaches the rows of each table that it reads, and what it wants of them.

use std::collections::BTreeSet;

use super::condition::{self, Condition, Key, Operator, With};
use super::plan::Node;

/// A key in the order of an index, or of a sort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ordered {
    pub(super) key: Key,
    pub(super) descending: bool,
    /// As the server has it by default: last ascending, first descending.
    pub(super) nulls_first: bool,
}

/// One table, as one statement reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Access {
    /// (schema, name)
    pub(super) table: (String, String),
    /// Conditions on its rows alone.
    pub(super) conditions: Vec<Condition>,
    /// Comparisons with other tables' rows. They serve if those come first, and are few.
    pub(super) joins: Vec<Condition>,
    /// The order in which its rows are wanted.
    pub(super) order: Vec<Ordered>,
    /// Only the first rows in that order are wanted.
    pub(super) is_limited: bool,
    /// They are counted or put together with others above.
    pub(super) is_aggregated: bool,
    /// Columns that are read of it.
    pub(super) columns: BTreeSet<String>,
    /// The index by which it is read now.
    pub(super) index: Option<String>,
}

/// What lies above a step of a plan.
#[derive(Clone, Default)]
struct Above {
    order: Vec<(String, Ordered)>,
    is_limited: bool,
    is_aggregated: bool,
    joins: Vec<Condition>,
    /// Columns that are asked for above, where a scan gives all that a row has.
    needed: Option<BTreeSet<(Option<String>, String)>>,
}

/// How `plan` reads its tables.
pub(super) fn accesses(plan: &Node) -> Vec<Access> {
    let mut accesses = Vec::new();
    walk(plan, &Above::default(), &mut accesses);
    accesses
}

fn walk(node: &Node, above: &Above, accesses: &mut Vec<Access>) {
    if node.is_scan() {
        accesses.extend(access(node, above));
    }
    let mut below = above.clone();
    match node.kind.as_str() {
        "Limit" => below.is_limited = true,
        "Sort" | "Incremental Sort" => below.order = ordered(&node.sort_keys),
        // All rows are read whatever comes first.
        "Aggregate" | "HashAggregate" | "GroupAggregate" | "WindowAgg" | "Unique" => {
            below.is_limited = false;
            below.is_aggregated = true;
            let texts = node.output.iter().chain(&node.group_keys).chain(&node.sort_keys);
            below.needed = Some(texts.flat_map(|text| condition::columns_of(text)).collect());
            below.order = ordered(&node.group_keys);
        }
        "Hash" | "Materialize" | "Memoize" => {
            below.is_limited = false;
            below.order = Vec::new();
        }
        _ => {}
    }
    let joins = [&node.hash_condition, &node.merge_condition, &node.join_filter].into_iter().flatten();
    if let Some(needed) = &mut below.needed {
        needed.extend(joins.clone().flat_map(|text| condition::columns_of(text)));
    }
    below.joins.extend(
        joins.flat_map(|text| condition::read(text)).filter(|join| matches!(join.with, With::Other(..))),
    );
    for plan in &node.plans {
        walk(plan, &below, accesses);
    }
}

fn access(node: &Node, above: &Above) -> Option<Access> {
    let name = node.relation.clone()?;
    let alias = node.alias.clone().unwrap_or_else(|| name.clone());
    let own = [&node.index_condition, &node.recheck_condition, &node.filter].into_iter().flatten();
    let own = own.flat_map(|text| condition::read(text)).filter(|condition| condition.relation == alias);
    let above_it = above.joins.iter().filter(|join| join.relation == alias).cloned();
    let (mut joins, mut conditions): (Vec<_>, Vec<_>) =
        own.chain(above_it).partition(|condition| matches!(condition.with, With::Other(..)));
    joins.sort();
    joins.dedup();
    conditions.sort();
    conditions.dedup();
    // An order over several tables is no table's.
    let order = match above.order.iter().all(|(relation, _)| *relation == alias) {
        true => above.order.iter().map(|(_, key)| key.clone()).collect(),
        false => Vec::new(),
    };
    let prefix = format!("{alias}.");
    let needed = above.needed.iter().flatten();
    let needed = needed
        .filter(|(relation, _)| relation.as_ref().is_none_or(|relation| *relation == alias))
        .map(|(_, column)| column.clone());
    let columns = node.output.iter().filter_map(|output| {
        let column = output.strip_prefix(&prefix).unwrap_or(output);
        column.chars().all(|letter| letter.is_alphanumeric() || letter == '_').then(|| column.to_owned())
    });
    Some(Access {
        table: (node.schema.clone().unwrap_or_else(|| "public".to_owned()), name),
        is_limited: above.is_limited,
        is_aggregated: above.is_aggregated,
        columns: if above.needed.is_some() { needed.collect() } else { columns.collect() },
        index: node.index.clone().or_else(|| node.plans.iter().find_map(|below| below.index.clone())),
        conditions,
        joins,
        order,
    })
}

/// Sort keys, as a plan writes them.
fn ordered(keys: &[String]) -> Vec<(String, Ordered)> {
    let read: Option<Vec<_>> = keys
        .iter()
        .map(|text| {
            let (text, nulls_first) = match text.strip_suffix(" NULLS FIRST") {
                Some(text) => (text, Some(true)),
                None => match text.strip_suffix(" NULLS LAST") {
                    Some(text) => (text, Some(false)),
                    None => (text.as_str(), None),
                },
            };
            let (text, descending) = match text.strip_suffix(" DESC") {
                Some(text) => (text, true),
                None => (text, false),
            };
            let (relation, key) = condition::read_key(text)?;
            Some((relation, Ordered { key, descending, nulls_first: nulls_first.unwrap_or(descending) }))
        })
        .collect();
    // An index has the whole order or none of it.
    read.unwrap_or_default()
}

impl Access {
    /// Keys that are compared with one value, or a few.
    pub(super) fn equal(&self) -> BTreeSet<&Key> {
        let equal = self.conditions.iter().filter(|condition| {
            matches!(condition.operator, Operator::Equal | Operator::In | Operator::IsNull)
        });
        equal.map(|condition| &condition.key).collect()
    }

    /// Keys that are compared with what follows each other in their order.
    pub(super) fn ranges(&self) -> BTreeSet<&Key> {
        let equal = self.equal();
        let ranges = self.conditions.iter().filter(|condition| condition.operator.is_range());
        ranges.map(|condition| &condition.key).filter(|key| !equal.contains(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::index::plan::tests::scan;

    fn of(plan: Value) -> Vec<Access> {
        accesses(&Node::read(json!([{ "Plan": plan }])).unwrap())
    }

    fn column(name: &str) -> Key {
        Key::Column(name.to_owned())
    }

    #[test]
    fn a_users_newest_orders_are_equal_in_one_column_and_ordered_by_another() {
        let access = &of(json!({"Node Type": "Limit", "Plans": [
            {"Node Type": "Sort", "Sort Key": ["o.created_at DESC"], "Plans": [
                scan("o", &json!({"Filter": "(o.user_id = $1)"})),
            ]},
        ]}))[0];
        assert_eq!(access.equal(), BTreeSet::from([&column("user_id")]));
        assert_eq!(
            access.order,
            [Ordered { key: column("created_at"), descending: true, nulls_first: true }]
        );
        assert!(access.is_limited);
        assert_eq!(access.columns, BTreeSet::from(["id".to_owned()]));
    }

    #[test]
    fn below_an_aggregate_all_rows_are_wanted() {
        let access = &of(json!({"Node Type": "Limit", "Plans": [
            {"Node Type": "Aggregate", "Plans": [scan("o", &json!({"Filter": "(o.total > $1)"}))]},
        ]}))[0];
        assert!(!access.is_limited);
        assert_eq!(access.ranges(), BTreeSet::from([&column("total")]));
    }

    #[test]
    fn of_what_is_put_together_only_the_columns_that_it_takes_are_read() {
        for output in ["sum(o.total)", "sum(total)", "PARTIAL sum(o.total)"] {
            let access = &of(json!({
                "Node Type": "Aggregate", "Output": [output], "Plans": [
                    scan("o", &json!({"Output": ["o.id", "o.user_id", "o.total"]})),
                ],
            }))[0];
            assert_eq!(access.columns, BTreeSet::from(["total".to_owned()]), "{output}");
        }
    }

    #[test]
    fn a_join_is_told_of_both_its_tables_and_is_no_condition_of_one_alone() {
        let all = of(json!({"Node Type": "Hash Join", "Hash Cond": "(o.user_id = u.id)", "Plans": [
            scan("o", &json!({})),
            {"Node Type": "Hash", "Plans": [scan("u", &json!({"Relation Name": "users"}))]},
        ]}));
        let joins: Vec<_> = all.iter().map(|access| access.joins[0].key.clone()).collect();
        assert_eq!(joins, [column("user_id"), column("id")]);
        assert!(all.iter().all(|access| access.conditions.is_empty()));
    }

    #[test]
    fn an_order_over_two_tables_is_no_tables_own() {
        let all = of(json!({"Node Type": "Sort", "Sort Key": ["o.id", "u.id"], "Plans": [
            {"Node Type": "Nested Loop", "Plans": [scan("o", &json!({})), scan("u", &json!({}))]},
        ]}));
        assert!(all.iter().all(|access| access.order.is_empty()));
    }

    #[test]
    fn what_an_index_serves_already_counts_as_well() {
        let access = &of(json!({
            "Node Type": "Bitmap Heap Scan", "Relation Name": "orders", "Alias": "o", "Schema": "public",
            "Recheck Cond": "(o.user_id = $1)", "Filter": "(o.status = 'open'::text)",
            "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "by_user"}],
        }))[0];
        assert_eq!(access.equal(), BTreeSet::from([&column("status"), &column("user_id")]));
        assert_eq!(access.index.as_deref(), Some("by_user"));
    }

    proptest! {
        #[test]
        fn no_plan_whatever_makes_reading_panic(
            texts in prop::array::uniform5(
                "(o\\.a|b|[0-9]|\\$1|'x'|'|::text| = | < | AND | DESC| NULLS LAST|PARTIAL |\\(|\\)|\\.| |é){0,8}",
            ),
            kinds in prop::array::uniform3("(Limit|Sort|Aggregate|Hash|Gather|Seq Scan|ModifyTable|é)"),
        ) {
            let [filter, sort, group, output, join] = &texts;
            let [top, middle, below] = &kinds;
            let plan = json!([{"Plan": {
                "Node Type": top, "Sort Key": [sort], "Hash Cond": join, "Plans": [{
                    "Node Type": middle, "Group Key": [group, sort], "Output": [output], "Plans": [
                        scan("o", &json!({"Node Type": below, "Filter": filter, "Output": [output, "o.a"]})),
                    ],
                }],
            }}]);
            let plan = Node::read(plan).unwrap();
            prop_assert!(accesses(&plan).len() <= 1);
            prop_assert!(plan.shape().contains("orders"));
        }
    }
}
