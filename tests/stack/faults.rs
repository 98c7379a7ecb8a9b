//! The levels of the edge's cache, and what becomes of answers when one of them fails: nothing.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};

use crate::shelf::{Fault, Shelf};
use crate::support::poll;
use crate::workerd::{Setup, Workerd};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    (
        "faults::a_copy_is_found_on_each_level_and_comes_nearer",
        a_copy_is_found_on_each_level_and_comes_nearer,
    ),
    (
        "faults::a_variant_costs_one_read_once_the_isolate_knows",
        a_variant_costs_one_read_once_the_isolate_knows,
    ),
    (
        "faults::a_write_removes_what_is_stored_from_all_levels",
        a_write_removes_what_is_stored_from_all_levels,
    ),
    ("faults::a_large_body_is_not_kept_in_memory", a_large_body_is_not_kept_in_memory),
    ("faults::kv_takes_one_write_a_second_to_a_key", kv_takes_one_write_a_second_to_a_key),
    ("faults::a_level_that_fails_makes_no_answer_wrong", a_level_that_fails_makes_no_answer_wrong),
    ("faults::a_level_that_is_slow_is_not_waited_for", a_level_that_is_slow_is_not_waited_for),
];

const DEADLINE: Duration = Duration::from_secs(30);
const HIT: &str = "tidewall; hit; ttl=";
const MISS: &str = "tidewall; fwd=uri-miss; stored";

/// Both stores, without faults, and what starts edges on them.
struct Stores<'a> {
    world: &'a World,
    kv: Shelf,
    cache_api: Shelf,
}

impl<'a> Stores<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, kv: Shelf::start(&world.runtime), cache_api: Shelf::start(&world.runtime) }
    }

    /// A new isolate, which remembers nothing.
    async fn edge(&self) -> Workerd {
        let setup = Setup { origin: &self.world.scripted().url, kv: &self.kv, cache_api: &self.cache_api };
        Workerd::start(self.world, &setup).await
    }

    /// A request to one host, for all edges to store it under the same key.
    fn request(&self, method: Method, edge: &Workerd, path: &str) -> RequestBuilder {
        self.world.client.request(method, format!("{}{path}", edge.url)).header("host", "edge.test")
    }

    async fn get(&self, edge: &Workerd, path: &str) -> Response {
        self.request(Method::GET, edge, path).send().await.unwrap()
    }

    async fn post(&self, edge: &Workerd, path: &str) -> Response {
        self.request(Method::POST, edge, path).send().await.unwrap()
    }

    /// Waits until so many values are in both.
    async fn filled(&self, values: usize) {
        let filled = poll::until_async(DEADLINE, || async {
            (self.kv.len() == values && self.cache_api.len() == values).then_some(())
        });
        assert!(filled.await.is_some(), "KV has {}, the Cache API {}", self.kv.len(), self.cache_api.len());
    }
}

/// The level that an answer says it comes from.
fn level(response: &Response) -> String {
    field(response, "server-timing").split(';').next().unwrap_or_default().to_owned()
}

fn calls(shelf: &Shelf, method: &str) -> usize {
    shelf.calls().iter().filter(|call| call.starts_with(method)).count()
}

fn a_copy_is_found_on_each_level_and_comes_nearer(world: &World) {
    let path = "/levels";
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let stores = Stores::new(world);
        let check = async |edge: &Workerd, status: &str, expected: &str| {
            let response = stores.get(edge, path).await;
            assert!(field(&response, "cache-status").starts_with(status), "{response:?}");
            assert_eq!(level(&response), expected);
            assert_eq!(response.text().await.unwrap(), "hello");
        };
        let first = stores.edge().await;
        check(&first, MISS, "lookup").await;
        check(&first, HIT, "memory").await;
        stores.filled(1).await;
        stores.kv.calls();
        stores.cache_api.calls();
        check(&first, HIT, "memory").await;
        assert_eq!((stores.kv.calls(), stores.cache_api.calls()), (vec![], vec![]));
        let levels = first.status(world).await.unwrap()["cache"]["levels"].clone();
        assert_eq!(levels, serde_json::json!({ "memory": 2, "cache_api": 0, "kv": 0 }));

        let second = stores.edge().await;
        check(&second, HIT, "cache_api").await;
        check(&second, HIT, "memory").await;
        assert_eq!(stores.kv.calls(), Vec::<String>::new());

        stores.cache_api.clear();
        let third = stores.edge().await;
        check(&third, HIT, "kv").await;
        check(&third, HIT, "memory").await;
        assert_eq!(calls(&stores.kv, "GET"), 1);
        stores.filled(1).await;
        check(&stores.edge().await, HIT, "cache_api").await;
        assert_eq!(world.scripted().asked(path).len(), 1);
    });
}

fn a_variant_costs_one_read_once_the_isolate_knows(world: &World) {
    let path = "/levels-variants";
    world.scripted().script(path, |asked| {
        let language = asked.field("accept-language");
        format!("200\ncache-control: max-age=600\nvary: accept-language\n\n{language}")
    });
    world.run(async {
        let stores = Stores::new(world);
        let ask = async |edge: &Workerd, language: &str| {
            let request = stores.request(Method::GET, edge, path).header("accept-language", language);
            let response = request.send().await.unwrap();
            let status = field(&response, "cache-status");
            assert_eq!(response.text().await.unwrap(), language);
            status
        };
        let first = stores.edge().await;
        assert_eq!(ask(&first, "en").await, MISS);
        assert_eq!(ask(&first, "de").await, "tidewall; fwd=vary-miss; stored");
        assert!(ask(&first, "en").await.starts_with(HIT) && ask(&first, "de").await.starts_with(HIT));
        // Two variants, and what tells them apart.
        stores.filled(3).await;

        let second = stores.edge().await;
        stores.cache_api.clear();
        stores.kv.calls();
        assert!(ask(&second, "en").await.starts_with(HIT));
        assert_eq!(calls(&stores.kv, "GET"), 2);
        assert!(ask(&second, "de").await.starts_with(HIT));
        assert_eq!(calls(&stores.kv, "GET"), 1);
        assert!(ask(&second, "en").await.starts_with(HIT) && ask(&second, "de").await.starts_with(HIT));
        assert_eq!(calls(&stores.kv, "GET"), 0);
        stores.filled(3).await;
    });
}

fn a_write_removes_what_is_stored_from_all_levels(world: &World) {
    let path = "/levels-write";
    world.scripted().script(path, |asked| format!("200\ncache-control: max-age=600\n\n{}", asked.nth));
    world.run(async {
        let stores = Stores::new(world);
        let edge = stores.edge().await;
        stores.get(&edge, path).await;
        // At once, while it may still be being stored.
        assert_eq!(stores.post(&edge, path).await.status(), 200);
        let again = stores.get(&edge, path).await;
        assert_eq!(field(&again, "cache-status"), MISS);
        assert_eq!(again.text().await.unwrap(), "2");
        // KV takes it a second after the removal.
        stores.filled(1).await;
        assert_eq!(stores.post(&edge, path).await.status(), 200);
        assert_eq!((stores.kv.len(), stores.cache_api.len()), (0, 0));
        let edge = stores.edge().await;
        assert_eq!(field(&stores.get(&edge, path).await, "cache-status"), MISS);
    });
}

fn a_large_body_is_not_kept_in_memory(world: &World) {
    let bodies = [("/levels-large", 1024 * 1024), ("/levels-too-large", 1024 * 1024 + 1)];
    for (path, bytes) in bodies {
        let body = "x".repeat(bytes);
        world.scripted().script(path, move |_| format!("200\ncache-control: max-age=600\n\n{body}"));
    }
    world.run(async {
        let stores = Stores::new(world);
        let edge = stores.edge().await;
        for (path, bytes) in bodies {
            assert_eq!(stores.get(&edge, path).await.bytes().await.unwrap().len(), bytes);
        }
        stores.filled(1).await;
        let response = stores.get(&edge, bodies[0].0).await;
        assert_eq!(level(&response), "cache_api");
        assert_eq!(response.bytes().await.unwrap().len(), bodies[0].1);
        let refused = stores.get(&edge, bodies[1].0).await;
        assert_eq!(field(&refused, "cache-status"), "tidewall; fwd=uri-miss; detail=too-large");
    });
}

fn kv_takes_one_write_a_second_to_a_key(world: &World) {
    let path = "/levels-rate";
    world.scripted().script(path, |asked| format!("200\ncache-control: max-age=600\n\n{}", asked.nth));
    world.run(async {
        let stores = Stores::new(world);
        let edge = stores.edge().await;
        let begun = Instant::now();
        for _ in 0..10 {
            let request = stores.request(Method::GET, &edge, path).header("cache-control", "no-cache");
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        let most = 2 + begun.elapsed().as_secs() as usize;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let writes = calls(&stores.kv, "PUT");
        assert!((1..=most).contains(&writes), "{writes} writes, {most} at most");
        // The last is there in the end.
        stores.cache_api.clear();
        let edge = stores.edge().await;
        let response = stores.get(&edge, path).await;
        assert_eq!((level(&response).as_str(), response.text().await.unwrap().as_str()), ("kv", "9"));
    });
}

fn a_level_that_fails_makes_no_answer_wrong(world: &World) {
    let path = "/levels-fail";
    world.scripted().script("/levels-written", |_| "204\n\n".to_owned());
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let stores = Stores::new(world);
        let edge = stores.edge().await;
        stores.get(&edge, path).await;
        stores.filled(1).await;
        // What KV and the Cache API do, and where the answer comes from.
        for (kv, cache_api, from) in [
            (Fault::Fails, Fault::None, "cache_api"),
            (Fault::None, Fault::Fails, "kv"),
            (Fault::None, Fault::Cut, "kv"),
            (Fault::None, Fault::OtherVersion, "kv"),
            (Fault::None, Fault::Foreign, "kv"),
            (Fault::Full, Fault::Full, "cache_api"),
            (Fault::Cut, Fault::Fails, "lookup"),
            (Fault::OtherVersion, Fault::Fails, "lookup"),
            (Fault::Foreign, Fault::Fails, "lookup"),
            (Fault::Fails, Fault::Fails, "lookup"),
        ] {
            stores.kv.fail(kv);
            stores.cache_api.fail(cache_api);
            let edge = stores.edge().await;
            for expected in [from, "memory"] {
                let response = stores.get(&edge, path).await;
                assert_eq!(response.status(), 200, "{kv:?}, {cache_api:?}\n{}", edge.log());
                assert_eq!(level(&response), expected, "{kv:?}, {cache_api:?}\n{}", edge.log());
                assert_eq!(response.text().await.unwrap(), "hello");
            }
            // A write can't remove anything there, and goes through all the same.
            let written = stores.post(&edge, "/levels-written").await;
            assert_eq!(written.status(), 204, "{kv:?}, {cache_api:?}");
        }
        // What can't be written isn't there, and nothing else.
        stores.kv.clear();
        stores.cache_api.clear();
        stores.kv.fail(Fault::Full);
        stores.cache_api.fail(Fault::Full);
        for _ in 0..2 {
            let edge = stores.edge().await;
            let response = stores.get(&edge, path).await;
            assert_eq!(field(&response, "cache-status"), MISS);
            assert_eq!(response.text().await.unwrap(), "hello");
        }
    });
}

fn a_level_that_is_slow_is_not_waited_for(world: &World) {
    let path = "/levels-slow";
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let stores = Stores::new(world);
        let edge = stores.edge().await;
        let slow = Fault::Slow(Duration::from_secs(5));
        stores.kv.fail(slow);
        stores.cache_api.fail(slow);
        let begun = Instant::now();
        let response = stores.get(&edge, path).await;
        assert_eq!(field(&response, "cache-status"), MISS);
        assert_eq!(response.text().await.unwrap(), "hello");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert_eq!(level(&stores.get(&edge, path).await), "memory");
        // Who comes right after one that has waited doesn't wait.
        let unwaited = poll::until_async(DEADLINE, || async {
            stores.get(&edge, "/levels-slow-first").await;
            let (begun, response) = (Instant::now(), stores.get(&edge, "/levels-slow-second").await);
            assert_eq!(level(&response), "lookup");
            (begun.elapsed() < Duration::from_millis(400)).then_some(())
        });
        unwaited.await.expect("slow levels are left alone");
        // It is written nevertheless.
        stores.filled(1).await;
    });
}
