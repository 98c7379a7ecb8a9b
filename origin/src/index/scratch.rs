//! Copies of tables, on which indexes are tried: in a schema of their own, which nobody else looks
//! at, and which is gone afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::IndexError;
use super::candidate::{Candidate, quoted};
use super::condition::Key;
use super::facts::Name;
use super::session::{Refused, Session};
use super::statement::Parsed;
use super::storage;
use super::values::Source;

/// Copies of a few tables.
pub(super) struct Scratch<'a> {
    session: &'a Session,
    schema: String,
    copies: BTreeMap<Name, Copied>,
}

/// A copy.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    pub(super) name: Name,
    /// The share of the rows that it has.
    pub(super) share: f64,
    pub(super) rows: f64,
    /// Milliseconds that writing a row takes as it is.
    write_ms: f64,
}

/// A candidate, as it was built on a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Built {
    /// Bytes that it would have on the whole table.
    pub(super) bytes: f64,
    /// Milliseconds that it adds to writing a row.
    pub(super) write_ms: f64,
}

/// A scratch schema's name begins so.
const SCHEMA: &str = "tidewall_scratch_";
/// First half of the key of the lock that whoever has a scratch schema holds.
const LOCK: i32 = 0x7469_6478;
/// Rows that are written to see what that takes.
const WRITTEN: u32 = 2_000;
/// So many times; the least counts.
const WRITES: usize = 3;
/// Values that a statement is tried with, each from other rows.
pub(super) const DRAWS: usize = 5;

impl<'a> Scratch<'a> {
    /// Copies `tables` (the most rows that a copy may have, and how many there are).
    pub(super) async fn open(
        session: &'a Session,
        tables: &BTreeMap<Name, f64>,
        rows_max: f64,
    ) -> Result<Self, IndexError> {
        remove_leftovers(session).await?;
        let schema = format!("{SCHEMA}{:08x}", fastrand::u32(..));
        session.row("SELECT pg_advisory_lock($1, hashtext($2))", &[&LOCK, &schema]).await?;
        session.batch(&format!("SET statement_timeout = '10min'; CREATE SCHEMA {schema}")).await?;
        let mut scratch = Self { session, schema, copies: BTreeMap::new() };
        for (table, rows) in tables {
            if let Err(error) = scratch.copy(table, *rows, rows_max).await {
                scratch.close().await?;
                return Err(error);
            }
        }
        Ok(scratch)
    }

    async fn copy(&mut self, table: &Name, rows: f64, rows_max: f64) -> Result<(), IndexError> {
        // By the same name, so that plans look the same; it may be taken by one of another schema.
        let taken: BTreeSet<_> = self.copies.values().map(|copy| copy.name.1.clone()).collect();
        let own = match taken.contains(&table.1) {
            true => format!("{}_{}", table.1, taken.len()),
            false => table.1.clone(),
        };
        let name = (self.schema.clone(), own);
        let share = if rows > rows_max { rows_max / rows } else { 1.0 };
        let sample = match share < 1.0 {
            true => format!(" TABLESAMPLE SYSTEM ({}) REPEATABLE (1)", share * 100.0),
            false => String::new(),
        };
        let (from, to) = (of(table), of(&name));
        // Unlogged: neither the log nor any replica has to do with it.
        self.session
            .batch(&format!(
                "CREATE UNLOGGED TABLE {to} AS SELECT * FROM {from}{sample};
                 ALTER TABLE {to} SET (autovacuum_enabled = off);
                 SET maintenance_work_mem = '256MB'"
            ))
            .await?;
        for row in self.session.rows(storage::DEFINITIONS, &[&table.0, &table.1]).await? {
            let (index, definition): (String, String) = (row.get(0), row.get(1));
            let Some((head, how)) = definition.split_once(" USING ") else { continue };
            let unique = if head.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
            // A name lies in its table's schema.
            let build = format!("CREATE {unique}INDEX {} ON {to} USING {how}", quoted(&index));
            self.session.batch(&build).await?;
        }
        // What is seen by all is marked so, or no index alone would do.
        self.session.batch(&format!("VACUUM (ANALYZE) {to}")).await?;
        let rows: i64 = self.session.row(&format!("SELECT count(*) FROM {to}"), &[]).await?.get(0);
        let back = of(&(self.schema.clone(), format!("{}_back", name.1)));
        self.session
            .batch(&format!(
                "CREATE UNLOGGED TABLE {back} AS SELECT * FROM {to} LIMIT 0;
                 WITH gone AS (DELETE FROM {to} WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM {to} ORDER BY random() LIMIT {WRITTEN})) RETURNING *)
                 INSERT INTO {back} SELECT * FROM gone"
            ))
            .await?;
        self.session.batch(&format!("VACUUM {to}")).await?;
        let copy = Copied { share, rows: rows as f64, write_ms: 0.0, name };
        let write_ms = self.write_ms(&copy).await?;
        self.copies.insert(table.clone(), Copied { write_ms, ..copy });
        Ok(())
    }

    /// The copy of a table.
    pub(super) fn copied(&self, table: &Name) -> Option<&Copied> {
        self.copies.get(table)
    }

    /// A statement on the copies. `None`: it reads what has none.
    pub(super) fn on(&self, parsed: &Parsed) -> Option<String> {
        let names = self.copies.iter().map(|(table, copy)| (table.clone(), copy.name.clone()));
        parsed.on(&names.collect())
    }

    /// Milliseconds that writing a row into a copy takes.
    async fn write_ms(&self, copy: &Copied) -> Result<f64, IndexError> {
        let back = of(&(self.schema.clone(), format!("{}_back", copy.name.1)));
        let insert = format!("INSERT INTO {} SELECT * FROM {back}", of(&copy.name));
        let mut least = f64::INFINITY;
        for _ in 0..WRITES {
            match self.session.run(&insert, &[], std::time::Duration::from_secs(60)).await {
                Ok(run) => least = least.min(run.ms),
                Err(refused) => return Err(IndexError::Refused(refused.describe())),
            }
        }
        Ok(least / f64::from(WRITTEN).min(copy.rows.max(1.0)))
    }

    /// Builds a candidate under `name`.
    pub(super) async fn build(&self, candidate: &Candidate, name: &str) -> Result<Built, Refused> {
        let lost = |_| Refused::Because("the connection was lost".to_owned());
        let Some(copy) = self.copies.get(&candidate.table) else {
            return Err(Refused::Because("its table was not copied".to_owned()));
        };
        self.session.command(&candidate.ddl_on(&copy.name, name)).await?;
        if candidate.has_expression() {
            // Statistics of expressions belong to their index.
            self.session.command(&format!("ANALYZE {}", of(&copy.name))).await?;
        }
        let size = "SELECT pg_relation_size($1::text::regclass)::double precision";
        let index = of(&(self.schema.clone(), name.to_owned()));
        let bytes: f64 = self.session.row(size, &[&index]).await.map_err(lost)?.get(0);
        let write_ms = self.write_ms(copy).await.map_err(lost)?;
        // It can't be faster with it.
        Ok(Built { bytes: bytes / copy.share, write_ms: (write_ms - copy.write_ms).max(0.0) })
    }

    /// Drops what was built.
    pub(super) async fn unbuild(&self, name: &str) -> Result<(), IndexError> {
        self.session
            .batch(&format!("DROP INDEX IF EXISTS {}", of(&(self.schema.clone(), name.to_owned()))))
            .await
    }

    /// Values for parameters: a few sets of them, from the rows that there are. Fewer where nothing
    /// varies.
    pub(super) async fn draw(&self, sources: &[Source]) -> Result<Vec<Vec<Option<String>>>, IndexError> {
        let count = if sources.iter().any(|source| matches!(source, Source::Row(..) | Source::Rows(..))) {
            DRAWS
        } else {
            1
        };
        let mut sets = vec![vec![None; sources.len()]; count];
        let mut by_table: BTreeMap<&Name, Vec<(usize, &Key)>> = BTreeMap::new();
        self.session.row("SELECT setseed(0.5)::text", &[]).await?;
        for (place, source) in sources.iter().enumerate() {
            let fixed = match source {
                Source::Count(count) => Some(count.to_string()),
                Source::Null => None,
                Source::Quantile(table, key, share) => self.quantile(table, key, *share, "value").await?,
                Source::Age(table, key, share) => self.quantile(table, key, *share, "now() - value").await?,
                Source::Row(table, key) => {
                    by_table.entry(table).or_default().push((place, key));
                    continue;
                }
                Source::Rows(table, key) => {
                    for set in &mut sets {
                        set[place] = self.some(table, key).await?;
                    }
                    continue;
                }
            };
            for set in &mut sets {
                set[place].clone_from(&fixed);
            }
        }
        for (table, wanted) in by_table {
            let Some(copy) = self.copies.get(table) else { continue };
            let keys: Vec<_> = wanted.iter().map(|(_, key)| sql(key)).collect();
            let texts: Vec<_> = keys.iter().map(|key| format!("({key})::text")).collect();
            let there: Vec<_> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
            let query = format!(
                "SELECT {} FROM {} WHERE {} ORDER BY random() LIMIT {count}",
                texts.join(", "),
                of(&copy.name),
                there.join(" AND ")
            );
            let rows = self.session.rows(&query, &[]).await?;
            for (number, set) in sets.iter_mut().enumerate() {
                // Rows may be fewer than sets.
                let Some(row) = rows.get(number % rows.len().max(1)) else { continue };
                for (column, (place, _)) in wanted.iter().enumerate() {
                    set[*place] = row.get(column);
                }
            }
        }
        Ok(sets)
    }

    /// `what` of a value that `share` of the rows have at most.
    async fn quantile(
        &self,
        table: &Name,
        key: &Key,
        share: f64,
        what: &str,
    ) -> Result<Option<String>, IndexError> {
        let Some(copy) = self.copies.get(table) else { return Ok(None) };
        let key = sql(key);
        let query = format!(
            "SELECT ({what})::text FROM (
                 SELECT percentile_disc($1::double precision) WITHIN GROUP (ORDER BY key) AS value FROM (
                     SELECT {key} AS key FROM {} WHERE {key} IS NOT NULL ORDER BY random() LIMIT 20000) AS drawn
             ) AS found",
            of(&copy.name)
        );
        Ok(self.session.row(&query, &[&share]).await?.get(0))
    }

    /// A few values, as an array.
    async fn some(&self, table: &Name, key: &Key) -> Result<Option<String>, IndexError> {
        let Some(copy) = self.copies.get(table) else { return Ok(None) };
        let key = sql(key);
        let query = format!(
            "SELECT array_agg(key)::text FROM (
                 SELECT {key} AS key FROM {} WHERE {key} IS NOT NULL ORDER BY random() LIMIT 5) AS drawn",
            of(&copy.name)
        );
        Ok(self.session.row(&query, &[]).await?.get(0))
    }

    /// Removes it all.
    pub(super) async fn close(self) -> Result<(), IndexError> {
        remove(self.session, &self.schema).await?;
        self.session.row("SELECT pg_advisory_unlock($1, hashtext($2))", &[&LOCK, &self.schema]).await?;
        Ok(())
    }
}

/// Removes what runs that were killed have left: nobody holds its lock.
async fn remove_leftovers(session: &Session) -> Result<(), IndexError> {
    for row in session.rows(storage::SCRATCH, &[&SCHEMA]).await? {
        let schema: String = row.get(0);
        let lock = "SELECT pg_try_advisory_lock($1, hashtext($2))";
        if session.row(lock, &[&LOCK, &schema]).await?.get(0) {
            remove(session, &schema).await?;
            session.row("SELECT pg_advisory_unlock($1, hashtext($2))", &[&LOCK, &schema]).await?;
        }
    }
    Ok(())
}

async fn remove(session: &Session, schema: &str) -> Result<(), IndexError> {
    session.batch(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(schema))).await
}

/// A table's name as SQL has it.
pub(super) fn of((schema, table): &Name) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

/// A key as SQL has it.
fn sql(key: &Key) -> String {
    match key {
        Key::Column(name) => quoted(name),
        Key::Expression(text) => format!("({text})"),
    }
}
