//! Reads what the servers say of themselves.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::access::Ordered;
use super::condition::{Key, normalized};
use super::facts::{Column, ForeignKey, Index, Name, Need, Scans, Table};
use super::session::Session;
use super::{IndexError, storage};

/// What a database has.
pub(super) struct Known {
    pub(super) tables: BTreeMap<Name, Table>,
    pub(super) indexes: Vec<Index>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

/// A statement as it was counted.
pub(super) struct Counted {
    pub(super) text: String,
    pub(super) calls: u64,
    /// Calls in a second. Unknown where it isn't known since when they are counted.
    pub(super) rate: Option<f64>,
    pub(super) mean_ms: f64,
    /// Rows that each call gave or changed, on the average.
    pub(super) rows: f64,
}

/// Reads the catalogues of the primary, and how often its replicas used each index.
pub(super) async fn read(
    primary: &Session,
    replicas: &[Result<Session, IndexError>],
) -> Result<Known, IndexError> {
    let seconds = counted_for(primary).await?;
    let mut tables: BTreeMap<Name, Table> = BTreeMap::new();
    for row in primary.rows(storage::TABLES, &[]).await? {
        let table = table(&row, seconds);
        tables.insert(table.name.clone(), table);
    }
    for row in primary.rows(storage::COLUMNS, &[]).await? {
        if let Some(table) = tables.get_mut(&(row.get(0), row.get(1))) {
            table.columns.insert(row.get(2), column(&row));
        }
    }
    let mut scans = vec![(seconds, scans(primary).await?)];
    let standbys: i64 = primary.row(storage::STANDBYS, &[]).await?.get(0);
    let mut is_whole = usize::try_from(standbys).is_ok_and(|standbys| standbys <= replicas.len());
    for replica in replicas {
        match replica {
            Ok(replica) => match (counted_for(replica).await, self::scans(replica).await) {
                (Ok(seconds), Ok(counted)) => scans.push((seconds, counted)),
                _ => is_whole = false,
            },
            Err(_) => is_whole = false,
        }
    }
    let days = scans
        .iter()
        .map(|(seconds, _)| *seconds)
        .try_fold(f64::INFINITY, |least, seconds| seconds.map(|seconds| least.min(seconds / 86_400.0)));
    let mut indexes = Vec::new();
    for row in primary.rows(storage::INDEXES, &[]).await? {
        let mut index = index(&row);
        let name = (index.schema.clone(), index.name.clone());
        let counted = scans.iter().map(|(_, counted)| counted.get(&name).copied().unwrap_or_default());
        index.scans = match days {
            // Once is enough, wherever, and since whenever.
            _ if counted.clone().sum::<u64>() > 0 => {
                Scans::Counted { scans: counted.sum(), days: days.unwrap_or_default() }
            }
            Some(days) if is_whole => Scans::Counted { scans: 0, days },
            _ => Scans::Unknown,
        };
        index.bytes_anew = tables.get(&index.table).and_then(|table| index.bytes_anew_of(table));
        indexes.push(index);
    }
    let foreign_keys = primary.rows(storage::FOREIGN_KEYS, &[]).await?;
    let foreign_keys =
        foreign_keys.iter().map(|row| ForeignKey { table: (row.get(0), row.get(1)), columns: row.get(2) });
    Ok(Known { tables, indexes, foreign_keys: foreign_keys.collect() })
}

/// For how many seconds a server has counted, at least.
async fn counted_for(session: &Session) -> Result<Option<f64>, IndexError> {
    let seconds: Option<f64> = session.row(storage::COUNTED_FOR, &[]).await?.get(0);
    Ok(seconds.filter(|seconds| *seconds > 0.0))
}

/// How often each index was used at a server.
async fn scans(session: &Session) -> Result<BTreeMap<Name, u64>, IndexError> {
    let rows = session.rows(storage::SCANS, &[]).await?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), count(row, 2))).collect())
}

fn count(row: &Row, column: usize) -> u64 {
    row.get::<_, Option<i64>>(column).and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
}

fn table(row: &Row, seconds: Option<f64>) -> Table {
    let rate = |column| seconds.map(|seconds| count(row, column) as f64 / seconds);
    Table {
        name: (row.get(0), row.get(1)),
        rows: row.get(2),
        bytes: row.get::<_, Option<f64>>(3).unwrap_or_default(),
        columns: BTreeMap::new(),
        inserts: rate(4),
        updates: rate(5),
        hot_updates: rate(6),
    }
}

fn column(row: &Row) -> Column {
    let common: Option<Vec<String>> = row.get(8);
    let shares: Option<Vec<f64>> = row.get(9);
    Column {
        is_not_null: row.get(3),
        distinct: row.get(4),
        null_share: row.get(5),
        width: row.get(6),
        has_language: row.get(7),
        common: common.unwrap_or_default().into_iter().zip(shares.unwrap_or_default()).collect(),
    }
}

fn index(row: &Row) -> Index {
    let keys: Vec<String> = row.get("keys");
    let are_expressions: Vec<bool> = row.get("expressions");
    let options: Vec<i32> = row.get("options");
    let ordered =
        keys.into_iter().zip(are_expressions).zip(options).map(|((text, is_expression), option)| Ordered {
            key: if is_expression { Key::of_expression(&text) } else { Key::Column(unquoted(&text)) },
            descending: option & 1 != 0,
            nulls_first: option & 2 != 0,
        });
    let need = [
        ("indisprimary", Need::PrimaryKey),
        ("is_constraint", Need::Constraint),
        ("is_referenced", Need::Referenced),
        ("indisreplident", Need::ReplicaIdentity),
        ("indisunique", Need::Unique),
        ("indisclustered", Need::Clustered),
    ];
    let include: Vec<String> = row.get("include");
    Index {
        schema: row.get(0),
        name: row.get(1),
        table: (row.get(2), row.get(3)),
        is_btree: row.get("is_btree"),
        kind: row.get("kind"),
        keys: ordered.collect(),
        order: row.get("key_order"),
        is_usual: row.get("is_usual"),
        include: include.iter().map(|name| unquoted(name)).collect(),
        predicate: row.get::<_, Option<String>>("predicate").map(|text| normalized(&text)),
        is_valid: row.get("indisvalid"),
        is_being_built: row.get("is_being_built"),
        is_part: row.get("is_part"),
        is_unique: row.get("indisunique"),
        is_pattern: row.get("is_pattern"),
        need: need.into_iter().find(|(column, _)| row.get::<_, bool>(*column)).map(|(_, need)| need),
        bytes: row.get("bytes"),
        entries: row.get("entries"),
        bytes_anew: None,
        scans: Scans::Unknown,
    }
}

/// A name as `pg_get_indexdef` writes it.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// The statements that were counted.
pub(super) struct Statements {
    /// Those that took most time.
    pub(super) counted: Vec<Counted>,
    /// What is missing, and why.
    pub(super) unknown: Vec<String>,
}

/// Where statements are counted, in quotes. `None`: nowhere.
pub(crate) async fn statements_schema(session: &Session) -> Result<Option<String>, IndexError> {
    Ok(session.rows(storage::STATEMENTS_SCHEMA, &[]).await?.first().map(|row| row.get(0)))
}

/// The statements that took most time.
pub(super) async fn statements(session: &Session, count_max: usize) -> Result<Statements, IndexError> {
    let nothing = |why: &str| Ok(Statements { counted: Vec::new(), unknown: vec![why.to_owned()] });
    let Some(schema) = statements_schema(session).await? else {
        return nothing(
            "pg_stat_statements is not installed here: add it to shared_preload_libraries, restart, and \
             `CREATE EXTENSION pg_stat_statements`, or pass statements with --statements",
        );
    };
    let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = match session.rows(&storage::statements(&schema), &[&limit]).await {
        Ok(rows) => rows,
        Err(IndexError::Statement(error)) if error.as_db_error().is_some() => {
            return nothing(
                "pg_stat_statements can't be read: is it in shared_preload_libraries, and of this server's \
                 version (`ALTER EXTENSION pg_stat_statements UPDATE`)?",
            );
        }
        Err(error) => return Err(error),
    };
    let mut unknown = Vec::new();
    let seconds = session.row(&storage::statements_counted_for(&schema), &[]).await;
    let mut seconds: Option<f64> = seconds.ok().and_then(|row| row.get(0)).filter(|seconds| *seconds > 0.0);
    if seconds.is_none() {
        // As often as could be, at least.
        seconds = counted_for(session).await?;
        unknown.push(
            "it isn't known since when statements are counted; `ALTER EXTENSION pg_stat_statements UPDATE`"
                .to_owned(),
        );
    }
    let hidden = session.row(&storage::hidden_statements(&schema), &[]).await?;
    let (count, share): (i64, f64) = (hidden.get(0), hidden.get(1));
    if count > 0 {
        unknown.push(format!(
            "{count} statements of other roles, {:.0} % of the time, are hidden; `GRANT pg_read_all_stats TO …`",
            share * 100.0
        ));
    }
    Ok(Statements { counted: rows.iter().filter_map(|row| counted(row, seconds)).collect(), unknown })
}

fn counted(row: &Row, seconds: Option<f64>) -> Option<Counted> {
    let calls = count(row, 2);
    Some(Counted {
        text: row.get::<_, Option<i64>>(0).and_then(|_| row.get(1))?,
        calls,
        rate: seconds.map(|seconds| calls as f64 / seconds),
        mean_ms: row.get(3),
        rows: count(row, 4) as f64 / calls.max(1) as f64,
    })
}
