//! What a database says of itself.

use std::collections::BTreeMap;

use super::access::Ordered;
use super::condition::Key;

/// (schema, name)
pub(super) type Name = (String, String);

/// A column, with what `pg_stats` knows of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) is_not_null: bool,
    /// Different values. Unknown before the first ANALYZE.
    pub(super) distinct: Option<f64>,
    /// Share of the rows that have none.
    pub(super) null_share: f64,
    /// Share of the rows that have the most common values, by value.
    pub(super) common: BTreeMap<String, f64>,
    /// Bytes of a value.
    pub(super) width: f64,
    /// Its order is a language's, so a prefix is no range of it.
    pub(super) has_language: bool,
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub(super) name: Name,
    pub(super) rows: f64,
    pub(super) bytes: f64,
    pub(super) columns: BTreeMap<String, Column>,
    /// Rows inserted in a second. Unknown while statistics are too young.
    pub(super) inserts: Option<f64>,
    /// Rows updated in a second that wrote indexes.
    pub(super) updates: Option<f64>,
    /// Rows updated in a second that wrote none, as none of their columns is in one.
    pub(super) hot_updates: Option<f64>,
}

/// An index that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) table: Name,
    pub(super) is_btree: bool,
    /// Its access method, and what else two have to agree in to be the same.
    pub(super) kind: String,
    pub(super) keys: Vec<Ordered>,
    /// For each key its operator class and its collation.
    pub(super) order: Vec<String>,
    /// These are the ones that a key has if nothing is said.
    pub(super) is_usual: bool,
    pub(super) include: Vec<String>,
    pub(super) predicate: Option<String>,
    pub(super) is_valid: bool,
    /// Somebody builds it just now.
    pub(super) is_being_built: bool,
    /// It belongs to an index of a partitioned table.
    pub(super) is_part: bool,
    pub(super) is_unique: bool,
    /// Compares a key byte by byte.
    pub(super) is_pattern: bool,
    pub(super) need: Option<Need>,
    pub(super) bytes: f64,
    pub(super) entries: f64,
    /// Bytes that it would have if it were built anew.
    pub(super) bytes_anew: Option<f64>,
    /// Scans that were counted at all servers, and for how many days at least.
    pub(super) scans: Scans,
}

/// Columns of a table that refer to another one's: whoever deletes there looks here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ForeignKey {
    pub(super) table: Name,
    pub(super) columns: Vec<String>,
}

impl ForeignKey {
    /// Whether `index` leads to the rows that refer to one: its columns come first in it, in any order.
    pub(super) fn is_served_by(&self, index: &Index) -> bool {
        let first = index.keys.iter().take(self.columns.len());
        index.table == self.table
            && index.is_valid
            && index.is_btree
            && index.predicate.is_none()
            && index.keys.len() >= self.columns.len()
            && first
                .clone()
                .all(|ordered| matches!(&ordered.key, Key::Column(name) if self.columns.contains(name)))
    }
}

impl Index {
    /// Bytes that it would have if it were built anew on `table`. Unknown where it has expressions, or
    /// nobody has counted its entries.
    pub(super) fn bytes_anew_of(&self, table: &Table) -> Option<f64> {
        let mut width = 0.0;
        for ordered in &self.keys {
            let Key::Column(name) = &ordered.key else { return None };
            width += table.columns.get(name)?.width;
        }
        let width = width + table.width(&self.include);
        (self.is_btree && self.entries >= 1.0).then(|| entry_bytes(width) * self.entries)
    }
}

/// Bytes of an entry of a B-tree with so many bytes of values: a header of 8 bytes and a pointer of
/// 4, in pages that are filled to 90 %.
fn entry_bytes(width: f64) -> f64 {
    ((width / 8.0).ceil() * 8.0 + 12.0) / 0.9
}

/// How often an index was used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scans {
    /// So often, over so many days.
    Counted { scans: u64, days: f64 },
    /// A server can't be asked, or doesn't say since when it counts.
    Unknown,
}

/// What an index is there for besides being fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    PrimaryKey,
    Constraint,
    /// A unique index forbids what is there twice, whoever reads it.
    Unique,
    /// A foreign key of another table leads to it.
    Referenced,
    ReplicaIdentity,
    /// `CLUSTER` goes by it.
    Clustered,
}

impl Need {
    /// In words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PrimaryKey => "it is the primary key",
            Self::Constraint => "a constraint rests on it",
            Self::Unique => "it keeps values unique",
            Self::Referenced => "a foreign key leads to it",
            Self::ReplicaIdentity => "logical replication tells rows by it",
            Self::Clustered => "the table is clustered by it",
        }
    }
}

impl Table {
    /// Share of the rows that have one value of `key`.
    pub(super) fn share_of_one(&self, key: &Key) -> Option<f64> {
        match key {
            Key::Column(name) => {
                let column = self.columns.get(name)?;
                Some((1.0 - column.null_share) / column.distinct?.max(1.0))
            }
            // As the planner assumes of an expression without statistics.
            Key::Expression(_) => Some(0.005),
        }
    }

    /// Bytes of a row's values of these columns.
    pub(super) fn width<'a>(&self, columns: impl IntoIterator<Item = &'a String>) -> f64 {
        columns.into_iter().filter_map(|name| self.columns.get(name)).map(|column| column.width).sum()
    }
}
