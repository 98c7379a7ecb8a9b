//! Copies of tables, on which indexes are tried: in a schema of their own, which nobody else looks
//! at, and which is gone afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

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
pub(super) const SCHEMA: &str = "tidewall_scratch_";
/// First half of the key of the lock that whoever has a scratch schema holds.
const LOCK: i32 = 0x7469_6478;
/// Rows that are written to see what that takes.
const WRITTEN: u32 = 2_000;
/// So many times; the least counts.
const WRITES: usize = 3;
const WRITE_MAX: Duration = Duration::from_secs(60);
/// Values that a statement is tried with, each from other rows.
pub(super) const DRAWS: usize = 5;
/// Rows of which they are taken.
const DRAWN: u32 = 20_000;
/// A column with no more values than that is asked for each of them about as often.
const STRATA_MAX: i64 = 50;

/// A table that is to be copied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) rows: f64,
    pub(super) bytes: f64,
}

/// A copy has at most so many bytes.
const COPY_BYTES_MAX: f64 = 1024.0 * 1024.0 * 1024.0;
/// Bytes of a row of which nothing is known.
const ROW_BYTES: f64 = 100.0;

impl Size {
    /// The share of a table that is copied, for at most so many rows.
    pub(super) fn share(self, rows_max: f64) -> f64 {
        // What was never analysed has no rows that are known, and may have any number.
        let rows = if self.rows >= 1.0 { self.rows } else { self.bytes / ROW_BYTES };
        (rows_max / rows.max(1.0)).min(COPY_BYTES_MAX / self.bytes.max(1.0)).min(1.0)
    }
}

impl<'a> Scratch<'a> {
    /// Makes the schema.
    pub(super) async fn begin(session: &'a Session) -> Result<Self, IndexError> {
        let schema = format!("{SCHEMA}{:08x}", fastrand::u32(..));
        session.row("SELECT pg_advisory_lock($1, hashtext($2))", &[&LOCK, &schema]).await?;
        session.batch(&format!("CREATE SCHEMA {schema}")).await?;
        Ok(Self { session, schema, copies: BTreeMap::new() })
    }

    /// Its name.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Copies `tables`, with at most so many rows each; those that can't be, and why.
    pub(super) async fn copy_all(
        &mut self,
        tables: &BTreeMap<Name, Size>,
        rows_max: f64,
    ) -> Result<Vec<(Name, Refused)>, IndexError> {
        self.session.batch("SET statement_timeout = '10min'; SET maintenance_work_mem = '256MB'").await?;
        let mut failed = Vec::new();
        for (table, size) in tables {
            if let Err(refused) = self.copy(table, *size, rows_max).await {
                // Half of it is of no use.
                let names = [self.name_of(table), back_of(&self.name_of(table))].map(|name| of(&name));
                self.session.batch(&format!("DROP TABLE IF EXISTS {}", names.join(", "))).await?;
                failed.push((table.clone(), refused));
            }
        }
        self.session.batch("RESET statement_timeout; RESET maintenance_work_mem").await?;
        Ok(failed)
    }

    /// The name of a table's copy: the same, so that plans look the same, unless one of another schema
    /// has it.
    fn name_of(&self, table: &Name) -> Name {
        let is_taken = self.copies.iter().any(|(other, copy)| other != table && copy.name.1 == table.1);
        let own = if is_taken { format!("copy_{}", self.copies.len()) } else { table.1.clone() };
        (self.schema.clone(), own)
    }

    async fn copy(&mut self, table: &Name, size: Size, rows_max: f64) -> Result<(), Refused> {
        let name = self.name_of(table);
        let share = size.share(rows_max);
        let sample = match share < 1.0 {
            // Statistics may be older than what was inserted since.
            true => format!(
                " TABLESAMPLE SYSTEM ({}) REPEATABLE (1) LIMIT {:.0}",
                share * 100.0,
                (rows_max * 1.5).ceil()
            ),
            false => String::new(),
        };
        let (from, to, back) = (of(table), of(&name), of(&back_of(&name)));
        // Unlogged: neither the log nor any replica has to do with it.
        self.session
            .command(&format!(
                "CREATE UNLOGGED TABLE {to} AS SELECT * FROM {from}{sample};
                 ALTER TABLE {to} SET (autovacuum_enabled = off)"
            ))
            .await?;
        let definitions = self.session.rows(storage::DEFINITIONS, &[&table.0, &table.1]).await;
        for row in definitions.map_err(|error| Refused::of_error(&error))? {
            let (index, definition): (String, String) = (row.get(0), row.get(1));
            let Some((head, how)) = definition.split_once(" USING ") else { continue };
            let unique = if head.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
            // A name lies in its table's schema.
            let build = format!("CREATE {unique}INDEX {} ON {to} USING {how}", quoted(&index));
            self.session.command(&build).await?;
        }
        // What is seen by all is marked so, or no index alone would do.
        self.session.command(&format!("VACUUM (ANALYZE) {to}")).await?;
        self.session
            .command(&format!(
                "CREATE UNLOGGED TABLE {back} AS SELECT * FROM {to} LIMIT 0;
                 WITH gone AS (DELETE FROM {to} WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM {to} ORDER BY random() LIMIT {WRITTEN})) RETURNING *)
                 INSERT INTO {back} SELECT * FROM gone"
            ))
            .await?;
        self.session.command(&format!("VACUUM {to}")).await?;
        let count = self.session.row(&format!("SELECT count(*) FROM {to}"), &[]).await;
        let rows: i64 = count.map_err(|error| Refused::of_error(&error))?.get(0);
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

    /// Milliseconds that writing a row into a copy takes. (Without the log: a copy has none.)
    async fn write_ms(&self, copy: &Copied) -> Result<f64, Refused> {
        let insert = format!("INSERT INTO {} SELECT * FROM {}", of(&copy.name), of(&back_of(&copy.name)));
        let mut least = f64::INFINITY;
        for _ in 0..WRITES {
            least = least.min(self.session.run(&insert, &[], true, WRITE_MAX).await?.ms);
        }
        // What was undone lies in the way of what is measured next.
        self.session.command(&format!("VACUUM {}", of(&copy.name))).await?;
        Ok(least / f64::from(WRITTEN).min(copy.rows.max(1.0)))
    }

    /// Clears away what writing statements have left in the copies of `tables`.
    pub(super) async fn vacuum<'t>(
        &self,
        tables: impl IntoIterator<Item = &'t Name>,
    ) -> Result<(), IndexError> {
        for copy in tables.into_iter().filter_map(|table| self.copies.get(table)) {
            self.session.batch(&format!("VACUUM {}", of(&copy.name))).await?;
        }
        Ok(())
    }

    /// Builds a candidate under `name`.
    pub(super) async fn build(&self, candidate: &Candidate, name: &str) -> Result<Built, Refused> {
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
        let size = self.session.row(size, &[&index]).await;
        let bytes: f64 = size.map_err(|error| Refused::of_error(&error))?.get(0);
        let write_ms = self.write_ms(copy).await?;
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
            let drawn = format!(
                "SELECT * FROM {} WHERE {} ORDER BY random() LIMIT {DRAWN}",
                of(&copy.name),
                there.join(" AND ")
            );
            let order = self.strata(&drawn, &keys).await?.unwrap_or_else(|| "random()".to_owned());
            let query =
                format!("SELECT {} FROM ({drawn}) AS drawn ORDER BY {order} LIMIT {count}", texts.join(", "));
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

    /// How rows of `drawn` are ordered for each value of one of `keys` to come first once, where that has
    /// few values: what is asked for most is seldom what there is most of, as with orders that are open.
    async fn strata(&self, drawn: &str, keys: &[String]) -> Result<Option<String>, IndexError> {
        // As text, since not every type has an order.
        let counts: Vec<_> = keys.iter().map(|key| format!("count(DISTINCT ({key})::text)")).collect();
        let query = format!("SELECT ARRAY[{}] FROM ({drawn}) AS drawn", counts.join(", "));
        let counts: Vec<i64> = self.session.row(&query, &[]).await?.get(0);
        let few = counts.iter().zip(keys).filter(|(count, _)| (2..=STRATA_MAX).contains(*count)).min();
        Ok(few.map(|(_, key)| {
            format!("row_number() OVER (PARTITION BY ({key})::text ORDER BY random()), random()")
        }))
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
                     SELECT {key} AS key FROM {} WHERE {key} IS NOT NULL ORDER BY random() LIMIT {DRAWN}) AS drawn
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

    /// Removes it all. What can't be, the next run removes.
    pub(super) async fn close(self) {
        let removed = async {
            self.session.batch("ROLLBACK; SET statement_timeout = '60s'; SET lock_timeout = '30s'").await?;
            remove(self.session, &self.schema).await?;
            let unlock = "SELECT pg_advisory_unlock($1, hashtext($2))";
            self.session.row(unlock, &[&LOCK, &self.schema]).await.map(drop)
        };
        if let Err(error) = removed.await {
            let error = error.to_string();
            tracing::warn!(
                schema = self.schema,
                error,
                "the copies are still there; the next run removes them"
            );
        }
    }
}

/// Removes what runs that were killed have left: nobody holds its lock. What is another role's stays.
pub(super) async fn remove_leftovers(session: &Session) -> Result<(), IndexError> {
    for row in session.rows(storage::SCRATCH, &[&SCHEMA]).await? {
        let schema: String = row.get(0);
        let lock = "SELECT pg_try_advisory_lock($1, hashtext($2))";
        if session.row(lock, &[&LOCK, &schema]).await?.get(0) {
            if let Err(error) = remove(session, &schema).await {
                let error = error.to_string();
                tracing::warn!(schema, error, "copies that a run has left can't be removed");
            }
            session.row("SELECT pg_advisory_unlock($1, hashtext($2))", &[&LOCK, &schema]).await?;
        }
    }
    Ok(())
}

async fn remove(session: &Session, schema: &str) -> Result<(), IndexError> {
    session.batch(&format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(schema))).await
}

/// Where rows of a copy are kept that are inserted to see what that takes.
fn back_of((schema, table): &Name) -> Name {
    // A longer name would be cut, and be the copy's.
    let kept: String = table.chars().take(50).collect();
    (schema.clone(), format!("back_{kept}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_a_bound_in_rows_and_in_bytes_also_where_nothing_was_analysed() {
        let share = |rows, bytes| Size { rows, bytes }.share(1e6);
        assert!((share(1e5, 1e7) - 1.0).abs() < 1e-9);
        assert!((share(1e7, 1e9) - 0.1).abs() < 1e-9);
        assert!((share(1e6, 1024.0 * 1024.0 * 1024.0 * 100.0) - 0.01).abs() < 1e-9);
        assert!(share(-1.0, 1e10) < 0.11);
        assert!(share(0.0, 1e10) < 0.11);
    }
}
