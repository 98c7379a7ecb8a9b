//! The command on a database that never heard of Tidewall: what it builds, takes back and leaves.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::database::{Database, Server, connect};
use crate::support::processes::signal;
use crate::support::tidewall;

/// A test's name, and what it asks of a server.
pub(crate) type Test = (&'static str, fn(&Server));

pub(crate) const TESTS: &[Test] = &[
    (
        "command::whenever_it_is_killed_the_next_run_leaves_nothing_broken_behind",
        whenever_it_is_killed_the_next_run_leaves_nothing_broken_behind,
    ),
    (
        "command::one_that_is_told_to_stop_leaves_nothing_behind",
        one_that_is_told_to_stop_leaves_nothing_behind,
    ),
    (
        "command::what_a_statement_does_is_not_done_by_looking_at_it",
        what_a_statement_does_is_not_done_by_looking_at_it,
    ),
    (
        "command::an_index_that_a_replica_alone_may_use_is_not_called_unused",
        an_index_that_a_replica_alone_may_use_is_not_called_unused,
    ),
    ("command::what_is_proposed_is_built_measured_and_kept", what_is_proposed_is_built_measured_and_kept),
    (
        "command::a_role_that_may_only_read_is_told_what_is_missing",
        a_role_that_may_only_read_is_told_what_is_missing,
    ),
    ("command::no_value_of_a_statement_is_printed", no_value_of_a_statement_is_printed),
    ("command::an_old_transaction_is_named_before_a_build", an_old_transaction_is_named_before_a_build),
];

const BY_USER: &str = "SELECT * FROM orders WHERE user_id = $1";
const A_USER: &str = "1 + (random() * 39999)::integer";

fn index(url: &str, more: &[&str]) -> Command {
    let mut command = tidewall::command();
    command.args(["index", "--database-url", url, "--json"]).args(more).stdin(Stdio::null());
    command
}

/// What a command printed, which it did.
pub(crate) fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn count(database: &Database<'_>, what: &str) -> i64 {
    let query =
        format!("SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE {what}");
    database.client.query_one(&query, &[]).await.unwrap().get(0)
}

fn what_is_proposed_is_built_measured_and_kept(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let advice = answer(&index(&database.url(), &["--apply"]).output().unwrap());
        assert_eq!(advice.pointer("/proposals/0/table").unwrap(), "public.orders");
        assert_eq!(advice.pointer("/proposals/0/columns").unwrap(), &serde_json::json!(["user_id"]));
        assert!(advice.pointer("/proposals/0/gain").unwrap().as_f64().unwrap() > 10.0, "{advice}");
        assert_eq!(advice.pointer("/applied/0/kept").unwrap(), true, "{advice}");
        assert_eq!(count(&database, "relname LIKE 'tidewall_%' AND indisvalid").await, 1);
        let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tidewall_%'";
        assert_eq!(database.client.query_one(schemas, &[]).await.unwrap().get::<_, i64>(0), 0);
        let again = answer(&index(&database.url(), &["--apply"]).output().unwrap());
        assert_eq!(again.pointer("/proposals").unwrap(), &serde_json::json!([]), "{again}");
        database.drop().await;
    });
}

/// At a hundred points by hand: `INDEX_KILLS=100 cargo test --test index whenever`.
fn whenever_it_is_killed_the_next_run_leaves_nothing_broken_behind(server: &Server) {
    let kills = std::env::var("INDEX_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8_u32);
    server.runtime.block_on(async {
        let database = server.database().await;
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let whole = {
            let begun = Instant::now();
            answer(&origin(&database.url()).output().unwrap());
            begun.elapsed()
        };
        let (mut broken, mut copies) = (0, 0);
        for kill in 0..kills {
            drop_own(&database).await;
            database.call(BY_USER, &[A_USER.to_owned()], 60).await;
            let mut child =
                origin(&database.url()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Half of them anywhere, half of them in the middle of a build, which waits for somebody.
            if kill % 2 == 0 {
                tokio::time::sleep(whole * kill / kills).await;
                child.kill().unwrap();
            } else {
                let somebody = connect(&database.url()).await;
                until_copied(&database).await;
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM users";
                somebody.batch_execute(begin).await.unwrap();
                until_building(&database, Duration::from_millis(u64::from(kill) * 10 % 100)).await;
                child.kill().unwrap();
                until_alone(&database).await;
                drop(somebody);
            }
            // The program itself: `tidewall` would be another one that waits for it.
            child.wait().unwrap();
            until_alone(&database).await;
            broken += count(&database, "relname LIKE 'tidewall_%' AND NOT indisvalid").await;
            copies += schemas(&database).await;
            let advice = answer(&origin(&database.url()).output().unwrap());
            assert_eq!(count(&database, "NOT indisvalid").await, 0, "{kill}: {advice}");
            assert_eq!(schemas(&database).await, 0, "{kill}: {advice}");
            assert_eq!(
                count(&database, "relname LIKE 'tidewall_%' AND indisvalid").await,
                1,
                "{kill}: {advice}"
            );
        }
        assert!(
            broken > 0 && copies > 0,
            "some were killed in a build ({broken}), some beside copies ({copies})"
        );
        database.drop().await;
    });
}

/// The program that does it, without the command that finds it.
fn origin(url: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("tidewall-origin");
    let mut command = Command::new(program);
    command.args(["index", "--json", "--apply"]).env("DATABASE_URL", url).env("REPLICA_URLS", "");
    command.stdin(Stdio::null());
    command
}

/// Scratch schemas that are there.
async fn schemas(database: &Database<'_>) -> i64 {
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tidewall_%'";
    database.client.query_one(schemas, &[]).await.unwrap().get(0)
}

async fn drop_own(database: &Database<'_>) {
    let own = "DO $$ DECLARE name text; BEGIN FOR name IN SELECT indexrelid::regclass::text FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid WHERE relname LIKE 'tidewall_%'
        LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END $$";
    database.client.batch_execute(own).await.unwrap();
}

/// Waits until the server has noticed that whoever was killed is gone.
async fn until_alone(database: &Database<'_>) {
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'tidewall index'";
    while database.client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until trials have begun.
async fn until_copied(database: &Database<'_>) {
    while schemas(database).await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until an index is being built, and then a while.
async fn until_building(database: &Database<'_>, more: Duration) {
    let building = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index
        WHERE datname = current_database() AND command = 'CREATE INDEX CONCURRENTLY')";
    for _ in 0..10_000 {
        if database.client.query_one(building, &[]).await.unwrap().get(0) {
            tokio::time::sleep(more).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn one_that_is_told_to_stop_leaves_nothing_behind(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let child = index(&database.url(), &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        until_copied(&database).await;
        signal(child.id(), Signal::TERM);
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
        assert!(!output.status.success());
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains("stopped; nothing is left behind"), "{log}");
        assert_eq!(schemas(&database).await, 0);
        database.drop().await;
    });
}

/// What a statement does besides reading it must not do for being looked at.
fn what_a_statement_does_is_not_done_by_looking_at_it(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let setup = "CREATE SEQUENCE numbers;
            CREATE TABLE log (id integer);
            CREATE FUNCTION noted(id integer) RETURNS integer LANGUAGE sql AS
                'INSERT INTO log VALUES ($1); SELECT 1'";
        database.client.batch_execute(setup).await.unwrap();
        for sql in [
            "SELECT nextval('numbers') FROM orders WHERE user_id = $1",
            "SELECT noted(id) FROM orders WHERE user_id = $1",
            "SELECT pg_try_advisory_lock(id) FROM orders WHERE user_id = $1",
            "WITH orders AS (DELETE FROM orders WHERE user_id = $1 RETURNING *) SELECT * FROM orders",
            "DELETE FROM orders WHERE user_id = $1",
        ] {
            database.call(sql, &["-1".to_owned()], 60).await;
        }
        database.client.batch_execute("SELECT pg_advisory_unlock_all(); TRUNCATE log").await.unwrap();
        let facts = "SELECT last_value::text FROM numbers UNION ALL SELECT count(*)::text FROM log
            UNION ALL SELECT count(*)::text FROM orders";
        let facts = async || {
            let rows = database.client.query(facts, &[]).await.unwrap();
            rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
        };
        let before = facts().await;
        let advice = answer(&index(&database.url(), &["--apply"]).output().unwrap());
        assert_eq!(facts().await, before, "{advice}");
        assert_eq!(
            advice.pointer("/proposals/0/columns").unwrap(),
            &serde_json::json!(["user_id"]),
            "{advice}"
        );
        database.drop().await;
    });
}

fn an_index_that_a_replica_alone_may_use_is_not_called_unused(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        database.client.batch_execute("CREATE INDEX idle ON orders (total)").await.unwrap();
        let advice = answer(
            &index(&database.url(), &["--replica-url", "postgres://nobody@127.0.0.1:1/none"])
                .output()
                .unwrap(),
        );
        let unknown = advice.pointer("/unknown").unwrap().to_string();
        assert!(unknown.contains("public.idle") && unknown.contains("doesn't say how often"), "{unknown}");
        database.drop().await;
    });
}

fn a_role_that_may_only_read_is_told_what_is_missing(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        database
            .client
            .batch_execute(
                "DO $$ BEGIN CREATE ROLE looker LOGIN PASSWORD 'looks'; EXCEPTION WHEN duplicate_object THEN END $$;
                 GRANT pg_monitor, pg_read_all_data TO looker",
            )
            .await
            .unwrap();
        let advice = answer(&index(&database.url_of("looker", "looks"), &[]).output().unwrap());
        assert_eq!(advice.pointer("/proposals").unwrap(), &serde_json::json!([]));
        let unknown = advice.pointer("/unknown").unwrap().to_string();
        assert!(unknown.contains("orders (user_id)") && unknown.contains("may not CREATE"), "{unknown}");
        database.drop().await;
    });
}

fn no_value_of_a_statement_is_printed(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let folder = tidewall::Folder::new();
        let file = folder.join("statements.sql");
        let statements = "SELECT * FROM users WHERE email = 'secret-value@example.com';
            SELECT * FROM orders WHERE note = 'secret-value' AND user_id = 424242;
            SELECT * FROM nowhere WHERE a = 'secret-value';";
        std::fs::write(&file, statements).unwrap();
        for json in [true, false] {
            let mut command = tidewall::command();
            command.args(["index", "--database-url", &database.url(), "--statements"]).arg(&file);
            if json {
                command.arg("--json");
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let all = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!all.contains("secret-value") && !all.contains("424242"), "{all}");
            assert!(all.contains("users (email)"), "{all}");
        }
        database.drop().await;
    });
}

fn an_old_transaction_is_named_before_a_build(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let old = connect(&format!("{}?application_name=forgotten", database.url())).await;
        old.batch_execute("BEGIN; SELECT count(*) FROM users; SELECT pg_sleep(6)").await.unwrap();
        let mut child = index(&database.url(), &["--apply"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let named = tokio::task::spawn_blocking(|| {
            let mut lines = log.lines().map_while(Result::ok);
            let is_named = lines.any(|line| line.contains("forgotten"));
            (is_named, lines)
        });
        let (is_named, rest) = named.await.unwrap();
        assert!(is_named, "it was named while the build waited");
        old.batch_execute("COMMIT").await.unwrap();
        let output = tokio::task::spawn_blocking(move || {
            let _rest = rest.count();
            child.wait_with_output().unwrap()
        });
        assert_eq!(answer(&output.await.unwrap()).pointer("/applied/0/kept").unwrap(), true);
        database.drop().await;
    });
}
