//! How a stack starts, recovers and stops, seen from outside.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::browser::Chromium;
use crate::support::poll;
use crate::support::processes::{descendants, signal, still_running};
use crate::support::tidewall::{Folder, READY_DEADLINE, Running, client, output};

/// One stack at a time: each takes both cores while it starts.
static ONE_STACK: Mutex<()> = Mutex::new(());

/// Time everything has to end in: the longest stop of a part, and the next part's.
const END_DEADLINE: Duration = Duration::from_secs(60);
/// Time in which a change is put to use: nothing has to be compiled for it, but another
/// build may have to end first.
const CHANGE_DEADLINE: Duration = Duration::from_secs(5 * 60);

fn run<T>(asking: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(asking)
}

#[test]
fn sigterm_leaves_no_process_and_no_ready_file() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack = Running::dev(&folder.0, &["--seed", "100"]);
    let processes = descendants(stack.pid());
    for name in ["tidewall-origin", "workerd", "postgres"] {
        assert!(
            processes.iter().any(|process| process.command.starts_with(&name[..name.len().min(15)])),
            "{name} in {processes:?}"
        );
    }
    stack.signal(Signal::TERM);
    assert!(stack.wait().success(), "{}", stack.log());
    assert!(
        still_running(&processes, END_DEADLINE).is_empty(),
        "{:?}",
        still_running(&processes, Duration::ZERO)
    );
    assert!(!folder.join("ready.json").exists());
}

#[test]
fn a_rolling_restart_fails_no_request() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack = Running::dev(&folder.0, &["--seed", "100", "--no-worker"]);
    let edge = stack.text("/edge");
    let data = folder.join("data");
    let is_over = AtomicBool::new(false);
    let product =
        json!({ "name": "Lamp", "category": "lights", "price_cents": 1, "stock": 1, "description": "" });
    let client = run(stack.staff());
    let read = async || {
        let mut sent = 0;
        while !is_over.load(Ordering::SeqCst) {
            // What no cache has.
            let answer = client.get(format!("{edge}/api/jobs/999999999")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{answer:?}");
            sent += 1;
        }
        sent
    };
    let write = async || {
        let mut sent = 0;
        while !is_over.load(Ordering::SeqCst) {
            let answer = client.put(format!("{edge}/api/products/1")).json(&product).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{answer:?}");
            sent += 1;
        }
        sent
    };
    let restart = async || {
        for _ in 0..3 {
            let data = data.to_str().unwrap().to_owned();
            let restarted =
                tokio::task::spawn_blocking(move || output(&["rolling-restart", "--data", &data]));
            let restarted = restarted.await.unwrap();
            assert!(restarted.status.success(), "{}", String::from_utf8_lossy(&restarted.stderr));
        }
        is_over.store(true, Ordering::SeqCst);
    };
    let pids = |ready: &Value| [ready["origins"][0]["pid"].clone(), ready["origins"][1]["pid"].clone()];
    let before = pids(&stack.ready);
    let sent = run(async {
        let (a, b, c, d, ()) = tokio::join!(read(), read(), read(), write(), restart());
        [a, b, c, d]
    });
    assert!(sent.iter().all(|sent| *sent > 50), "{sent:?}");
    let after = stack.wait_for_ready_file(END_DEADLINE, |_| true);
    let after = pids(&after);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{before:?} {after:?}");
}

#[test]
fn a_rolling_restart_of_nothing_says_so() {
    let folder = Folder::new();
    let refused = output(&["rolling-restart", "--data", folder.0.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("no tidewall runs on"), "{said}");
}

#[test]
fn after_sigkill_the_next_start_clears_what_was_left_and_keeps_the_data() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-edge", "--replicas", "1"];
    let mut stack = Running::dev(&folder.0, &args);
    let product =
        json!({ "name": "A lamp", "category": "garden", "price_cents": 1, "stock": 1, "description": "" });
    let path = run(async {
        let products = format!("{}/api/products", stack.text("/origins/0/url"));
        let made = stack.staff().await.post(products).json(&product).send().await.unwrap();
        made.headers()["location"].to_str().unwrap().to_owned()
    });
    let left = descendants(stack.pid());
    stack.signal(Signal::KILL);
    stack.wait();
    assert!(!still_running(&left, Duration::ZERO).is_empty(), "nothing was left to clear");
    fs::remove_file(folder.join("ready.json")).unwrap();

    let mut stack = Running::dev(&folder.0, &[&args[..], &["--origins", "1"]].concat());
    assert!(still_running(&left, END_DEADLINE).is_empty(), "{left:?}");
    assert!(stack.log().contains("ended what an earlier run had left"), "{}", stack.log());
    let kept: Value = run(async {
        let url = format!("{}{path}", stack.text("/origins/0/url"));
        client().get(url).send().await.unwrap().json().await.unwrap()
    });
    assert_eq!(kept["name"], "A lamp");
    stack.signal(Signal::INT);
    assert!(stack.wait().success());
}

#[test]
fn an_edge_that_was_killed_is_cleared_by_the_next_one() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let args = ["edge", "--edge-port", "0", "--origin", "http://127.0.0.1:1"];
    let mut edge = Running::start(&folder.0, &args, &[]);
    let left = descendants(edge.pid());
    assert!(left.iter().any(|process| process.command == "workerd"), "{left:?}");
    edge.signal(Signal::KILL);
    edge.wait();
    fs::remove_file(folder.join("ready.json")).unwrap();

    let _edge = Running::start(&folder.0, &args, &[]);
    assert!(still_running(&left, END_DEADLINE).is_empty(), "{left:?}");
}

#[test]
fn a_new_database_never_meets_an_old_cache() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let data = folder.join("data").display().to_string();
    // What is stored is stored under the edge's own address, so both have to have the same.
    let start = |edge_port: &str| {
        let more = ["--no-worker", "--replicas", "0", "--origins", "1", "--seed", "100"];
        let dev = ["dev", "--no-open", "--origin-port", "0", "--pg-port", "0", "--data", &data];
        Running::start(&folder.0, &[&dev[..], &more, &["--edge-port", edge_port]].concat(), &[])
    };
    let mut stack = start("0");
    let cache_status = async |stack: &Running| {
        let url = format!("{}/api/products/7", stack.text("/edge"));
        let response = client().get(url).send().await.unwrap();
        response.headers()["cache-status"].to_str().unwrap().to_owned()
    };
    let stored = run(poll::until_async(Duration::from_secs(60), async || {
        cache_status(&stack).await.contains("hit").then_some(())
    }));
    assert!(stored.is_some(), "it is never stored");
    stack.signal(Signal::TERM);
    assert!(stack.wait().success());

    // The same directory, with another database in it.
    fs::remove_dir_all(folder.join("data/postgres")).unwrap();
    let edge_port = stack.text("/edge").rsplit_once(':').unwrap().1.to_owned();
    let stack = start(&edge_port);
    assert_eq!(run(cache_status(&stack)), "tidewall; fwd=uri-miss; stored");
}

#[test]
fn a_proxy_in_the_environment_is_not_asked_for_what_runs_here() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    // What has to be fetched is there after this.
    assert!(output(&["build", "--dev"]).status.success());
    let args = ["--seed", "100", "--no-worker", "--replicas", "0", "--origins", "1"];
    let stack = Running::dev_with(&folder.0, &args, &[("HTTP_PROXY", "http://127.0.0.1:1")]);
    assert_ne!(stack.text("/edge"), "");
}

#[test]
fn orders_that_are_there_stay_however_many_are_wanted() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let args = ["--no-edge", "--no-worker", "--replicas", "0", "--origins", "1", "--seed"];
    drop(Running::dev(&folder.0, &[&args[..], &["100"]].concat()));
    let stack = Running::dev(&folder.0, &[&args[..], &["200"]].concat());
    assert!(stack.log().contains("the database keeps the 100 orders that it has"), "{}", stack.log());
}

#[test]
fn a_killed_origin_is_started_again_on_its_port() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack =
        Running::dev(&folder.0, &["--seed", "100", "--no-edge", "--no-worker", "--replicas", "0"]);
    let killed = stack.ready["origins"][1].clone();
    signal(u32::try_from(killed["pid"].as_u64().unwrap()).unwrap(), Signal::KILL);
    let ready = stack
        .wait_for_ready_file(READY_DEADLINE, |ready: &Value| ready["origins"][1]["pid"] != killed["pid"]);
    assert_eq!(ready["origins"][1]["url"], killed["url"]);
    assert_eq!(ready["workers"], serde_json::json!([]));
    assert!(ready.get("edge").is_none());
    let log = stack.log();
    assert!(log.contains("origin-b ended"), "{log}");
}

/// The server that has the order dies after it was written and before it has answered; the reader asks
/// again.
#[test]
fn who_orders_while_an_origin_dies_has_ordered_once() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let mut stack = Running::dev(&folder.0, &["--seed", "100", "--replicas", "0", "--no-worker"]);
    let edge = stack.text("/edge");
    let pids = |ready: &Value| [0, 1].map(|index| ready["origins"][index]["pid"].as_u64());
    let before = pids(&stack.ready);
    run(async {
        let (primary, connection) =
            tokio_postgres::connect(&stack.text("/primary"), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let account = json!({ "email": "buyer@example.com", "password": "correct horse battery" });
        let signed_up = client().post(format!("{edge}/api/users")).json(&account).send().await.unwrap();
        assert_eq!(signed_up.status(), 201);
        let in_stock = "SELECT id FROM products WHERE stock > 20 ORDER BY id LIMIT 1";
        let id: i64 = primary.query_one(in_stock, &[]).await.unwrap().get(0);

        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{edge}/login?next=/products/{id}")).await;
        tab.until("document.querySelector('form.form button')?.disabled === false").await;
        tab.fill("input[type=email]", "buyer@example.com").await;
        tab.fill("input[type=password]", "correct horse battery").await;
        tab.click("form.form button[type=submit]").await;
        tab.until("[...document.querySelectorAll('.buy button')].some(b => !b.disabled)").await;
        tab.click(".buy button").await;
        tab.until("document.querySelector('.buy p')?.innerText.includes('1 in your cart')").await;
        // Shown before the server has it; with this document it would go.
        let has_it =
            format!("performance.getEntriesByName('{edge}/api/cart/{id}').some(put => put.responseEnd > 0)");
        tab.until(&has_it).await;
        tab.page.goto(format!("{edge}/cart")).await.unwrap();
        tab.until("document.querySelector('.sum button')?.disabled === false").await;

        // Its commit waits, and goes on without whoever asked for it.
        let wait =
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql SET client_connection_check_interval = 0
                AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION wait();
            SELECT pg_advisory_lock(4711)";
        primary.batch_execute(wait).await.unwrap();
        tab.click(".sum button").await;
        let waits =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
        let waiting = poll::until_async(END_DEADLINE, || async {
            let waiting: i64 = primary.query_one(waits, &[]).await.unwrap().get(0);
            (waiting > 0).then_some(())
        });
        assert!(waiting.await.is_some(), "nobody orders");
        for pid in before.into_iter().flatten() {
            signal(u32::try_from(pid).unwrap(), Signal::KILL);
        }
        primary.batch_execute("SELECT pg_advisory_unlock(4711)").await.unwrap();
        tab.until(
            "location.pathname === '/orders' || document.querySelector('[role=alert] .alert') !== null",
        )
        .await;
        tab.keep("checkout-origin-killed").await;
        stack.wait_for_ready_file(READY_DEADLINE, |ready| {
            pids(ready).iter().zip(before).all(|(now, before)| now.is_some() && *now != before)
        });
        // As often as it takes until the edge has found the new ones.
        let ordered = poll::until_async(END_DEADLINE, || async {
            let ask = "(() => {
                if (location.pathname === '/orders') return true;
                const button = document.querySelector('.sum button');
                if (button && !button.disabled) button.click();
                return false;
            })()";
            tab.page.evaluate(ask).await.ok()?.into_value::<bool>().ok()?.then_some(())
        });
        assert!(ordered.await.is_some(), "{}", tab.text("document.body.innerText").await);
        tab.until("document.body.innerText.includes('is placed')").await;
        let orders =
            "SELECT count(*) FROM orders JOIN users ON users.id = user_id WHERE email = 'buyer@example.com'";
        assert_eq!(primary.query_one(orders, &[]).await.unwrap().get::<_, i64>(0), 1);
        chromium.close().await;
    });
    stack.signal(Signal::TERM);
    assert!(stack.wait().success());
}

#[test]
fn a_second_stack_on_the_same_data_directory_is_refused() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    let _stack = Running::dev(
        &folder.0,
        &["--seed", "100", "--no-edge", "--no-worker", "--replicas", "0", "--origins", "1"],
    );
    let data = folder.join("data");
    let second = output(&[
        "dev",
        "--no-open",
        "--data",
        data.to_str().unwrap(),
        "--edge-port",
        "0",
        "--origin-port",
        "0",
        "--pg-port",
        "0",
    ]);
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8_lossy(&second.stderr);
    assert!(error.contains("another tidewall is running on"), "{error}");
}

#[test]
fn a_changed_source_of_the_origin_restarts_the_origins() {
    let _one = ONE_STACK.lock();
    let folder = Folder::new();
    // Sources of its own: a stack that watches the checkout is not for this test to disturb.
    for part in ["app", "assets", "edge", "origin", "public"] {
        fs::create_dir_all(folder.join("sources").join(part)).unwrap();
    }
    let sources = folder.join("sources").display().to_string();
    let args = ["--seed", "100", "--watch", "--watch-folder", &sources, "--no-edge", "--no-worker"];
    let mut stack = Running::dev(&folder.0, &[&args[..], &["--replicas", "0", "--origins", "1"]].concat());
    let pid = stack.ready["origins"][0]["pid"].clone();
    fs::write(folder.join("sources/origin/lib.rs"), "").unwrap();
    let ready = stack.wait_for_ready_file(CHANGE_DEADLINE, |ready: &Value| ready["origins"][0]["pid"] != pid);
    assert_eq!(ready["origins"][0]["url"], stack.ready["origins"][0]["url"]);
}
