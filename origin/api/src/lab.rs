//! The Lab: each of the tools off and on, on a running system of one's own machine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What of the system can be played with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lab {
    /// The origin that answers.
    pub origin: String,
    /// All origins.
    pub origins: Vec<LabOrigin>,
    /// Replicas.
    pub replicas: usize,
    /// Their replay can be held back: they are the system's own.
    pub lags: bool,
}

/// An origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabOrigin {
    /// Its name.
    pub id: String,
    /// Whether it runs.
    pub is_running: bool,
}

/// How a calculated answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Not at all.
    None,
    /// For ten seconds, whatever is written meanwhile.
    Ttl,
    /// Until what it is of is written.
    Event,
    /// The same, and the write's answer takes its place.
    WriteThrough,
}

impl Strategy {
    /// Its name in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ttl => "ttl",
            Self::Event => "event",
            Self::WriteThrough => "write-through",
        }
    }
}

/// An answer that takes a calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reckoned {
    /// What was asked for.
    pub number: u32,
    /// How often it was written.
    pub version: i64,
    /// What the calculation comes to, in cents.
    pub total_cents: i64,
}

/// Which server a read after a write goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFrom {
    /// Any replica, wherever it is.
    Eventual,
    /// The primary.
    Primary,
    /// A replica that has the write.
    Bookmark,
}

impl ReadFrom {
    /// Its name in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eventual => "eventual",
            Self::Primary => "primary",
            Self::Bookmark => "bookmark",
        }
    }
}

/// What became of a read after a write.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReadBack {
    /// It lacked what was written.
    pub is_stale: bool,
    /// The primary answered it.
    pub by_primary: bool,
    /// Milliseconds of the read alone.
    pub ms: f64,
}

/// How far replicas are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lag {
    /// Milliseconds; 0 ends it.
    pub milliseconds: u32,
}

/// Numbers that can be asked for.
pub const NUMBER_MAX: u32 = 2_000_000;

/// The most that they are.
pub const LAG_MS_MAX: u32 = 3_000;

/// How long a lag lasts after it was last asked for.
pub const LAG_LEASE_S: u32 = 15;

/// What a statement took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Took {
    /// Milliseconds, as the origin saw it.
    pub ms: f64,
}

/// How a statement was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Planned {
    /// Milliseconds in the server.
    pub ms: f64,
    /// The steps, the last one first.
    pub steps: Vec<Step>,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// How far below the last one.
    pub depth: usize,
    /// What it does: `Index Scan`.
    pub kind: String,
    /// On what: a table, an index.
    pub of: Option<String>,
    /// Rows that it gave.
    pub rows: f64,
    /// Rows that it read and threw away.
    pub removed: f64,
}

impl Planned {
    /// Of what `EXPLAIN (ANALYZE, FORMAT JSON)` says; `None`: that is something else.
    pub fn read(explained: &Value) -> Option<Self> {
        let ms = explained.pointer("/0/Execution Time")?.as_f64()?;
        let mut steps = Vec::new();
        add_steps(explained.pointer("/0/Plan")?, 0, &mut steps);
        Some(Self { ms, steps })
    }
}

fn add_steps(plan: &Value, depth: usize, steps: &mut Vec<Step>) {
    let text = |name| plan.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name| plan.get(name).and_then(Value::as_f64).unwrap_or_default();
    steps.push(Step {
        depth,
        kind: text("Node Type").unwrap_or_default(),
        of: text("Index Name").or_else(|| text("Relation Name")),
        rows: number("Actual Rows"),
        removed: number("Rows Removed by Filter"),
    });
    for child in plan.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        add_steps(child, depth + 1, steps);
    }
}

/// Work that somebody waits for, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Work {
    /// How long it takes.
    pub seconds: u32,
}

/// The longest work: less than a request may take.
pub const WORK_SECONDS_MAX: u32 = 25;

/// Which origin answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ping {
    /// Its name.
    pub origin: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_read_as_its_steps() {
        let explained = json!([{
            "Plan": {
                "Node Type": "Limit", "Actual Rows": 5,
                "Plans": [{
                    "Node Type": "Seq Scan", "Relation Name": "orders", "Actual Rows": 5.5, "Rows Removed by Filter": 99995,
                }],
            },
            "Execution Time": 12.5,
        }]);
        let step = |depth, kind: &str, of: Option<&str>, rows, removed| Step {
            depth,
            kind: kind.to_owned(),
            of: of.map(str::to_owned),
            rows,
            removed,
        };
        let planned = Planned::read(&explained).unwrap();
        assert_eq!(planned.ms, 12.5);
        assert_eq!(
            planned.steps,
            [step(0, "Limit", None, 5.0, 0.0), step(1, "Seq Scan", Some("orders"), 5.5, 99_995.0)]
        );
        assert_eq!(Planned::read(&json!([])), None);
    }
}
