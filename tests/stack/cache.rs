//! The edge's cache, and the edge alone before origins of its own.

use std::time::Duration;

use serde_json::Value;

use crate::killed::Process;
use crate::support::poll;
use crate::support::tidewall::{Folder, Running, logged_in};
use crate::world::{Test, World, field, product};

pub(crate) const TESTS: &[Test] = &[
    ("cache::a_second_reader_gets_the_stored_answer", a_second_reader_gets_the_stored_answer),
    ("cache::a_stored_answer_is_revalidated_by_its_etag", a_stored_answer_is_revalidated_by_its_etag),
    (
        "cache::a_change_is_seen_through_the_edge_after_the_ttl",
        a_change_is_seen_through_the_edge_after_the_ttl,
    ),
    ("cache::an_edge_whose_origins_are_dead_says_so", an_edge_whose_origins_are_dead_says_so),
];

fn a_second_reader_gets_the_stored_answer(world: &World) {
    world.run(async {
        let url = format!("{}/api/products/77", world.edge());
        let first = world.get(&url).await;
        assert_eq!(field(&first, "cache-status"), "tidewall; fwd=uri-miss; stored");
        assert_eq!(field(&first, "cache-control"), "no-cache");
        assert_eq!(field(&first, "cdn-cache-control"), "", "what is addressed to the edge goes no further");
        let first = first.bytes().await.unwrap();
        let second = stored(world, &url).await;
        assert_eq!(second.bytes().await.unwrap(), first);
    });
}

/// The answer to `url` once it comes from the store, where it is put after an answer has gone out.
async fn stored(world: &World, url: &str) -> reqwest::Response {
    let hit = poll::until_async(Duration::from_secs(30), || async {
        let response = world.get(url).await;
        field(&response, "cache-status").starts_with("tidewall; hit; ttl=").then_some(response)
    });
    hit.await.expect("the second answer comes from the store")
}

fn a_stored_answer_is_revalidated_by_its_etag(world: &World) {
    world.run(async {
        let url = format!("{}/api/products/78", world.edge());
        world.get(&url).await;
        let etag = field(&stored(world, &url).await, "etag");
        let again = world.client.get(&url).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert!(field(&again, "cache-status").starts_with("tidewall; hit"));
    });
}

fn a_change_is_seen_through_the_edge_after_the_ttl(world: &World) {
    world.run(async {
        // An origin of the same shop whose answers may be kept for 2 s, behind an edge of its own.
        let folder = Folder::new();
        let origin = Process::start_with(world, &["--product-max-age", "2"]).await;
        let origin_url = origin.url.clone();
        let edge = Running::start(&folder.0, &["edge", "--edge-port", "0", "--origin", &origin_url], &[]);
        let edge_url = edge.text("/edge");

        let staff = logged_in(&origin_url, &world.stack.ready["staff"]).await;
        let made = staff.post(format!("{origin_url}/api/products")).json(&product("Before"));
        let made = made.send().await.unwrap();
        let path = field(&made, "location");
        let url = format!("{edge_url}{path}");
        let name = async || {
            world.get(&url).await.json::<Value>().await.unwrap()["name"].as_str().unwrap().to_owned()
        };
        assert_eq!(name().await, "Before");
        stored(world, &url).await;
        let changed = staff.put(format!("{origin_url}{path}")).json(&product("After")).send().await.unwrap();
        assert_eq!(changed.status(), 200);
        let seen =
            poll::until_async(Duration::from_secs(20), || async { (name().await == "After").then_some(()) });
        seen.await.expect("the change is seen once the stored answer is too old");

        staff.delete(format!("{origin_url}{path}")).send().await.unwrap();
        drop(edge);
    });
}

fn an_edge_whose_origins_are_dead_says_so(world: &World) {
    world.run(async {
        let folder = Folder::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let edge = Running::start(&folder.0, &["edge", "--edge-port", "0", "--origin", &dead], &[]);
        let response = world.get(&format!("{}/any/path?at=all", edge.text("/edge"))).await;
        assert_eq!(response.status(), 503);
        assert_eq!(field(&response, "content-type"), "application/problem+json");
        assert!(field(&response, "retry-after").parse::<u32>().is_ok());
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], 503);
    });
}
