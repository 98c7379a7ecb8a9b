//! What can be done with the primary and its replicas while they run, and what a start makes of it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use serde_json::json;
use tidewall_api::lab::ReadBack;
use tokio_postgres::NoTls;

use crate::support::poll;
use crate::support::tidewall::{Folder, Running, client, logged_in};

/// One stack at a time: each takes both cores while it starts.
static ONE_STACK: Mutex<()> = Mutex::new(());

/// Time that a server needs at most for anything it is told.
const DEADLINE: Duration = Duration::from_secs(60);

/// A stack of servers, and as little else as there can be.
const SERVERS: [&str; 6] = ["--seed", "100", "--no-edge", "--no-worker", "--origins", "1"];

fn run<T>(asking: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(asking)
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The primary, then the replicas.
async fn servers(stack: &Running) -> [tokio_postgres::Client; 3] {
    let urls = ["/primary", "/replicas/0", "/replicas/1"].map(|pointer| stack.text(pointer));
    [connect(&urls[0]).await, connect(&urls[1]).await, connect(&urls[2]).await]
}

/// Waits until `question`, a condition in SQL, is true.
async fn until(client: &tokio_postgres::Client, question: &str) {
    let answer = poll::until_async(DEADLINE, async || {
        client.query_one(&format!("SELECT {question}"), &[]).await.ok()?.get::<_, bool>(0).then_some(())
    });
    answer.await.unwrap_or_else(|| panic!("never true: {question}"));
}

async fn setting(client: &tokio_postgres::Client, name: &str) -> String {
    client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0)
}

/// Has a running replica follow another server.
async fn follow(replica: &tokio_postgres::Client, conninfo: &str, slot: &str) {
    let settings = [("primary_conninfo", conninfo), ("primary_slot_name", slot)];
    for (name, value) in settings {
        let statement = format!("ALTER SYSTEM SET {name} = '{}'", value.replace('\'', "''"));
        replica.batch_execute(&statement).await.unwrap();
    }
    replica.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

#[test]
fn a_promoted_replica_can_be_followed_at_once_and_is_the_primary_of_the_next_start() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack = Running::dev(&folder.0, &SERVERS);
    run(async {
        let [primary, promoted, other] = servers(&stack).await;
        let here = setting(&other, "primary_conninfo").await;
        // It must get nothing of the former primary that the promoted one never had.
        follow(&other, "", "").await;
        until(&primary, "count(*) = 1 FROM pg_stat_replication").await;
        let before = "CREATE TABLE kept (what text); INSERT INTO kept VALUES ('before')";
        primary.batch_execute(before).await.unwrap();
        until(&promoted, "to_regclass('kept') IS NOT NULL").await;
        promoted.batch_execute("SELECT pg_promote()").await.unwrap();
        primary.batch_execute("INSERT INTO kept VALUES ('of the former primary')").await.unwrap();

        let port = |pointer: &str| {
            let url = stack.text(pointer);
            format!("port={}", url.rsplit_once(':').unwrap().1.split('/').next().unwrap())
        };
        follow(&other, &here.replace(&port("/primary"), &port("/replicas/0")), "").await;
        promoted.batch_execute("INSERT INTO kept VALUES ('after')").await.unwrap();
        until(&other, "EXISTS (SELECT FROM kept WHERE what = 'after')").await;
    });
    stack.signal(Signal::TERM);
    assert!(stack.wait().success());

    let stack = Running::dev(&folder.0, &SERVERS);
    let log = stack.log();
    assert!(log.contains("replica1 was promoted (timeline 2): it is the primary now"), "{log}");
    assert!(folder.join("data/postgres/primary.timeline1/PG_VERSION").is_file(), "{log}");
    run(async {
        let [primary, replicas @ ..] = servers(&stack).await;
        let kept = "(SELECT string_agg(what, ', ') FROM kept) = 'before, after'";
        until(&primary, kept).await;
        for replica in &replicas {
            until(replica, kept).await;
            until(replica, "pg_is_in_recovery()").await;
        }
    });
}

#[test]
fn a_synchronous_commit_waits_until_one_replica_has_it() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let stack = Running::dev(&folder.0, &[&SERVERS[..], &["--synchronous"]].concat());
    run(async {
        let [primary, replicas @ ..] = servers(&stack).await;
        assert_eq!(setting(&primary, "synchronous_standby_names").await, "ANY 1 (replica1, replica2)");
        let conninfo = setting(&replicas[0], "primary_conninfo").await;
        for replica in &replicas {
            follow(replica, "", "").await;
        }
        until(&primary, "NOT EXISTS (SELECT FROM pg_stat_replication)").await;

        let writer = connect(&stack.text("/primary")).await;
        let write = tokio::spawn(async move { writer.batch_execute("CREATE TABLE waited ()").await });
        until(&primary, "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')").await;
        assert!(!write.is_finished());
        follow(&replicas[0], &conninfo, "tidewall_replica1").await;
        write.await.unwrap().unwrap();
        until(&replicas[0], "to_regclass('waited') IS NOT NULL").await;
    });
}

/// Who may play with the system, and what becomes of what they did.
#[test]
fn what_the_lab_does_is_for_staff_and_over_by_itself() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack = Running::dev(&folder.0, &["--seed", "100", "--no-edge", "--no-worker", "--origins", "2"]);
    let killed = run(async {
        let origin = stack.text("/origins/0/url");
        let account = json!({ "email": "somebody@example.com", "password": "correct horse battery" });
        let signed_up = client().post(format!("{origin}/api/users")).json(&account).send().await.unwrap();
        assert_eq!(signed_up.status(), 201);
        let somebody = logged_in(&origin, &account).await;
        let staff = stack.staff().await;
        let lag = async |client: &Client, milliseconds: u32| {
            let url = format!("{origin}/api/lab/lag");
            let held = client.put(url).json(&json!({ "milliseconds": milliseconds })).send().await;
            held.unwrap().status().as_u16()
        };
        assert_eq!(lag(&client(), 100).await, 401);
        assert_eq!(lag(&somebody, 100).await, 403);
        assert_eq!(lag(&staff, 3_001).await, 422);
        let is_stale = async |from: &str| {
            let read = staff.post(format!("{origin}/api/lab/replicas/{from}")).send().await.unwrap();
            read.json::<ReadBack>().await.unwrap().is_stale
        };
        let [_, first, second] = servers(&stack).await;
        assert_eq!(lag(&staff, 2_000).await, 204);
        for replica in [&first, &second] {
            until(replica, "current_setting('recovery_min_apply_delay') = '2s'").await;
        }
        assert!(is_stale("eventual").await, "replicas are held back");
        for _ in 0..10 {
            assert!(!is_stale("bookmark").await && !is_stale("primary").await);
        }
        // Nobody asks for more of it.
        for replica in [&first, &second] {
            until(replica, "current_setting('recovery_min_apply_delay') = '0'").await;
        }
        let kill = format!("{origin}/api/lab/origins/{}/kill", stack.text("/origins/1/id"));
        assert_eq!(client().post(&kill).send().await.unwrap().status(), 401);
        assert_eq!(staff.post(&kill).send().await.unwrap().status(), 204);
        // Not one after the other: somebody must be there.
        let own = format!("{origin}/api/lab/origins/{}/kill", stack.text("/origins/0/id"));
        assert_eq!(staff.post(&own).send().await.unwrap().status(), 409);
        stack.ready["origins"][1]["pid"].clone()
    });
    // It is started again, as another process.
    stack.wait_for_ready_file(DEADLINE, |ready| {
        ready["origins"][1]["pid"].is_number() && ready["origins"][1]["pid"] != killed
    });
    stack.signal(Signal::TERM);
    assert!(stack.wait().success());
}
