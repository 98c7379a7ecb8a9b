//! Work in the background.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::poll;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    (
        "reports::a_report_is_accepted_at_once_and_made_by_the_worker",
        a_report_is_accepted_at_once_and_made_by_the_worker,
    ),
    ("reports::a_report_can_be_a_document", a_report_can_be_a_document),
];

/// Has `client` ask for a report at `base`; returns its job once that has made it.
pub(crate) async fn completed(client: &Client, base: &str, report: &Value) -> Value {
    let accepted = client.post(format!("{base}/api/reports")).json(report).send().await.unwrap();
    assert_eq!(accepted.status(), 202);
    let location = field(&accepted, "location");
    let job: Value = accepted.json().await.unwrap();
    assert_eq!(location, format!("/api/jobs/{}", job["id"]));
    let ended = poll::until_async(Duration::from_secs(60), || async {
        let job = client.get(format!("{base}{location}")).send().await.unwrap();
        let job: Value = job.json().await.unwrap();
        ["completed", "discarded"].contains(&job["state"].as_str().unwrap()).then_some(job)
    });
    let job = ended.await.expect("the job ends");
    assert_eq!(job["state"], "completed", "{job}");
    job
}

fn a_report_is_accepted_at_once_and_made_by_the_worker(world: &World) {
    world.run(async {
        let edge = world.edge();
        let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-03-31" });
        let job = completed(&world.staff().await, &edge, &report).await;
        assert_eq!((job["kind"].as_str(), job["progress"].as_f64()), (Some("report"), Some(1.0)), "{job}");

        let file = world.get(&format!("{edge}{}", job["result"]["url"].as_str().unwrap())).await;
        assert_eq!(field(&file, "cache-control"), "no-store");
        let text = file.text().await.unwrap();
        let lines = csv::Reader::from_reader(text.as_bytes()).into_records().map(Result::unwrap).count();
        let primary = world.database(&world.stack.text("/primary")).await;
        let orders =
            "SELECT count(*) FROM orders WHERE created_at >= '2026-01-01Z' AND created_at < '2026-04-01Z'";
        let orders: i64 = primary.query_one(orders, &[]).await.unwrap().get(0);
        assert!(orders > 0);
        assert_eq!(i64::try_from(lines).unwrap(), orders);
    });
}

fn a_report_can_be_a_document(world: &World) {
    world.run(async {
        let edge = world.edge();
        let report = json!({ "kind": "orders", "format": "pdf", "from": "2020-01-01", "to": "2029-12-31" });
        let job = completed(&world.staff().await, &edge, &report).await;
        let file = world.get(&format!("{edge}{}", job["result"]["url"].as_str().unwrap())).await;
        assert_eq!(field(&file, "content-type"), "application/pdf");
        assert!(field(&file, "content-disposition").ends_with(".pdf\""));
        let document = file.bytes().await.unwrap();
        assert!(document.starts_with(b"%PDF-1.") && document.trim_ascii_end().ends_with(b"%%EOF"));
    });
}
