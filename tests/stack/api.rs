//! The shop's API, through the edge and at an origin.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::reports;
use crate::support::poll;
use crate::world::{Test, World, field, product};

pub(crate) const TESTS: &[Test] = &[
    ("api::a_list_has_a_page_of_products_and_their_number", a_list_has_a_page_of_products_and_their_number),
    ("api::a_product_is_made_changed_and_deleted", a_product_is_made_changed_and_deleted),
    (
        "api::bad_input_is_answered_with_a_problem_that_names_it",
        bad_input_is_answered_with_a_problem_that_names_it,
    ),
    ("api::both_origins_get_requests", both_origins_get_requests),
    ("api::every_documented_path_answers_at_an_origin", every_documented_path_answers_at_an_origin),
    ("api::metrics_have_the_names_that_others_read", metrics_have_the_names_that_others_read),
];

fn a_list_has_a_page_of_products_and_their_number(world: &World) {
    world.run(async {
        let url = format!("{}/api/products?category=garden&page=2&per_page=5&sort=price", world.edge());
        let page: Value = world.get(&url).await.json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert_eq!((items.len(), page["page"].as_u64(), page["per_page"].as_u64()), (5, Some(2), Some(5)));
        assert!(page["total"].as_i64().unwrap() >= 200, "{page}");
        assert!(items.iter().all(|item| item["category"] == "garden"));
        let prices: Vec<_> = items.iter().map(|item| item["price_cents"].as_i64().unwrap()).collect();
        assert!(prices.is_sorted(), "{prices:?}");
        let image = items[0]["image"].as_str().unwrap();
        let picture = world.get(&format!("{}{image}", world.edge())).await;
        assert_eq!(
            (picture.status().as_u16(), field(&picture, "content-type")),
            (200, "image/svg+xml".into())
        );
    });
}

fn a_product_is_made_changed_and_deleted(world: &World) {
    world.run(async {
        let made =
            world.write(Method::POST, &format!("{}/api/products", world.edge()), &product("A lamp")).await;
        assert_eq!(made.status(), 201);
        let url = format!("{}{}", world.edge(), field(&made, "location"));
        let made: Value = made.json().await.unwrap();
        assert_eq!(made["name"], "A lamp");

        let changed = world.write(Method::PUT, &url, &product("A better lamp")).await;
        assert_eq!(changed.status(), 200);
        let groups = field(&changed, "cache-group-invalidation");
        for group in
            [format!("\"product:{}\"", made["id"]), "\"products\"".into(), "\"category:garden\"".into()]
        {
            assert!(groups.contains(&group), "{groups}");
        }
        let bookmark = field(&changed, "tidewall-bookmark");
        assert_eq!(changed.json::<Value>().await.unwrap()["name"], "A better lamp");

        // Whoever brings the bookmark of a write sees it, at any origin.
        for index in 0..2 {
            let url = format!("{}/api/products/{}", world.origin(index), made["id"]);
            let read = world.client.get(&url).header("tidewall-bookmark", &bookmark).send().await.unwrap();
            assert_eq!(read.json::<Value>().await.unwrap()["name"], "A better lamp");
        }

        assert_eq!(world.delete(&url).await.status(), 204);
        assert_eq!(world.delete(&url).await.status(), 404);
    });
}

fn bad_input_is_answered_with_a_problem_that_names_it(world: &World) {
    async fn check(world: &World, method: Method, path: &str, body: &str, status: u16, names: &str) {
        let url = format!("{}{path}", world.edge());
        let request = world
            .staff()
            .await
            .request(method, &url)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {body}");
        assert_eq!(field(&response, "content-type"), "application/problem+json", "{path} {body}");
        let text = response.text().await.unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["status"], status, "{text}");
        assert!(
            problem["type"].is_string() && problem["title"].is_string() && problem["request_id"].is_string(),
            "{text}"
        );
        assert!(text.contains(names), "{text} does not name {names}");
    }
    world.run(async {
        let valid = product("x");
        let with = |key: &str, value: Value| {
            let mut body = valid.clone();
            body[key] = value;
            body.to_string()
        };
        check(world, Method::POST, "/api/products", "{", 400, "").await;
        check(world, Method::POST, "/api/products", &with("color", json!("red")), 422, "color").await;
        check(world, Method::POST, "/api/products", &with("name", json!("")), 422, "name").await;
        check(world, Method::POST, "/api/products", &with("price_cents", json!(-1)), 422, "price_cents")
            .await;
        check(
            world,
            Method::POST,
            "/api/products",
            &with("description", json!("x".repeat(3_000_000))),
            413,
            "",
        )
        .await;
        check(world, Method::GET, "/api/products?page=0", "", 422, "page").await;
        check(world, Method::GET, "/api/products?per_page=1000", "", 422, "per_page").await;
        check(world, Method::GET, "/api/products?sort=luck", "", 422, "sort").await;
        check(world, Method::GET, "/api/products/99999999", "", 404, "").await;
        check(world, Method::GET, "/api/analytics/daily?days=0", "", 422, "days").await;
        check(world, Method::PATCH, "/api/products/1", "{}", 405, "").await;
        check(world, Method::GET, "/api/nothing", "", 404, "").await;
        check(
            world,
            Method::POST,
            "/api/reports",
            r#"{"kind":"orders","format":"csv","from":"2026-02-30","to":"2026-03-01"}"#,
            422,
            "from",
        )
        .await;
    });
}

fn both_origins_get_requests(world: &World) {
    world.run(async {
        let mut answered = BTreeSet::new();
        // Other tests take turns, too, so a few requests alone might all be of one turn.
        for _ in 0..24 {
            let response = world.get(&format!("{}/api/jobs/999999", world.edge())).await;
            answered.insert(field(&response, "tidewall-origin"));
        }
        assert_eq!(answered, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    });
}

fn every_documented_path_answers_at_an_origin(world: &World) {
    world.run(async {
        let openapi: Value =
            world.get(&format!("{}/openapi.json", world.origin(0))).await.json().await.unwrap();
        assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
        let paths = openapi["paths"].as_object().unwrap();
        for path in
            ["/api/products", "/api/products/{id}", "/api/reports", "/api/jobs/{id}", "/healthz", "/readyz"]
        {
            assert!(paths.contains_key(path), "{path} is not documented");
        }
        let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-01-31" });
        let job = reports::completed(&world.staff().await, &world.origin(0), &report).await;
        let staff = world.staff().await;
        let order = order_of_staff(world).await;
        for (path, operations) in paths {
            if operations.get("get").is_none() {
                continue;
            }
            // A path of something is asked for something that is there.
            let example = match path.as_str() {
                "/api/products/{id}" => "/api/products/1".to_owned(),
                "/api/orders/{id}" => format!("/api/orders/{order}"),
                "/api/jobs/{id}" => format!("/api/jobs/{}", job["id"]),
                "/api/jobs/{id}/events" => format!("/api/jobs/{}/events", job["id"]),
                "/api/files/{signed}" => job["result"]["url"].as_str().unwrap().to_owned(),
                "/api/lab/cache/{strategy}/{number}" => "/api/lab/cache/event/1".to_owned(),
                other => other.to_owned(),
            };
            // Nobody has uploaded anything yet.
            if path == "/api/media/{name}" {
                continue;
            }
            assert!(!example.contains('{'), "{path} is documented, and this test knows no example of it");
            let answer = staff.get(format!("{}{example}", world.origin(0))).send().await.unwrap();
            assert_eq!(answer.status(), 200, "GET {example}");
        }
    });
}

/// The id of an order that the staff account has placed.
async fn order_of_staff(world: &World) -> i64 {
    let edge = world.edge();
    let quantity = json!({ "quantity": 1 });
    world.write(Method::PUT, &format!("{edge}/api/cart/3"), &quantity).await;
    let placed = world.write(Method::POST, &format!("{}/api/orders", world.edge()), &json!({})).await;
    let (status, text) = (placed.status(), placed.text().await.unwrap());
    assert_eq!(status, 201, "{text}");
    let placed: Value = serde_json::from_str(&text).unwrap();
    let id = placed["id"].as_i64().unwrap();
    // Any replica has it.
    let read = || async {
        let answers = futures::future::join_all((0..8).map(|_| async {
            let url = format!("{}/api/orders/{id}", world.origin(0));
            world.staff().await.get(url).send().await.unwrap().status()
        }));
        answers.await.iter().all(|status| *status == 200).then_some(())
    };
    poll::until_async(Duration::from_secs(30), read).await.expect("the replicas have the order");
    id
}

fn metrics_have_the_names_that_others_read(world: &World) {
    world.run(async {
        world.get(&format!("{}/api/products", world.origin(0))).await;
        let names = [
            "tidewall_http_requests_total{method=\"GET\",route=\"/api/products\",status=\"200\"}",
            "tidewall_http_request_seconds_bucket",
            "tidewall_db_queries_total{server=\"replica1\",kind=\"read\"}",
            "tidewall_db_connections{server=\"primary\",state=\"idle\"}",
            "tidewall_db_acquire_seconds",
            "tidewall_db_replica_lag_bytes{server=\"replica2\"}",
            "tidewall_outbox_rows",
            "tidewall_outbox_failed_rows",
            "tidewall_outbox_oldest_seconds",
            "tidewall_outbox_delivered_total",
            "tidewall_outbox_failed_total",
        ];
        // The lag of a server that was asked in vain is not known for a moment.
        let all = poll::until_async(Duration::from_secs(30), || async {
            let metrics = world.get(&format!("{}/metrics", world.origin(0))).await.text().await.unwrap();
            names.iter().all(|name| metrics.contains(name)).then_some(())
        });
        all.await.expect("all of them are there");
    });
}
