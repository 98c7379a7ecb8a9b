//! `tidewall bench`: what it refuses, and a bench on a running database. The
//! command itself isn't run to its end here: it builds everything optimised.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tidewall_bench::catalog::{Bench, Setting};
use tidewall_bench::effort::Effort;
use tidewall_bench::queue::scale::Scale;

use crate::support::tidewall::{Folder, Running, output};

#[test]
fn an_unknown_bench_is_refused_in_a_sentence_with_the_known_ones() {
    let output = output(&["bench", "pond"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        error,
        "tidewall: there is no bench `pond`; there are: balance, cdn, edge, index, pool, queue, replicas, scale, and all of them without a name\n"
    );
    assert!(output.stdout.is_empty());
    let help = support::tidewall::output(&["bench", "--help"]).stdout;
    assert!(
        String::from_utf8_lossy(&help).contains("(balance, cdn, edge, index, pool, queue, replicas, scale)")
    );
}

/// Just enough to see that there are figures.
const EFFORT: Effort =
    Effort { rounds: 1, round: Duration::from_millis(50), warm_up: Duration::from_millis(50) };

/// Likewise.
const SCALE: Scale = Scale {
    jobs: 100,
    warm_up: 50,
    rounds: 1,
    round: Duration::from_millis(400),
    held: Duration::from_millis(800),
};

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_measured_and_peers_that_are_not_there_are_named() {
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-edge", "--no-worker", "--origins", "1", "--replicas", "0"];
    let stack = Running::dev(&folder.0, &args);
    let setting = Setting {
        primary: stack.text("/primary"),
        replicas: Vec::new(),
        worker: PathBuf::new(),
        site: PathBuf::new(),
        effort: EFFORT,
        pairs: 0,
        queue: SCALE,
    };
    let results = serde_json::to_value(Bench::Pool.run(&setting).await.unwrap()).unwrap();
    let names: Vec<_> = results.as_array().unwrap().iter().map(|result| &result["name"]).collect();
    assert_eq!(names, ["pool/latency-per-request", "pool/requests-ratio", "pool/select", "pool/overhead"]);
    for result in results.as_array().unwrap() {
        assert!(result["tidewall"].as_f64().unwrap() > 0.0, "{result}");
    }
    let select = results.as_array().unwrap().iter().find(|result| result["name"] == "pool/select").unwrap();
    let named = |member: &str, peer: &str| {
        select[member].as_object().is_some_and(|peers| peers.keys().any(|name| name.starts_with(peer)))
    };
    assert!(named("peers", "deadpool-postgres "), "{select}");
    // Built without the feature `peers`.
    assert!(named("missing", "bb8 ") && named("missing", "sqlx "), "{select}");
    // Whether there is a node on the path depends on the machine.
    assert!(named("peers", "node pg ") || named("missing", "node pg "), "{select}");
    assert_ne!(select["limit"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_measured_and_the_advisor_finds_the_best() {
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-edge", "--no-worker", "--origins", "1", "--replicas", "0"];
    let stack = Running::dev(&folder.0, &args);
    let setting = Setting { primary: stack.text("/primary"), ..built() };
    let results = serde_json::to_value(Bench::Index.run(&setting).await.unwrap()).unwrap();
    let figure = |name: &str| {
        let result = results.as_array().unwrap().iter().find(|result| result["name"] == name);
        result.and_then(|result| result["tidewall"].as_f64()).unwrap_or_else(|| panic!("{name}: {results}"))
    };
    assert!(figure("index/lookup-ratio") > 2.0, "{results}");
    assert!(figure("index/newest-of-a-user") > 0.0 && figure("index/advice") > 0.0);
    assert!(figure("index/size-of-three") > 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_measured_beside_a_bare_loop_and_peers_that_are_not_there_are_named() {
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-edge", "--no-worker", "--origins", "1", "--replicas", "0"];
    let stack = Running::dev(&folder.0, &args);
    let setting = Setting { primary: stack.text("/primary"), ..built() };
    let results = serde_json::to_value(Bench::Queue.run(&setting).await.unwrap()).unwrap();
    let results = results.as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    let expected = [
        "queue/end-to-end",
        "queue/enqueue-batch",
        "queue/wal-per-job",
        "queue/enqueue-single",
        "queue/pickup-load",
        "queue/pickup-p50",
        "queue/pickup-p99",
        "queue/old-snapshot",
    ];
    assert_eq!(names, expected);
    for (result, name) in results.iter().zip(names) {
        let has = |peer: &str| {
            ["peers", "missing"].iter().any(|member| {
                result[member]
                    .as_object()
                    .is_some_and(|peers| peers.keys().any(|name| name.starts_with(peer)))
            })
        };
        // A handler may be called before the commit is answered.
        assert!(result["tidewall"].as_f64().unwrap() > 0.0 || name == "queue/pickup-p50", "{result}");
        // Whether there is a node on the path, and one that is new enough, depends on the machine.
        assert!(has("node graphile-worker "), "{result}");
        assert!(has("node pg-boss ") == (name != "queue/old-snapshot"), "{result}");
    }
    for result in &results[..4] {
        assert!(result["limit"].as_f64().unwrap() > 0.0, "{result}");
        assert!(result["missing"]["node bullmq"].is_string(), "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_is_measured_at_several_amounts() {
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-edge", "--no-worker", "--origins", "1", "--replicas", "0"];
    let stack = Running::dev(&folder.0, &args);
    let setting = Setting { primary: stack.text("/primary"), ..built() };
    let results = serde_json::to_value(Bench::Scale.run(&setting).await.unwrap()).unwrap();
    let results = results.as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    let expected = [
        "scale/products-read",
        "scale/products-list",
        "scale/groups-decision",
        "scale/groups-append",
        "scale/groups-lasting",
        "scale/origins-choice-round-robin",
        "scale/origins-evenness-round-robin",
        "scale/origins-choice-least-connections",
        "scale/origins-evenness-least-connections",
        "scale/origins-choice-ip-hash",
        "scale/origins-evenness-ip-hash",
        "scale/isolates-evenness",
        "scale/isolates-questions",
        "scale/jobs-done",
        "scale/jobs-added",
    ];
    assert_eq!(names, expected);
    for result in results {
        let name = result["name"].as_str().unwrap();
        assert!(result["tidewall"].as_f64().unwrap() > 0.0, "{result}");
        if name != "scale/groups-lasting" {
            let points = result["growth"]["points"].as_array().unwrap();
            assert!(points.len() >= 2 && points.last().unwrap()[1] == result["tidewall"], "{result}");
        }
        let is_simulated = result["note"].as_str().is_some_and(|note| note.starts_with("simulated"));
        let is_told = ["evenness", "questions", "lasting"].iter().any(|word| name.contains(word));
        assert_eq!(is_simulated, is_told, "{result}");
    }
    let questions = results.iter().find(|result| result["name"] == "scale/isolates-questions").unwrap();
    assert_eq!(questions["limit"].as_f64(), Some(1_000.0));
}

/// The Worker of a stack that runs nothing else is the one that is measured, though not
/// as it is deployed: only the form of the results counts here.
#[cfg(target_os = "linux")]
fn on_a_worker() -> Setting {
    let folder = Folder::new();
    let args = ["edge", "--edge-port", "0", "--origin", "http://127.0.0.1:1"];
    drop(Running::start(&folder.0, &args, &[]));
    built()
}

/// What a build for one's own machine has left.
fn built() -> Setting {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dev");
    Setting {
        primary: String::new(),
        replicas: Vec::new(),
        worker: built.join("edge"),
        site: built.join("site"),
        effort: EFFORT,
        pairs: 0,
        queue: SCALE,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_is_measured_from_far_and_from_near() {
    let build = output(&["build", "--dev"]);
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let results = serde_json::to_value(Bench::Cdn.run(&built()).await.unwrap()).unwrap();
    let results = results.as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    let expected = [
        "cdn/file-from-edge",
        "cdn/file-from-origin",
        "cdn/first-view",
        "cdn/first-view-bytes",
        "cdn/repeat-view",
        "cdn/repeat-view-bytes",
        "cdn/changed-view",
        "cdn/changed-view-bytes",
        "cdn/delta-share",
        "cdn/bill-by-article",
        "cdn/bill",
        "cdn/bill-returning",
    ];
    assert_eq!(names, expected);
    let figure = |name: &str| {
        let result = results.iter().find(|result| result["name"] == name).unwrap();
        (result["tidewall"].as_f64().unwrap(), result["peers"]["origin alone"].as_f64())
    };
    // No link is faster than it says, however busy the machine is.
    assert!(figure("cdn/file-from-edge").0 >= 2.0 && figure("cdn/file-from-origin").0 >= 2.2);
    let (first, repeat) = (figure("cdn/first-view-bytes"), figure("cdn/repeat-view-bytes"));
    assert!(repeat.0 < first.0 / 10.0 && repeat.1 < first.1, "{first:?} {repeat:?}");
    assert!(figure("cdn/repeat-view").1.unwrap() >= 0.2, "{:?}", figure("cdn/repeat-view"));
    let share = figure("cdn/delta-share").0;
    assert!(share > 0.0 && share < 100.0, "{share}");
    assert_eq!(figure("cdn/bill-by-article"), (180.0, Some(900.0)));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_balancer_is_measured_beside_its_other_policies_and_other_balancers() {
    let results = serde_json::to_value(Bench::Balance.run(&on_a_worker()).await.unwrap()).unwrap();
    let results = results.as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "balance/two-origins",
            "balance/four-origins",
            "balance/slow-share",
            "balance/slow-p99",
            "balance/lost-failed",
            "balance/lost-share",
            "balance/overhead"
        ]
    );
    assert!(results[0]["tidewall"].as_f64().unwrap() > 1.0, "{}", results[0]);
    let peers = results[2]["peers"].as_object().unwrap();
    assert!(peers["ip-hash"].is_number() && peers["round-robin"].is_number(), "{peers:?}");
    for proxy in ["nginx", "HAProxy"] {
        // Whether it is installed depends on the machine.
        for result in &results[..4] {
            assert!(result["peers"][proxy].is_number() || result["missing"][proxy].is_string(), "{result}");
        }
    }
    assert_eq!(results[4]["tidewall"].as_f64(), Some(0.0), "no request fails: {}", results[4]);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_edge_is_measured_and_proxies_that_are_not_there_are_named() {
    let results = serde_json::to_value(Bench::Edge.run(&on_a_worker()).await.unwrap()).unwrap();
    let results = results.as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    let expected = [
        "edge/worker-size",
        "edge/hit-memory",
        "edge/hit-memory-cpu",
        "edge/hit-cache-api",
        "edge/hit-cache-api-cpu",
        "edge/hit-kv",
        "edge/hit-kv-cpu",
        "edge/speedup-80",
        "edge/cold-burst",
        "edge/cold-in-turn",
        "edge/hits-in-turn",
        "edge/memory",
        "edge/memory-resident",
    ];
    assert_eq!(names, expected);
    for result in results {
        assert!(result["tidewall"].as_f64().unwrap() > 0.0, "{result}");
    }
    let cpu = &results[2];
    assert!(cpu["peers"]["plain JavaScript Worker"].as_f64().unwrap() > 0.0, "{cpu}");
    for proxy in ["nginx", "Varnish"] {
        // Whether it is installed depends on the machine.
        assert!(cpu["peers"][proxy].is_number() || cpu["missing"][proxy].is_string(), "{cpu}");
    }
}
