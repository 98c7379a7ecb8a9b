//! Runs each case: its workload, then the advisor.

use std::time::Duration;

use serde::Deserialize;
use tidewall_origin::index::{Advice, Question, advise};

use crate::database::{Database, Server, connect};

/// A workload, and what is to come of it; see `cases.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    name: String,
    #[serde(default)]
    trap: bool,
    #[serde(default)]
    setup: String,
    #[serde(default)]
    statements: Vec<Statement>,
    build: Vec<Vec<String>>,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    rebuild: Vec<String>,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    unknown: Vec<String>,
    /// The index has few rows: it doesn't matter by which key.
    #[serde(default)]
    any_key: bool,
    /// What is carried along doesn't matter.
    #[serde(default)]
    any_include: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
    pub(crate) calls: u32,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

pub(crate) fn all() -> Vec<Case> {
    toml::from_str::<Cases>(include_str!("cases.toml")).unwrap().case
}

impl Case {
    pub(crate) fn title(&self) -> String {
        format!("case::{}{}", self.name.replace(' ', "_"), if self.trap { "_(trap)" } else { "" })
    }

    fn simple(&self, index: &str) -> String {
        let mut index = index.to_owned();
        if self.any_include
            && let Some((before, _)) = index.split_once(" INCLUDE")
        {
            index = before.to_owned();
        }
        if self.any_key
            && let (Some(begin), Some(end)) = (index.find('('), index.find(") WHERE"))
        {
            index.replace_range(begin..=end, "(…)");
        }
        index
    }
}

/// A definition without what each has.
fn short(ddl: &str) -> String {
    let unique = if ddl.starts_with("CREATE UNIQUE") { "UNIQUE " } else { "" };
    let on = ddl.split_once(" ON public.").map_or(ddl, |(_, on)| on);
    format!("{unique}{on}")
}

/// The last part of a qualified name.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

pub(crate) fn check(server: &Server, case: &Case) -> Result<(), String> {
    server.runtime.block_on(async {
        let database = server.database().await;
        let advice = ask(&database, &case.setup, &case.statements).await;
        database.drop().await;
        compare(case, &advice).map_err(|what| format!("{what}\n{}", advice.to_text()))
    })
}

/// All of them, for whoever has five minutes: `cargo test --test index -- --ignored cases::`.
pub(crate) const ALL: &str = "cases::of_a_hundred_at_least_95_are_judged_right";
/// Of some, for everybody.
pub(crate) const SOME: &str = "cases::of_some_at_least_95_of_a_hundred_are_judged_right";

/// Every third, and those with what only few have: indexes that are there.
pub(crate) fn some(all: &[Case]) -> Vec<Case> {
    let is_chosen = |(number, case): &(usize, &Case)| {
        number % 3 == 0 || [&case.drop, &case.rebuild, &case.keep].iter().any(|names| !names.is_empty())
    };
    all.iter().enumerate().filter(is_chosen).map(|(_, case)| case.clone()).collect()
}

/// Times are measured on a machine that does other things as well, so a few may be
/// judged wrong; it says which.
pub(crate) fn check_all(server: &Server, cases: &[Case]) -> Result<(), String> {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| check(server, case).err().map(|what| format!("{}: {what}", case.title())))
        .collect();
    println!("{} of {} are judged right", cases.len() - wrong.len(), cases.len());
    if wrong.len() * 100 <= cases.len() * 5 {
        for what in &wrong {
            println!("{what}");
        }
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// What is advised after a workload.
pub(crate) async fn ask(database: &Database<'_>, setup: &str, statements: &[Statement]) -> Advice {
    // What a connection has counted is known to all once it has ended.
    let setting_up = connect(&database.url()).await;
    for statement in setup.split("; ").filter(|statement| !statement.is_empty()) {
        setting_up.batch_execute(statement).await.unwrap();
    }
    drop(setting_up);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    while database.client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Reads and writes are counted from the same moment on.
    database.client.batch_execute("SELECT pg_stat_statements_reset(), pg_stat_reset()").await.unwrap();
    for Statement { sql, values, calls } in statements {
        database.call(sql, values, *calls).await;
    }
    // Counts reach everybody's eyes a moment after a statement's end.
    database.client.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let question = Question {
        primary: vec![database.url().parse().unwrap()],
        replicas: Vec::new(),
        statements: None,
        sample_rows: 1e6,
        apply: false,
    };
    advise(&question, std::future::pending()).await.unwrap()
}

fn compare(case: &Case, advice: &Advice) -> Result<(), String> {
    let sorted = |names: Vec<String>| {
        let mut names: Vec<_> = names.iter().map(|name| case.simple(name)).collect();
        names.sort();
        names
    };
    let built = sorted(advice.proposals.iter().map(|proposal| short(&proposal.ddl)).collect());
    if !case.build.iter().any(|wanted| sorted(wanted.clone()) == built) {
        return Err(format!("proposed {built:?} and not {:?}", case.build));
    }
    let names = |drops: &[tidewall_origin::index::Drop]| {
        drops.iter().map(|drop| bare(&drop.index).to_owned()).collect::<Vec<_>>()
    };
    for (what, found, wanted) in [
        ("to drop", names(&advice.drops), &case.drop),
        ("to build anew", names(&advice.rebuilds), &case.rebuild),
    ] {
        if found != *wanted {
            return Err(format!("{what}: {found:?} and not {wanted:?}"));
        }
    }
    for name in &case.keep {
        if !advice.kept.iter().any(|kept| bare(&kept.ddl) == name) {
            return Err(format!("nothing speaks for {name}"));
        }
    }
    for words in &case.unknown {
        let is_there = |unknown: &tidewall_origin::index::Unknown| {
            unknown.what.contains(words) || unknown.reason.contains(words)
        };
        if !advice.unknown.iter().any(is_there) {
            return Err(format!("{words} is not unknown"));
        }
    }
    Ok(())
}
