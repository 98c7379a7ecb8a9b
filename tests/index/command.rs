//! The command on a database that never heard of Tidewall: what it builds, takes back and leaves.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::database::{Database, Server};
use crate::support::tidewall;

/// A test's name, and what it asks of a server.
pub(crate) type Test = (&'static str, fn(&Server));

pub(crate) const TESTS: &[Test] = &[
    ("command::what_is_proposed_is_built_measured_and_kept", what_is_proposed_is_built_measured_and_kept),
    (
        "command::whenever_it_is_killed_the_next_run_leaves_no_broken_index",
        whenever_it_is_killed_the_next_run_leaves_no_broken_index,
    ),
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

fn answer(output: &Output) -> Value {
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

fn whenever_it_is_killed_the_next_run_leaves_no_broken_index(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let mut broken = 0;
        for round in 0..KILLS {
            database.call(BY_USER, &[A_USER.to_owned()], 60).await;
            let mut child = index(&database.url(), &["--apply"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            until_building(&database, Duration::from_millis(10 * round)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            broken += count(&database, "relname LIKE 'tidewall_%' AND NOT indisvalid").await;
            let advice = answer(&index(&database.url(), &["--apply"]).output().unwrap());
            assert_eq!(count(&database, "NOT indisvalid").await, 0, "{advice}");
            let mine =
                "DO $$ DECLARE name text; BEGIN FOR name IN SELECT indexrelid::regclass::text FROM pg_index
                JOIN pg_class ON pg_class.oid = indexrelid WHERE relname LIKE 'tidewall_%'
                LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END $$";
            database.client.batch_execute(mine).await.unwrap();
        }
        assert!(broken > 0, "at least one build was broken off");
        database.drop().await;
    });
}

/// Points at which it is killed; all hundred of them in the long form.
const KILLS: u64 = 6;

/// Waits until an index is being built, and then a while.
async fn until_building(database: &Database<'_>, more: Duration) {
    let building = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index
        WHERE datname = current_database() AND command = 'CREATE INDEX CONCURRENTLY')";
    for _ in 0..3_000 {
        if database.client.query_one(building, &[]).await.unwrap().get(0) {
            tokio::time::sleep(more).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
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
        let url = database.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        let advice = answer(&index(&format!("{scheme}://looker:looks@{place}"), &[]).output().unwrap());
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
        let old = crate::database::connect(&format!("{}?application_name=forgotten", database.url())).await;
        old.batch_execute("BEGIN; SELECT count(*) FROM users; SELECT pg_sleep(6)").await.unwrap();
        let child = index(&database.url(), &["--apply"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        // It ends while the build waits for it.
        tokio::time::sleep(Duration::from_secs(10)).await;
        old.batch_execute("COMMIT").await.unwrap();
        let output = waiting.await.unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains("forgotten"), "{log}");
        assert_eq!(answer(&output).pointer("/applied/0/kept").unwrap(), true);
        database.drop().await;
    });
}
