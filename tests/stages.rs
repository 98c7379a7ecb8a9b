//! The article's four stages, on one database: a tool at a time, and nothing is written anew.
//!
//! Beside each runs what `tidewall stage` has written for a server, from its own units.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Method, Response};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::poll;
use crate::support::tidewall::{Folder, Running, client, command, output, with_token};

const SOON: Duration = Duration::from_secs(60);

/// What a stage has, as its ready file tells it.
struct Expected {
    has_edge: bool,
    origins: usize,
    workers: usize,
    replicas: usize,
}

const STAGES: [Expected; 4] = [
    Expected { has_edge: false, origins: 1, workers: 0, replicas: 0 },
    Expected { has_edge: true, origins: 1, workers: 0, replicas: 0 },
    Expected { has_edge: true, origins: 2, workers: 1, replicas: 0 },
    Expected { has_edge: true, origins: 2, workers: 1, replicas: 2 },
];

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_starts_on_what_the_last_one_left_and_the_shop_works() {
    let folder = Folder::new();
    let data = folder.join("data").display().to_string();
    let written = folder.join("server");
    let program = made_edge_program();
    let mut known = Vec::new();
    for (number, expected) in (1..).zip(STAGES) {
        let stage = u8::to_string(&number);
        let args = ["dev", "--no-open", "--edge-port", "0", "--origin-port", "0", "--pg-port", "0"];
        let more = ["--data", &data, "--seed", "500", "--stage", &stage];
        let mut stack = Running::start(&folder.0, &[&args[..], &more].concat(), &[]);
        let ready = &stack.ready;
        let count = |what: &str| ready[what].as_array().unwrap().len();
        assert_eq!(ready.get("edge").is_some(), expected.has_edge, "{stage}: {ready}");
        let counts = (count("origins"), count("workers"), count("replicas"));
        assert_eq!(counts, (expected.origins, expected.workers, expected.replicas), "{stage}");

        let shop = if expected.has_edge { stack.text("/edge") } else { stack.text("/origins/0/url") };
        somebody_buys(&shop, &format!("stage-{stage}"), &known).await;
        known.push(format!("stage-{stage}"));
        if expected.has_edge {
            answers_are_kept(&shop).await;
        }
        if expected.origins > 1 {
            requests_are_shared(&shop).await;
        }
        if expected.replicas > 0 {
            replicas_serve(&stack.text("/origins/0/url")).await;
        }

        let wrote = output(&["stage", &stage, "--output", written.to_str().unwrap()]);
        assert!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
        let server = Server::start(&written, &stack, &folder, &program).await;
        somebody_buys(&server.url, &format!("server-{stage}"), &[]).await;
        if expected.has_edge {
            answers_are_kept(&server.url).await;
        }
        if expected.origins > 1 {
            requests_are_shared(&server.url).await;
        }
        drop(server);

        stack.signal(Signal::TERM);
        assert!(stack.wait().success(), "{}", stack.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_without_an_edge_is_seen_once_there_is_one_again() {
    let folder = Folder::new();
    let data = folder.join("data").display().to_string();
    let start = |stage: &str, edge_port: &str| {
        let args =
            ["dev", "--no-open", "--origin-port", "0", "--pg-port", "0", "--seed", "100", "--data", &data];
        Running::start(&folder.0, &[&args[..], &["--stage", stage, "--edge-port", edge_port]].concat(), &[])
    };
    let stop = |mut stack: Running| {
        stack.signal(Signal::TERM);
        assert!(stack.wait().success(), "{}", stack.log());
    };
    let stack = start("2", "0");
    let edge = stack.text("/edge");
    let port = edge.rsplit(':').next().unwrap().to_owned();
    answers_are_kept(&edge).await;
    stop(stack);

    let stack = start("1", "0");
    let staff = stack.staff().await;
    let url = format!("{}/api/products/42", stack.text("/origins/0/url"));
    let product =
        json!({ "name": "Renamed", "category": "a", "price_cents": 1, "stock": 1, "description": "b" });
    assert_eq!(send(&staff, Method::PUT, &url, &product).await.status(), 200);
    stop(stack);

    let stack = start("2", &port);
    let seen: Value =
        client().get(format!("{edge}/api/products/42")).send().await.unwrap().json().await.unwrap();
    assert_eq!(seen["name"], "Renamed");
    stop(stack);
}

async fn send(client: &reqwest::Client, method: Method, url: &str, body: &Value) -> Response {
    client.request(method, url).json(body).send().await.unwrap()
}

/// Somebody signs up under a name, orders, and has a report made; those who did before are `known` still.
async fn somebody_buys(shop: &str, name: &str, known: &[String]) {
    let page = client().get(format!("{shop}/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("</html>"));
    let account =
        |name: &str| json!({ "email": format!("{name}@example.com"), "password": "correct horse battery" });
    let signed_up = send(&client(), Method::POST, &format!("{shop}/api/users"), &account(name)).await;
    assert_eq!(signed_up.status(), 201);
    let signed_up: Value = signed_up.json().await.unwrap();
    let person = with_token(signed_up["token"].as_str().unwrap());
    for name in known {
        let logged_in = send(&client(), Method::POST, &format!("{shop}/api/session"), &account(name)).await;
        assert_eq!(logged_in.status(), 200, "{name}");
    }
    let list: Value =
        client().get(format!("{shop}/api/products")).send().await.unwrap().json().await.unwrap();
    let in_stock = |product: &&Value| product["stock"].as_i64().unwrap() > 10;
    let product = list["items"].as_array().unwrap().iter().find(in_stock).unwrap()["id"].as_i64().unwrap();
    let url = format!("{shop}/api/cart/{product}");
    let put = send(&person, Method::PUT, &url, &json!({ "quantity": 1 })).await;
    assert_eq!(put.status(), 200);
    let bookmark = put.headers().get("tidewall-bookmark").cloned();
    let mut order = person.post(format!("{shop}/api/orders")).json(&json!({}));
    if let Some(bookmark) = bookmark {
        order = order.header("tidewall-bookmark", bookmark);
    }
    let ordered = order.send().await.unwrap();
    assert_eq!(ordered.status(), 201);
    let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-12-31" });
    let asked = send(&person, Method::POST, &format!("{shop}/api/reports"), &report).await;
    assert_eq!(asked.status(), 202);
    let job = format!("{shop}{}", asked.headers()["location"].to_str().unwrap());
    let done = poll::until_async(SOON, || async {
        let job: Value = person.get(&job).send().await.ok()?.json().await.ok()?;
        (job["state"] == "completed").then_some(job)
    });
    let done = done.await.expect("the report is made");
    let file = person.get(format!("{shop}{}", done["result"]["url"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(file.status(), 200);
}

/// The edge answers by itself what was asked before.
async fn answers_are_kept(shop: &str) {
    let kept = poll::until_async(SOON, || async {
        let answer = client().get(format!("{shop}/api/products/42")).send().await.ok()?;
        let status = answer.headers().get("cache-status")?.to_str().ok()?.to_owned();
        status.starts_with("tidewall; hit").then_some(())
    });
    kept.await.expect("an answer is kept");
}

/// Both origins answer.
async fn requests_are_shared(shop: &str) {
    let mut origins = BTreeSet::new();
    for _ in 0..20 {
        let answer = client().get(format!("{shop}/api/notifications")).send().await.unwrap();
        origins.extend(
            answer.headers().get("tidewall-origin").map(|origin| origin.to_str().unwrap().to_owned()),
        );
    }
    assert_eq!(origins, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
}

/// An origin reads from replicas.
async fn replicas_serve(origin: &str) {
    let read = poll::until_async(SOON, || async {
        let answer = client().get(format!("{origin}/api/products/43")).send().await.ok()?;
        (answer.headers().get("tidewall-lsn")? != "primary").then_some(())
    });
    read.await.expect("a replica serves");
}

/// The edge as one program, as it is developed.
fn made_edge_program() -> PathBuf {
    let built = command().args(["build", "--dev", "--edge-program"]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dev/edge-program/tidewall-edge")
}

/// What the units of a folder run, on the database of a stack, with paths and ports of the test's own.
struct Server {
    children: Vec<Child>,
    /// Where people reach it: the edge, or the only origin.
    url: String,
}

impl Server {
    async fn start(written: &Path, stack: &Running, folder: &Folder, program: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(written.join(name)).ok();
        let replicas: Vec<_> =
            stack.ready["replicas"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
        let mut environment = variables(&read("tidewall.env").unwrap());
        // What its owner fills in.
        environment.insert("DATABASE_URL".into(), stack.text("/primary"));
        if environment.contains_key("REPLICA_URLS") {
            environment.insert("REPLICA_URLS".into(), replicas.join(","));
        }
        let (ports, edge_port): (Vec<u16>, u16) = ((0..2).map(|_| free_port()).collect(), free_port());
        if environment.contains_key("EDGE_URL") {
            environment.insert("EDGE_URL".into(), format!("http://127.0.0.1:{edge_port}"));
        }
        if let Some(of_edge) = read("edge.env") {
            let of_edge =
                of_edge.replace("8081", &ports[0].to_string()).replace("8082", &ports[1].to_string());
            environment.extend(variables(&of_edge));
        }
        let state = folder.join("edge-state");
        let _left = fs::remove_dir_all(&state);
        fs::create_dir_all(&state).unwrap();
        let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dev/site");
        let origin = Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("tidewall-origin");
        let start = |unit: &str, port: u16| {
            let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
            let line = line
                .replace("%i", &port.to_string())
                .replace("127.0.0.1:8787", &format!("127.0.0.1:{edge_port}"))
                .replace("/usr/local/bin/tidewall-origin", origin.to_str().unwrap())
                .replace("/usr/local/bin/tidewall-edge", program.to_str().unwrap())
                .replace("/var/cache/tidewall-edge/state", state.to_str().unwrap())
                // Either side's jobs may be worked on by the other.
                .replace("/var/lib/tidewall", folder.join("data").to_str().unwrap())
                .replace("/srv/tidewall/site", site.to_str().unwrap());
            let mut words = line.split(' ');
            let log = fs::File::options().create(true).append(true).open(folder.join("server.log")).unwrap();
            Command::new(words.next().unwrap())
                .args(words)
                .env_clear()
                .envs(&environment)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap()
        };
        let mut migrate = start(&read("tidewall-migrate.service").unwrap(), 0);
        assert!(migrate.wait().unwrap().success());
        let unit = read("tidewall-origin@.service").unwrap();
        let readme = read("README.md").unwrap();
        let mut children = Vec::new();
        let mut urls = Vec::new();
        for (port, named) in ports.iter().zip(["tidewall-origin@8081", "tidewall-origin@8082"]) {
            if readme.contains(&format!("{named} ")) || readme.contains(&format!("{named}`")) {
                children.push(start(&unit, *port));
                urls.push(format!("http://127.0.0.1:{port}"));
            }
        }
        children.extend(read("tidewall-worker.service").map(|unit| start(&unit, 0)));
        let has_edge = read("tidewall-edge.service").is_some();
        children.extend(read("tidewall-edge.service").map(|unit| start(&unit, 0)));
        let server_url = if has_edge { format!("http://127.0.0.1:{edge_port}") } else { urls[0].clone() };
        // They end with it, whatever comes of them.
        let server = Self { children, url: server_url };
        let url = &server.url;
        let up = poll::until_async(SOON, || async {
            for url in &urls {
                let ready = client().get(format!("{url}/readyz")).send().await.ok()?;
                ready.status().is_success().then_some(())?;
            }
            let page = client().get(format!("{url}/")).send().await.ok()?;
            page.status().is_success().then_some(())
        });
        let log = || fs::read_to_string(folder.join("server.log")).unwrap_or_default();
        assert!(up.await.is_some(), "{}", log());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The variables of a file that systemd reads.
fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
