//! Plans, as `EXPLAIN (VERBOSE, FORMAT JSON)` writes them.

use serde::Deserialize;
use serde_json::Value;

/// A step of a plan, as far as it matters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Node {
    #[serde(rename = "Node Type")]
    pub(super) kind: String,
    pub(super) schema: Option<String>,
    #[serde(rename = "Relation Name")]
    pub(super) relation: Option<String>,
    pub(super) alias: Option<String>,
    #[serde(rename = "Index Name")]
    pub(super) index: Option<String>,
    #[serde(rename = "Index Cond")]
    pub(super) index_condition: Option<String>,
    #[serde(rename = "Recheck Cond")]
    pub(super) recheck_condition: Option<String>,
    pub(super) filter: Option<String>,
    #[serde(rename = "Join Filter")]
    pub(super) join_filter: Option<String>,
    #[serde(rename = "Hash Cond")]
    pub(super) hash_condition: Option<String>,
    #[serde(rename = "Merge Cond")]
    pub(super) merge_condition: Option<String>,
    #[serde(rename = "Sort Key")]
    pub(super) sort_keys: Vec<String>,
    #[serde(rename = "Group Key")]
    pub(super) group_keys: Vec<String>,
    pub(super) output: Vec<String>,
    #[serde(rename = "Total Cost")]
    pub(super) cost: f64,
    #[serde(rename = "Actual Rows")]
    pub(super) actual_rows: Option<f64>,
    pub(super) plans: Vec<Node>,
}

impl Node {
    /// The top of what `EXPLAIN` answers. `None`: of an unknown shape.
    pub(super) fn read(mut explained: Value) -> Option<Self> {
        serde_json::from_value(explained.get_mut(0)?.get_mut("Plan")?.take()).ok()
    }

    /// It reads a table's rows.
    pub(super) fn is_scan(&self) -> bool {
        self.relation.is_some() && self.kind != "ModifyTable"
    }

    /// The tables that it changes: (schema, name).
    pub(super) fn changed(&self) -> Vec<(String, String)> {
        let changes = self.all().into_iter().filter(|node| node.kind == "ModifyTable");
        changes.filter_map(|node| Some((node.schema.clone()?, node.relation.clone()?))).collect()
    }

    /// Every table in it lies in `schema`.
    pub(super) fn is_within(&self, schema: &str) -> bool {
        self.all().into_iter().all(|node| node.relation.is_none() || node.schema.as_deref() == Some(schema))
    }

    /// This step and all below, from above.
    pub(super) fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.plans.iter().flat_map(Self::all));
        all
    }

    /// What it is made of: its steps with what they read and by which index, without figures.
    /// Plans of the same shape do the same.
    pub(super) fn shape(&self) -> String {
        // Whether several processes do it depends on how large the table is, and on who else is there.
        if let ("Gather" | "Gather Merge", [below]) = (self.kind.as_str(), self.plans.as_slice()) {
            return below.shape();
        }
        let mut text = self.kind.strip_prefix("Parallel ").unwrap_or(&self.kind).to_owned();
        for part in [&self.relation, &self.index].into_iter().flatten() {
            text.push(' ');
            text.push_str(part);
        }
        if !self.plans.is_empty() {
            let below: Vec<_> = self.plans.iter().map(Self::shape).collect();
            text.push_str(&format!("({})", below.join(", ")));
        }
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(in crate::index) fn scan(alias: &str, more: &Value) -> Value {
        let mut node = json!({
            "Node Type": "Seq Scan", "Schema": "public", "Relation Name": "orders", "Alias": alias,
            "Plan Rows": 20, "Total Cost": 1000.0, "Output": [format!("{alias}.id")],
        });
        for (name, value) in more.as_object().unwrap() {
            node[name] = value.clone();
        }
        node
    }

    #[test]
    fn a_plan_is_read_and_has_a_shape() {
        let explained = json!([{"Plan": {
            "Node Type": "Limit", "Plan Rows": 10, "Total Cost": 5.5,
            "Plans": [scan("o", &json!({"Filter": "(o.user_id = $1)"}))],
        }}]);
        let plan = Node::read(explained).unwrap();
        assert_eq!(plan.shape(), "Limit(Seq Scan orders)");
        assert_eq!(plan.all().len(), 2);
        assert_eq!(plan.plans[0].filter.as_deref(), Some("(o.user_id = $1)"));
        assert!(Node::read(json!({})).is_none());
    }

    proptest! {
        #[test]
        fn no_json_whatever_makes_reading_a_plan_panic(
            text in "(\\{|\\}|\\[|\\]|:|,|\"(Plan|Plans|Node Type|Total Cost|Sort Key|a)\"|null|-|[0-9]{1,9}){0,20}",
            name in "(Plan|Plans|Node Type|Total Cost|Sort Key|Filter|Output)",
        ) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = Node::read(json!([{"Plan": {"Node Type": "Sort", name: value.clone()}}]));
                let _ = Node::read(value);
            }
        }
    }
}
