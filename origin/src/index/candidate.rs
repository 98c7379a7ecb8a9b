//! Indexes that could serve a statement: equality first, then the order, then a range, since an
//! index is read in one piece only up to the first key that isn't compared with one value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::access::{Access, Ordered};
use super::condition::{Condition, Key, Operator, With, columns_of, normalized};
use super::facts::{Index, Name, Table};

/// An index that could be built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Candidate {
    pub(super) table: Name,
    pub(super) keys: Vec<Ordered>,
    /// Columns that are only carried along.
    pub(super) include: Vec<String>,
    /// Rows that it has; all if there is none.
    pub(super) predicate: Option<String>,
    pub(super) is_unique: bool,
    /// Compares its first key byte by byte, so that a prefix is a range.
    pub(super) is_pattern: bool,
}

/// Columns that an index carries along, at most; and their bytes in a row.
const INCLUDE_MAX: usize = 4;
const INCLUDE_WIDTH_MAX: f64 = 64.0;
/// Keys of an index: each more makes it larger, and few tell rows apart that those before don't.
const KEYS_MAX: usize = 4;
/// A predicate is worth it if it leaves out most rows.
const PARTIAL_SHARE_MAX: f64 = 0.2;

/// By which its names begin, so that what a build left behind is known as its own.
pub(super) const PREFIX: &str = "tidewall_";

/// Names of what there is one of.
const UNIQUE_NAMES: [&str; 9] =
    ["email", "slug", "sku", "token", "username", "login", "uuid", "handle", "external_id"];

/// The candidates for one way of reading `table`. `uses` says how much of the workload compares
/// each key with one value: those that serve most come first, so that others can share the index.
pub(super) fn candidates(
    access: &Access,
    table: &Table,
    uses: &BTreeMap<(Name, Key), f64>,
) -> BTreeSet<Candidate> {
    let mut found = BTreeSet::new();
    let mut equal: Vec<Key> = access.equal().into_iter().cloned().collect();
    let rank = |key: &Key| {
        let used = uses.get(&(access.table.clone(), key.clone())).copied().unwrap_or_default();
        let share = table.share_of_one(key).unwrap_or(1.0);
        (-used, share)
    };
    equal.sort_by(|one, other| {
        let (one, other) = (rank(one), rank(other));
        one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
    });
    equal.truncate(KEYS_MAX);
    let joins: BTreeSet<&Key> =
        access.joins.iter().filter(|join| join.operator == Operator::Equal).map(|join| &join.key).collect();

    let mut add = |keys: Vec<Ordered>, predicate: Option<String>| {
        let keys = without_repeats(keys);
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return;
        }
        let bare = Candidate {
            table: access.table.clone(),
            keys,
            include: Vec::new(),
            predicate: predicate.map(|text| normalized(&text)),
            is_unique: false,
            is_pattern: false,
        };
        found.extend(covering(&bare, access, table));
        found.insert(bare);
    };
    let begin = |keys: &[Key]| keys.iter().cloned().map(ascending).collect::<Vec<_>>();

    let variants = partial(access, table);
    for (without, predicate) in
        variants.iter().map(|(key, text)| (Some(key), Some(text))).chain([(None, None)])
    {
        let equal: Vec<Key> = equal.iter().filter(|key| Some(*key) != without).cloned().collect();
        let predicate = predicate.cloned();
        if !access.order.is_empty() && (access.is_limited || !equal.is_empty()) {
            add([begin(&equal), access.order.clone()].concat(), predicate.clone());
            for range in access.ranges() {
                let order = [begin(&equal), access.order.clone(), vec![ascending(range.clone())]];
                add(order.concat(), predicate.clone());
            }
        }
        for range in access.ranges() {
            add([begin(&equal), vec![ascending(range.clone())]].concat(), predicate.clone());
        }
        add(begin(&equal), predicate.clone());
        if predicate.is_some() && equal.is_empty() {
            // The rows are few: any key will do, and the primary key is the smallest.
            let any = access.columns.iter().next().map(|name| Key::Column(name.clone()));
            add(any.map(ascending).into_iter().collect(), predicate);
        }
    }
    for key in &equal {
        add(begin(std::slice::from_ref(key)), None);
    }
    for join in joins {
        add([begin(&equal), begin(std::slice::from_ref(join))].concat(), None);
        add(begin(std::slice::from_ref(join)), None);
        add([begin(std::slice::from_ref(join)), access.order.clone()].concat(), None);
    }
    for condition in access.conditions.iter().filter(|condition| condition.operator == Operator::Prefix) {
        let has_language = match &condition.key {
            Key::Column(name) => table.columns.get(name).is_some_and(|column| column.has_language),
            Key::Expression(_) => true,
        };
        found.insert(Candidate {
            table: access.table.clone(),
            keys: begin(std::slice::from_ref(&condition.key)),
            include: Vec::new(),
            predicate: None,
            is_unique: false,
            is_pattern: has_language,
        });
    }
    if let Some(unique) = unique(access, table) {
        found.insert(unique);
    }
    found
}

fn ascending(key: Key) -> Ordered {
    Ordered { key, descending: false, nulls_first: false }
}

fn without_repeats(keys: Vec<Ordered>) -> Vec<Ordered> {
    let mut seen = BTreeSet::new();
    keys.into_iter().filter(|ordered| seen.insert(ordered.key.clone())).collect()
}

/// The same index with the columns that are read besides, so that the table isn't.
fn covering(bare: &Candidate, access: &Access, table: &Table) -> Option<Candidate> {
    let keys: BTreeSet<_> = bare
        .keys
        .iter()
        .filter_map(|ordered| match &ordered.key {
            Key::Column(name) => Some(name.as_str()),
            Key::Expression(_) => None,
        })
        .collect();
    let conditions = access.conditions.iter().filter_map(|condition| match &condition.key {
        Key::Column(name) => Some(name.clone()),
        Key::Expression(_) => None,
    });
    let read: BTreeSet<String> = access.columns.iter().cloned().chain(conditions).collect();
    let include: Vec<String> = read.into_iter().filter(|name| !keys.contains(name.as_str())).collect();
    let fits = (1..=INCLUDE_MAX).contains(&include.len()) && table.width(&include) <= INCLUDE_WIDTH_MAX;
    fits.then(|| Candidate { include, ..bare.clone() })
}

/// Conditions that leave out most rows and name no parameter: an index of the rest alone is small.
fn partial(access: &Access, table: &Table) -> Vec<(Key, String)> {
    let worth = |condition: &&Condition| {
        let Key::Column(name) = &condition.key else { return false };
        let Some(column) = table.columns.get(name) else { return false };
        let share = |value: &str| column.common.get(value).copied();
        let share = match (condition.operator, &condition.with) {
            (Operator::IsNull, _) => Some(column.null_share),
            (Operator::IsNotNull, _) => Some(1.0 - column.null_share),
            (Operator::IsTrue, _) => Some(share("t").unwrap_or(0.0)),
            (Operator::IsFalse, _) => Some(share("f").unwrap_or(0.0)),
            (Operator::Equal, With::Constant(text)) => constant(text).and_then(share),
            _ => None,
        };
        share.is_some_and(|share| share <= PARTIAL_SHARE_MAX)
    };
    let text = |condition: &Condition| {
        let Key::Column(name) = &condition.key else { return String::new() };
        let name = quoted(name);
        match (condition.operator, &condition.with) {
            (Operator::IsNull, _) => format!("{name} IS NULL"),
            (Operator::IsNotNull, _) => format!("{name} IS NOT NULL"),
            (Operator::IsFalse, _) => format!("NOT {name}"),
            (Operator::Equal, With::Constant(value)) => format!("{name} = {value}"),
            _ => name,
        }
    };
    access.conditions.iter().filter(worth).map(|condition| (condition.key.clone(), text(condition))).collect()
}

/// The value of a literal such as `'open'::TEXT` or `5`.
fn constant(text: &str) -> Option<&str> {
    match text.strip_prefix('\'') {
        Some(rest) => rest.split_once('\'').map(|(value, _)| value),
        None => Some(text.split("::").next().unwrap_or(text)),
    }
}

/// An index that also keeps values unique, where data and name say that they are.
fn unique(access: &Access, table: &Table) -> Option<Candidate> {
    let equal = access.equal();
    let [Key::Column(name)] = equal.iter().collect::<Vec<_>>().as_slice() else { return None };
    let column = table.columns.get(name)?;
    let is_meant = UNIQUE_NAMES.iter().any(|meant| name == meant || name.ends_with(&format!("_{meant}")));
    let is_so = column.distinct? >= table.rows && column.is_not_null && table.rows > 0.0;
    (is_meant && is_so).then(|| Candidate {
        table: access.table.clone(),
        keys: vec![ascending(Key::Column(name.clone()))],
        include: Vec::new(),
        predicate: None,
        is_unique: true,
        is_pattern: false,
    })
}

impl Candidate {
    /// A name for it: what it is on, within what a name may be.
    pub(super) fn name(&self) -> String {
        let mut name = format!("{PREFIX}{}", self.table.1);
        for ordered in &self.keys {
            let part: String = match &ordered.key {
                Key::Column(column) => column.clone(),
                Key::Expression(text) => text.clone(),
            };
            let letters =
                part.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
            let part: String = letters.collect();
            let _ = write!(name, "_{}", part.trim_matches('_'));
        }
        // Names that differ only in what isn't in them must differ; 63 bytes is what a name may have.
        let mark = format!("{:08x}", fnv(self.ddl_of("", "").as_bytes()));
        let kept: String = name.chars().filter(char::is_ascii).take(63 - 9).collect();
        format!("{}_{mark}", kept.trim_end_matches('_').to_ascii_lowercase())
    }

    /// The statement that builds it while others write.
    pub(super) fn ddl(&self) -> String {
        self.ddl_of("CONCURRENTLY ", &format!("{} ", quoted(&self.name())))
    }

    /// The statement that builds it on another table of the same columns, at once.
    pub(super) fn ddl_on(&self, table: &Name, name: &str) -> String {
        Self { table: table.clone(), ..self.clone() }.ddl_of("", &format!("{} ", quoted(name)))
    }

    fn ddl_of(&self, how: &str, name: &str) -> String {
        let unique = if self.is_unique { "UNIQUE " } else { "" };
        let (schema, table) = (quoted(&self.table.0), quoted(&self.table.1));
        let keys: Vec<_> = self
            .keys
            .iter()
            .enumerate()
            .map(|(place, ordered)| {
                let mut text = match &ordered.key {
                    Key::Column(column) => quoted(column),
                    Key::Expression(text) => format!("({text})"),
                };
                if self.is_pattern && place == 0 {
                    text.push_str(" text_pattern_ops");
                }
                if ordered.descending {
                    text.push_str(" DESC");
                }
                if ordered.nulls_first != ordered.descending {
                    text.push_str(if ordered.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
                }
                text
            })
            .collect();
        let mut ddl = format!("CREATE {unique}INDEX {how}{name}ON {schema}.{table} ({})", keys.join(", "));
        if !self.include.is_empty() {
            let include: Vec<_> = self.include.iter().map(|name| quoted(name)).collect();
            let _ = write!(ddl, " INCLUDE ({})", include.join(", "));
        }
        if let Some(predicate) = &self.predicate {
            let _ = write!(ddl, " WHERE {predicate}");
        }
        ddl
    }

    /// Whether `index` does all that this would do.
    pub(super) fn is_served_by(&self, index: &Index) -> bool {
        index.is_valid
            && index.is_btree
            && index.table == self.table
            && (index.predicate.is_none() || index.predicate == self.predicate)
            && index.keys.starts_with(&self.keys)
            && self.include.iter().all(|name| {
                index.include.contains(name)
                    || index.keys.iter().any(|ordered| ordered.key == Key::Column(name.clone()))
            })
            // Whether it keeps values unique as well is for people to say.
            && if self.is_pattern { index.is_pattern } else { index.is_usual }
    }

    /// One of its keys is no column.
    pub(super) fn has_expression(&self) -> bool {
        self.keys.iter().any(|ordered| matches!(ordered.key, Key::Expression(_)))
    }

    /// Its keys, as people call them.
    pub(super) fn columns_in_order(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|ordered| match &ordered.key {
            Key::Column(name) => name.clone(),
            Key::Expression(text) => format!("({text})"),
        });
        keys.collect()
    }

    /// Columns whose change writes it: also those that decide whether a row is in it.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        let keys = self.keys.iter().flat_map(|ordered| match &ordered.key {
            Key::Column(name) => vec![name.clone()],
            Key::Expression(text) => names_in(text),
        });
        let predicate = self.predicate.iter().flat_map(|text| names_in(text));
        keys.chain(predicate).chain(self.include.iter().cloned()).collect()
    }
}

fn names_in(text: &str) -> Vec<String> {
    columns_of(text).into_iter().map(|(_, column)| column).collect()
}

/// FNV-1a, for names.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Words that are no names of columns and tables without quotes (PostgreSQL documentation, appendix C:
/// reserved, and reserved but for functions and types).
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|letter: char| letter.is_ascii_lowercase() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        && RESERVED.binary_search(&name).is_err();
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_where_it_has_to_be() {
        assert!(RESERVED.is_sorted());
        for (name, written) in [
            ("user_id", "user_id"),
            ("order", "\"order\""),
            ("window", "\"window\""),
            ("UserId", "\"UserId\""),
            ("a\"b", "\"a\"\"b\""),
            ("größe", "\"größe\""),
        ] {
            assert_eq!(quoted(name), written);
        }
    }

    #[test]
    fn an_index_is_named_after_what_it_is_on_within_what_a_name_may_be() {
        let column = |name: &str| ascending(Key::Column(name.to_owned()));
        let candidate = |keys: Vec<Ordered>| Candidate {
            table: ("public".to_owned(), "things".to_owned()),
            keys,
            include: Vec::new(),
            predicate: None,
            is_unique: false,
            is_pattern: false,
        };
        let short = candidate(vec![column("owner"), column("at")]);
        assert!(short.name().starts_with("tidewall_things_owner_at_"), "{}", short.name());
        let partial = Candidate { predicate: Some("at IS NULL".to_owned()), ..short.clone() };
        assert_ne!(short.name(), partial.name());
        let long = candidate(vec![column(&"x".repeat(63)), column(&"y".repeat(63))]);
        assert!(long.name().len() <= 63);
        assert_eq!(
            partial.ddl(),
            format!(
                "CREATE INDEX CONCURRENTLY {} ON public.things (owner, at) WHERE at IS NULL",
                partial.name()
            )
        );
    }
}
