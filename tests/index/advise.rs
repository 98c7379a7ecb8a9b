//! `tidewall advise` on databases under load: one that never heard of Tidewall, with and without an
//! access log, and the stack of `tidewall dev`.

use std::fmt::Write as _;
use std::future::pending;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Test, answer};
use crate::database::{Database, Server, connect};
use crate::support::tidewall::{self, Folder};

pub(crate) const TESTS: &[Test] = &[
    (
        "advise::a_missing_index_is_advised_and_once_it_is_built_it_is_told_what_came_of_it",
        a_missing_index_is_advised_and_once_it_is_built_it_is_told_what_came_of_it,
    ),
    (
        "advise::sessions_that_wait_for_each_other_are_no_reason_for_a_replica",
        sessions_that_wait_for_each_other_are_no_reason_for_a_replica,
    ),
    ("advise::a_primary_that_is_busy_reading_wants_replicas", a_primary_that_is_busy_reading_wants_replicas),
    ("advise::connections_that_are_not_kept_want_a_pool", connections_that_are_not_kept_want_a_pool),
    ("advise::a_role_that_sees_little_is_told_unknown", a_role_that_sees_little_is_told_unknown),
    (
        "advise::an_access_log_alone_is_enough_for_what_it_tells",
        an_access_log_alone_is_enough_for_what_it_tells,
    ),
    ("advise::no_value_and_no_secret_is_told", no_value_and_no_secret_is_told),
    ("advise::of_a_running_stack_all_is_looked_at", of_a_running_stack_all_is_looked_at),
];

const BY_USER: &str = "SELECT * FROM orders WHERE user_id = $1";
const A_USER: &str = "1 + (random() * 39999)::integer";
/// Of four rows of ten thousand, by the primary key: many milliseconds of reading, and none too many.
const BY_PRIMARY_KEY: &str = "SELECT sum(total) FROM orders WHERE id BETWEEN $1 AND $1 + 40000";

fn command(more: &[&str]) -> Command {
    let mut command = tidewall::command();
    command.arg("advise").args(more);
    if !more.contains(&"--interval") {
        command.args(["--interval", "3"]);
    }
    command.env_remove("DATABASE_URL").env_remove("REPLICA_URLS").stdin(Stdio::null());
    command
}

/// What is advised while `load` goes on.
async fn advised(url: &str, more: &[&str], load: impl Future<Output = ()>) -> Value {
    let mut command = command(&[&["--json", "--database-url", url], more].concat());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    tokio::select! {
        output = output => answer(&output.unwrap()),
        () = load => panic!("the load ended first"),
    }
}

fn advice<'a>(report: &'a Value, tool: &str) -> &'a Value {
    let tools = report["tools"].as_array().unwrap();
    tools.iter().find(|advice| advice["tool"] == tool).unwrap()
}

#[track_caller]
fn check(report: &Value, tool: &str, verdict: &str) {
    let advice = advice(report, tool);
    assert_eq!(advice["verdict"], verdict, "{report:#}");
}

/// Asks again and again, over so many connections.
async fn ask(database: &Database<'_>, sql: &str, value: &str, connections: usize) {
    let one = async || {
        let client = connect(&database.url()).await;
        loop {
            crate::database::call(&client, sql, &[value.to_owned()], 20).await;
        }
    };
    let mut all: Vec<_> = (0..connections).map(|_| Box::pin(one())).collect();
    std::future::poll_fn(|context| {
        for one in &mut all {
            let _going: std::task::Poll<()> = one.as_mut().poll(context);
        }
        std::task::Poll::Pending
    })
    .await
}

fn a_missing_index_is_advised_and_once_it_is_built_it_is_told_what_came_of_it(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let folder = Folder::new();
        let ledger = folder.join("advice.jsonl");
        let ledger = ["--ledger", ledger.to_str().unwrap()];
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let cpus = ["--database-cpus", "1"];
        let more = [ledger, cpus].concat();
        let report = advised(&database.url(), &more, ask(&database, BY_USER, A_USER, 2)).await;
        check(&report, "index", "add_now");
        check(&report, "read_replica", "not_yet");
        assert_eq!(report.pointer("/primary/cause").unwrap(), "missing_index", "{report:#}");
        assert!(advice(&report, "index").pointer("/effect/low").unwrap().as_f64().unwrap() > 50.0);
        assert!(advice(&report, "index")["command"].as_str().unwrap().contains("tidewall index"));

        database.client.batch_execute("CREATE INDEX ON orders (user_id)").await.unwrap();
        let report = advised(&database.url(), &ledger, ask(&database, BY_USER, A_USER, 1)).await;
        check(&report, "index", "in_place");
        let score = report.pointer("/scores/0").unwrap();
        assert_eq!(score["tool"], "index", "{report:#}");
        assert_ne!(score["came"], "worse", "{report:#}");
        // It is told once.
        let report = advised(&database.url(), &ledger, ask(&database, BY_USER, A_USER, 1)).await;
        assert_eq!(report["scores"], Value::Array(Vec::new()), "{report:#}");
        database.drop().await;
    });
}

fn sessions_that_wait_for_each_other_are_no_reason_for_a_replica(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let holder = connect(&database.url()).await;
        holder.batch_execute("BEGIN; UPDATE users SET name = 'x' WHERE id = 1").await.unwrap();
        let wait = async || {
            let client = connect(&database.url()).await;
            client.batch_execute("UPDATE users SET name = 'y' WHERE id = 1").await.unwrap();
        };
        let load = async {
            tokio::join!(wait(), wait(), wait(), wait());
        };
        let report = advised(&database.url(), &["--database-cpus", "1"], load).await;
        check(&report, "read_replica", "not_yet");
        assert_eq!(report.pointer("/primary/cause").unwrap(), "lock_queue", "{report:#}");
        database.drop().await;
    });
}

fn a_primary_that_is_busy_reading_wants_replicas(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let load = ask(&database, BY_PRIMARY_KEY, "1 + (random() * 150000)::integer", 3);
        let report = advised(&database.url(), &["--database-cpus", "1"], load).await;
        check(&report, "read_replica", "add_now");
        assert_eq!(report.pointer("/primary/cause").unwrap(), "read_load", "{report:#}");
        check(&report, "pool", "in_place");
        database.drop().await;
    });
}

fn connections_that_are_not_kept_want_a_pool(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let load = async {
            loop {
                let client = connect(&database.url()).await;
                client.query("SELECT 1", &[]).await.unwrap();
            }
        };
        let report = advised(&database.url(), &["--database-cpus", "64"], load).await;
        check(&report, "pool", "add_now");
        check(&report, "read_replica", "not_yet");
        database.drop().await;
    });
}

fn a_role_that_sees_little_is_told_unknown(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let roles = "DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 'looks'; EXCEPTION WHEN duplicate_object THEN END $$;
            DO $$ BEGIN CREATE ROLE monitor LOGIN PASSWORD 'looks'; EXCEPTION WHEN duplicate_object THEN END $$;
            DO $$ BEGIN CREATE ROLE watcher LOGIN PASSWORD 'looks'; EXCEPTION WHEN duplicate_object THEN END $$;
            GRANT pg_monitor, pg_read_all_data TO monitor;
            GRANT pg_monitor TO watcher";
        database.client.batch_execute(roles).await.unwrap();
        database.call(BY_USER, &[A_USER.to_owned()], 60).await;
        let load = || ask(&database, BY_USER, A_USER, 2);
        // Long enough for what it asks itself to be counted fifty times.
        let stranger = database.url_of("stranger", "looks");
        let report = advised(&stranger, &["--interval", "11"], load()).await;
        check(&report, "index", "unknown");
        check(&report, "read_replica", "unknown");
        assert!(report["unknown"].to_string().contains("pg_monitor"), "{report:#}");
        // One that sees the statements, and may not plan them, learns nothing of indexes.
        let report = advised(&database.url_of("watcher", "looks"), &[], load()).await;
        check(&report, "index", "unknown");
        // One that reads, and nothing else, is enough.
        let report = advised(&database.url_of("monitor", "looks"), &[], load()).await;
        check(&report, "index", "add_now");
        assert_eq!(report["unknown"], Value::Array(Vec::new()), "{report:#}");
        database.drop().await;
    });
}

/// A line of an access log, in the Combined Log Format with a duration.
fn line(log: &mut String, second: u32, client: u32, request: &str, bytes: u32, seconds: f64) {
    let at = format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
    writeln!(
        log,
        "10.0.0.{client} - - [10/Oct/2025:{at} +0000] \"{request} HTTP/1.1\" 200 {bytes} \"-\" \"x\" {seconds:.3}"
    )
    .unwrap();
}

fn an_access_log_alone_is_enough_for_what_it_tells(_: &Server) {
    let folder = Folder::new();
    let mut log = String::new();
    for second in 0..1_000 {
        line(&mut log, second, second % 200, "GET /api/daily?secret=hunter2", 5_000, 0.6);
        line(&mut log, second, second % 200, "GET /u/anna?a=b", 900 + second % 7, 0.01);
        line(&mut log, second, second % 200, &format!("GET /api/things/{second}"), 900 + second, 0.02);
        line(&mut log, second, second % 200, "GET /assets/app.js", 400_000, 0.05);
        if second % 100 == 0 {
            line(&mut log, second, 7, "POST /reports", 50, 31.0);
        }
    }
    let file = folder.join("access.log");
    std::fs::write(&file, log).unwrap();
    let page = folder.join("report.html");
    let more = ["--access-log", file.to_str().unwrap(), "--html", page.to_str().unwrap(), "--ledger"];
    let ledger = folder.join("ledger");
    let mut more = more.to_vec();
    more.push(ledger.to_str().unwrap());
    let text = command(&more).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    more.push("--json");
    let report = answer(&command(&more).output().unwrap());
    check(&report, "cdn", "add_now");
    check(&report, "cache", "add_now");
    check(&report, "queue", "add_now");
    for unknown in ["load_balancer", "index", "read_replica", "pool"] {
        check(&report, unknown, "unknown");
    }
    assert_eq!(report["stage"], 1);
    for field in ["evidence", "threshold", "effect", "cost", "command"] {
        assert!(!advice(&report, "cdn")[field].is_null(), "{field}");
    }
    let html = std::fs::read_to_string(&page).unwrap();
    for told in [&text, &html, &report.to_string()] {
        assert!(told.contains("GET /api/daily") && !told.contains("hunter2"), "{told}");
    }
    // A file that is no log is told, and not taken for an empty one.
    std::fs::write(&file, "starting up\n").unwrap();
    let output = command(&more).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no line of an access log"));
}

fn no_value_and_no_secret_is_told(server: &Server) {
    server.runtime.block_on(async {
        let database = server.database().await;
        let folder = Folder::new();
        let ledger = folder.join("advice.jsonl");
        let statements = "SELECT count(*) FROM users WHERE email = 'secret-value';
            DO $$ BEGIN PERFORM 'secret-value'; END $$;
            SET application_name = 'secret-value'";
        for _ in 0..60 {
            database.client.batch_execute(statements).await.unwrap();
        }
        let (url, ledger) = (database.url(), ledger.to_str().unwrap().to_owned());
        let password = url.split_once("://").unwrap().1.split_once('@').unwrap().0;
        let password = password.split_once(':').map_or("no password", |(_, password)| password);
        for format in [&["--json"][..], &[]] {
            let mut command = command(&["--database-url", &url, "--ledger", &ledger]);
            let output = command.args(format).output().unwrap();
            assert!(output.status.success());
            let told = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!told.contains("secret-value") && !told.contains(password), "{told}");
        }
        let written = std::fs::read_to_string(ledger).unwrap();
        assert!(!written.contains("secret-value") && !written.contains(password), "{written}");
        database.drop().await;
    });
}

fn of_a_running_stack_all_is_looked_at(server: &Server) {
    server.runtime.block_on(async {
        let origin = server.text("/origins/0/url");
        let load = async {
            let client = tidewall::client();
            loop {
                let answer = client.get(format!("{origin}/api/products")).send().await.unwrap();
                let _body = answer.bytes().await.unwrap();
            }
        };
        let mut command = command(&["--json"]);
        command.arg("--data").arg(server.folder());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let report = tokio::select! {
            output = output => answer(&output.unwrap()),
            () = load => pending().await,
        };
        check(&report, "pool", "in_place");
        assert!(
            ["add_now", "not_yet"].contains(&advice(&report, "load_balancer")["verdict"].as_str().unwrap())
        );
        check(&report, "queue", "not_yet");
        assert!(advice(&report, "queue")["evidence"].to_string().contains("GET /api/products"), "{report:#}");
        assert!(server.folder().join("advice.jsonl").exists());
    });
}
