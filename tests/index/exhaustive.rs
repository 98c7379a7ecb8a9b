//! What the advisor chooses, beside the best of all choices among a few indexes: each of them is built,
//! and the planner is shown every subset in turn.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tokio_postgres::Client;

use crate::cases::{Statement, ask};
use crate::command::Test;
use crate::database::{Database, Server};

pub(crate) const TESTS: &[Test] = &[(
    "exhaustive::what_is_chosen_saves_nearly_all_that_the_best_of_all_choices_saves",
    what_is_chosen_saves_nearly_all_that_the_best_of_all_choices_saves,
)];

/// Of the time that the best choice saves. What is left is so little that it is for the most part noise
/// which of two good choices leaves less.
const SAVED: f64 = 0.97;
/// Runs of a plan; the middle one counts.
const RUNS: usize = 25;
/// Rows that are written to see what an index costs them.
const WRITTEN: u32 = 2_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    name: String,
    statements: Vec<Statement>,
    candidates: Vec<String>,
}

#[derive(Deserialize)]
struct Instances {
    instance: Vec<Instance>,
}

fn what_is_chosen_saves_nearly_all_that_the_best_of_all_choices_saves(server: &Server) {
    let instances = toml::from_str::<Instances>(include_str!("exhaustive.toml")).unwrap().instance;
    for instance in instances {
        server.runtime.block_on(async {
            let database = server.database().await;
            let advice = ask(&database, "", &instance.statements).await;
            let chosen: Vec<_> = advice.proposals.iter().map(|proposal| proposal.ddl.clone()).collect();
            keep_vacuum_off(&database.client).await;
            let mut choices = Choices::build(&database, &instance, &chosen).await;
            let own = (0..chosen.len()).map(|number| instance.candidates.len() + number);
            let own = choices.ms(&own.collect::<Vec<_>>()).await;
            let mut best = (f64::INFINITY, Vec::new());
            for subset in 0..1_u32 << instance.candidates.len() {
                let indexes: Vec<_> =
                    (0..instance.candidates.len()).filter(|number| subset & (1 << number) != 0).collect();
                let ms = choices.ms(&indexes).await;
                if ms < best.0 {
                    best = (ms, indexes);
                }
            }
            let best_ddl: Vec<_> = best.1.iter().map(|number| &instance.candidates[*number]).collect();
            let without = choices.ms(&[]).await;
            println!("{}: {without:.0} ms, {own:.1} as advised, {:.1} at best", instance.name, best.0);
            assert!(
                without - own >= (without - best.0) * SAVED,
                "{}: {own:.1} ms with {chosen:?}, {:.1} ms with {best_ddl:?}, {without:.0} ms without",
                instance.name,
                best.0,
            );
            assert!(best.0 < without / 2.0, "{}: there is something to choose", instance.name);
            database.drop().await;
        });
    }
}

/// All indexes that may be chosen. Which of them the planner sees is a mark in the catalogue.
struct Choices<'a> {
    database: &'a Database<'a>,
    instance: &'a Instance,
    /// Name and definition of each.
    indexes: Vec<(String, String)>,
    /// Milliseconds that each adds to a call of each writing statement.
    written: Vec<BTreeMap<usize, f64>>,
    /// Of each statement, by its plan.
    known: HashMap<(usize, String), f64>,
}

impl<'a> Choices<'a> {
    async fn build(database: &'a Database<'a>, instance: &'a Instance, chosen: &[String]) -> Self {
        let candidates = instance.candidates.iter().enumerate();
        let mut all: Vec<_> = candidates
            .map(|(number, on)| {
                (format!("candidate_{number}"), format!("CREATE INDEX candidate_{number} ON {on}"))
            })
            .collect();
        for ddl in chosen {
            let (_, rest) = ddl.split_once("INDEX ").unwrap();
            let rest = rest.strip_prefix("CONCURRENTLY ").unwrap_or(rest);
            let name = rest.split(' ').next().unwrap().to_owned();
            all.push((name, ddl.replace("CONCURRENTLY ", "")));
        }
        let mut choices =
            Self { database, instance, indexes: Vec::new(), written: Vec::new(), known: HashMap::new() };
        for (name, ddl) in all {
            database.client.batch_execute(&ddl).await.unwrap();
            choices.indexes.push((name, ddl.split_once(" ON ").unwrap().1.replace("public.", "")));
        }
        let without = choices.written_ms(None).await;
        for index in 0..choices.indexes.len() {
            let with = choices.written_ms(Some(index)).await;
            let added = with.iter().map(|(number, ms)| (*number, (ms - without[number]).max(0.0)));
            choices.written.push(added.collect());
        }
        database.client.batch_execute("VACUUM ANALYZE").await.unwrap();
        choices
    }

    fn names(&self) -> Vec<String> {
        self.indexes.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Has the planner see these alone. A test may do that; nobody else should.
    async fn see(&self, indexes: &[usize]) {
        let seen: Vec<_> = indexes.iter().map(|number| self.indexes[*number].0.clone()).collect();
        let all = self.names();
        let mark = "UPDATE pg_index SET indisvalid = relname = ANY ($1)
            FROM pg_class WHERE pg_class.oid = indexrelid AND relname = ANY ($2)";
        self.database.client.execute(mark, &[&seen, &all]).await.unwrap();
    }

    /// Milliseconds of all calls.
    async fn ms(&mut self, indexes: &[usize]) -> f64 {
        self.see(indexes).await;
        let mut all = 0.0;
        for (number, statement) in self.instance.statements.iter().enumerate() {
            let calls = f64::from(statement.calls);
            if is_write(statement) {
                let added = indexes.iter().map(|index| self.written[*index][&number]);
                all += calls * added.sum::<f64>();
                continue;
            }
            // Its nodes, without the conditions, in which the values stand; an index is what it is of.
            let plan = self.explained(statement, "COSTS OFF").await;
            let nodes = plan.lines().filter(|line| !line.contains(": ")).collect::<Vec<_>>().join("\n");
            let nodes = self.indexes.iter().fold(nodes, |nodes, (name, of)| nodes.replace(name, of));
            let key = (number, nodes);
            let ms = match self.known.get(&key) {
                Some(ms) => *ms,
                None => {
                    let mut runs = Vec::new();
                    for _ in 0..RUNS {
                        runs.push(execution_ms(&self.explained(statement, "ANALYZE, TIMING OFF").await));
                    }
                    *self.known.entry(key).or_insert(least(runs))
                }
            };
            all += calls * ms;
        }
        all
    }

    /// What EXPLAIN says of a statement with values that are drawn anew.
    async fn explained(&self, statement: &Statement, how: &str) -> String {
        let client = &self.database.client;
        let mut sql = statement.sql.clone();
        for (number, value) in statement.values.iter().enumerate().rev() {
            let drawn: String = client
                .query_one(&format!("SELECT quote_literal(({value})::text)"), &[])
                .await
                .unwrap()
                .get(0);
            sql = sql.replace(&format!("${}", number + 1), &drawn);
        }
        explain(client, how, &sql).await
    }

    /// Milliseconds of a row of each writing statement, with one of the indexes, or none. What is written
    /// is taken back, so that the others, which don't hear of it, lack nothing.
    async fn written_ms(&self, index: Option<usize>) -> BTreeMap<usize, f64> {
        let client = &self.database.client;
        let all = self.names();
        let written = index.map(|index| all[index].clone()).unwrap_or_default();
        let mark = "UPDATE pg_index SET indisready = relname = $1 OR NOT relname = ANY ($2)
            FROM pg_class WHERE pg_class.oid = indexrelid AND relname = ANY ($2)";
        client.execute(mark, &[&written, &all]).await.unwrap();
        let mut written = BTreeMap::new();
        for (number, statement) in self.instance.statements.iter().enumerate() {
            if is_write(statement) {
                let values = statement.values.iter().enumerate();
                let rows = values
                    .fold(statement.sql.replace("VALUES (", "SELECT "), |sql, (place, value)| {
                        sql.replace(&format!("${}", place + 1), value)
                    });
                let rows = format!("{} FROM generate_series(1, {WRITTEN})", rows.trim_end_matches(')'));
                let mut runs = Vec::new();
                for _ in 0..RUNS {
                    client.batch_execute("BEGIN").await.unwrap();
                    let explained = explain(client, "ANALYZE, TIMING OFF", &rows).await;
                    client.batch_execute("ROLLBACK").await.unwrap();
                    runs.push(execution_ms(&explained) / f64::from(WRITTEN));
                }
                written.insert(number, least(runs));
            }
        }
        client.execute("UPDATE pg_index SET indisready = TRUE FROM pg_class WHERE pg_class.oid = indexrelid AND relname = ANY ($1)", &[&all]).await.unwrap();
        written
    }
}

/// Autovacuum would take rows away that were taken back while an index is not ready, and so stays as it is:
/// it would lead to where nothing is.
async fn keep_vacuum_off(client: &Client) {
    let off = "DO $$ DECLARE named regclass; BEGIN
            FOR named IN SELECT relid FROM pg_stat_user_tables LOOP
                EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', named);
            END LOOP;
        END $$";
    client.batch_execute(off).await.unwrap();
}

/// What EXPLAIN says.
async fn explain(client: &Client, how: &str, sql: &str) -> String {
    let rows = client.query(&format!("EXPLAIN ({how}) {sql}"), &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
}

/// The least of several runs: whatever disturbs one makes it longer.
fn least(runs: Vec<f64>) -> f64 {
    runs.into_iter().fold(f64::INFINITY, f64::min)
}

fn is_write(statement: &Statement) -> bool {
    statement.sql.starts_with("INSERT")
}

fn execution_ms(explained: &str) -> f64 {
    let line = explained.lines().find_map(|line| line.trim().strip_prefix("Execution Time: ")).unwrap();
    line.trim_end_matches(" ms").parse().unwrap()
}
