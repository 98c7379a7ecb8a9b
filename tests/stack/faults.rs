//! The levels of the edge's cache, and what becomes of answers when one of them fails: nothing.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};

use crate::shelf::{Fault, Shelf};
use crate::support::poll;
use crate::support::tidewall::Folder;
use crate::workerd::{CONTROL_GRACE, PURGE_TOKEN, Setup, Workerd};
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
        "faults::what_a_write_made_invalid_is_used_from_no_level",
        what_a_write_made_invalid_is_used_from_no_level,
    ),
    ("faults::what_is_superseded_is_removed_from_all_levels", what_is_superseded_is_removed_from_all_levels),
    ("faults::what_lies_nearby_is_asked_for_once", what_lies_nearby_is_asked_for_once),
    ("faults::a_large_body_is_not_kept_in_memory", a_large_body_is_not_kept_in_memory),
    ("faults::kv_takes_one_write_a_second_to_a_key", kv_takes_one_write_a_second_to_a_key),
    ("faults::a_level_that_fails_makes_no_answer_wrong", a_level_that_fails_makes_no_answer_wrong),
    ("faults::a_level_that_is_slow_is_not_waited_for", a_level_that_is_slow_is_not_waited_for),
    ("faults::without_the_control_log_answers_are_right_and_slower", without_the_control_log),
    ("faults::a_control_log_that_hangs_holds_nobody_up_for_long", a_control_log_that_hangs),
    ("faults::without_others_to_meet_everyone_asks_for_itself", without_others_to_meet),
    ("faults::what_was_logged_outlives_the_edge", what_was_logged_outlives_the_edge),
];

const DEADLINE: Duration = Duration::from_secs(30);
const HIT: &str = "tidewall; hit; ttl=";
const MISS: &str = "tidewall; fwd=uri-miss; stored";

/// Both stores, and an edge on them.
struct Stores<'a> {
    world: &'a World,
    kv: Shelf,
    cache_api: Shelf,
    objects: Folder,
    edge: Option<Workerd>,
}

impl<'a> Stores<'a> {
    async fn start(world: &'a World) -> Self {
        let (kv, cache_api) = (Shelf::start(&world.runtime), Shelf::start(&world.runtime));
        let mut stores = Self { world, kv, cache_api, objects: Folder::new(), edge: None };
        stores.restart().await;
        stores
    }

    /// A new isolate in the place of the last, which remembers nothing.
    async fn restart(&mut self) {
        drop(self.edge.take());
        let setup = Setup {
            origins: &[self.world.scripted().origin()],
            policy: "round-robin",
            kv: &self.kv,
            cache_api: &self.cache_api,
            variables: &[],
            objects: &self.objects.0,
            site: None,
        };
        self.edge = Some(Workerd::start(self.world, &setup).await);
    }

    fn edge(&self) -> &Workerd {
        self.edge.as_ref().unwrap()
    }

    /// A request to one host, for all edges to store it under the same key.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.world.client.request(method, format!("{}{path}", self.edge().url)).header("host", "edge.test")
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn post(&self, path: &str) -> Response {
        self.request(Method::POST, path).send().await.unwrap()
    }

    /// A new isolate that has answered something, so that it looks for hits at once.
    async fn restart_warm(&mut self) {
        let path = "/levels-warm";
        self.world.scripted().script(path, |_| "200\ncache-control: no-store\n\n".to_owned());
        self.restart().await;
        assert_eq!(self.get(path).await.status(), 200);
        self.kv.calls();
        self.cache_api.calls();
    }

    /// Waits until so many values are in both.
    async fn filled(&self, values: usize) {
        let filled = poll::until_async(DEADLINE, || async {
            (self.kv.len() == values && self.cache_api.len() == values).then_some(())
        });
        assert!(filled.await.is_some(), "KV has {}, the Cache API {}", self.kv.len(), self.cache_api.len());
    }
}

/// The level that an answer says it comes from, or `lookup` where none had a copy.
fn level(response: &Response) -> String {
    let timing = field(response, "server-timing");
    let mut steps = timing.split(", ").filter_map(|step| step.split(';').next());
    let found = steps.find(|step| ["memory", "cache_api", "kv", "lookup"].contains(step));
    found.unwrap_or_else(|| panic!("no level in {timing}")).to_owned()
}

fn calls(shelf: &Shelf, method: &str) -> usize {
    shelf.calls().iter().filter(|call| call.starts_with(method)).count()
}

fn a_copy_is_found_on_each_level_and_comes_nearer(world: &World) {
    let path = "/levels";
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let mut stores = Stores::start(world).await;
        let check = async |stores: &Stores<'_>, status: &str, expected: &str| {
            let response = stores.get(path).await;
            assert!(field(&response, "cache-status").starts_with(status), "{response:?}");
            assert_eq!(level(&response), expected);
            assert_eq!(response.text().await.unwrap(), "hello");
        };
        check(&stores, MISS, "lookup").await;
        check(&stores, HIT, "memory").await;
        stores.filled(1).await;
        let explain = stores.request(Method::GET, &format!("/_tidewall/explain?origin=0&url={path}"));
        let found: serde_json::Value =
            explain.bearer_auth(PURGE_TOKEN).send().await.unwrap().json().await.unwrap();
        let levels = found["levels"].as_array().unwrap();
        let have: Vec<_> = levels.iter().filter(|level| level["copy"].is_object()).collect();
        assert_eq!(have.len(), 3, "{found:#}");
        stores.kv.calls();
        stores.cache_api.calls();
        check(&stores, HIT, "memory").await;
        assert_eq!((stores.kv.calls(), stores.cache_api.calls()), (vec![], vec![]));
        let levels = stores.edge().status(world).await.unwrap()["cache"]["levels"].clone();
        assert_eq!(levels, serde_json::json!({ "memory": 2, "cache_api": 0, "kv": 0 }));

        stores.restart().await;
        check(&stores, HIT, "cache_api").await;
        check(&stores, HIT, "memory").await;
        assert_eq!(stores.kv.calls(), Vec::<String>::new());

        stores.cache_api.clear();
        stores.restart().await;
        check(&stores, HIT, "kv").await;
        check(&stores, HIT, "memory").await;
        assert_eq!(calls(&stores.kv, "GET"), 1);
        stores.filled(1).await;
        stores.restart().await;
        check(&stores, HIT, "cache_api").await;
        assert_eq!(world.scripted().asked(path).len(), 1);
    });
}

fn what_lies_nearby_is_asked_for_once(world: &World) {
    let path = "/levels-nearby";
    world.scripted().script("/levels-nearby-miss", |_| "200\ncache-control: no-store\n\n".to_owned());
    world.scripted().script(path, |asked| format!("200\ncache-control: max-age=600\n\nhello {}", asked.nth));
    world.run(async {
        let mut stores = Stores::start(world).await;
        stores.get(path).await;
        stores.filled(1).await;
        for (method, body) in [(Method::GET, "hello 0"), (Method::HEAD, "")] {
            stores.restart_warm().await;
            for (from, reads) in [("cache_api", 1), ("memory", 0)] {
                let response = stores.request(method.clone(), path).send().await.unwrap();
                assert!(field(&response, "cache-status").starts_with(HIT), "{response:?}");
                assert_eq!((&*level(&response), calls(&stores.cache_api, "GET")), (from, reads), "{method}");
                assert_eq!(field(&response, "content-length"), "7");
                assert_eq!(response.text().await.unwrap(), body);
            }
            assert_eq!(stores.edge().status(world).await.unwrap()["cache"]["levels"]["cache_api"], 1);
        }
        // Nor is it asked twice for what it hasn't.
        let missed = stores.get("/levels-nearby-miss").await;
        assert_eq!((&*level(&missed), calls(&stores.cache_api, "GET")), ("lookup", 1));

        assert_eq!(stores.post(path).await.status(), 200);
        stores.restart_warm().await;
        let renewed = stores.get(path).await;
        let status = field(&renewed, "cache-status");
        assert!(status.starts_with("tidewall; fwd=stale; stored; detail=invalidated-"), "{status}");
        assert_eq!(renewed.text().await.unwrap(), "hello 2");
    });
}

fn a_variant_costs_one_read_once_the_isolate_knows(world: &World) {
    let path = "/levels-variants";
    world.scripted().script(path, |asked| {
        let language = asked.field("accept-language");
        format!("200\ncache-control: max-age=600\nvary: accept-language\n\n{language}")
    });
    world.run(async {
        let mut stores = Stores::start(world).await;
        let ask = async |stores: &Stores<'_>, language: &str| {
            let request = stores.request(Method::GET, path).header("accept-language", language);
            let response = request.send().await.unwrap();
            let status = field(&response, "cache-status");
            assert_eq!(response.text().await.unwrap(), language);
            status
        };
        assert_eq!(ask(&stores, "en").await, MISS);
        assert_eq!(ask(&stores, "de").await, "tidewall; fwd=vary-miss; stored");
        for language in ["en", "de"] {
            assert!(ask(&stores, language).await.starts_with(HIT));
        }
        // Two variants, and what tells them apart.
        stores.filled(3).await;

        stores.cache_api.clear();
        stores.restart().await;
        stores.kv.calls();
        for (language, reads) in [("en", 2), ("de", 1), ("en", 0), ("de", 0)] {
            assert!(ask(&stores, language).await.starts_with(HIT));
            assert_eq!(calls(&stores.kv, "GET"), reads);
        }
        stores.filled(3).await;
    });
}

fn what_a_write_made_invalid_is_used_from_no_level(world: &World) {
    let path = "/levels-write";
    world.scripted().script(path, |asked| format!("200\ncache-control: max-age=600\n\n{}", asked.nth));
    world.run(async {
        let mut stores = Stores::start(world).await;
        stores.get(path).await;
        stores.filled(1).await;
        assert_eq!(stores.post(path).await.status(), 200);
        stores.restart().await;
        for (status, expected) in
            [("tidewall; fwd=stale; stored; detail=invalidated-", "cache_api"), (HIT, "memory")]
        {
            let response = stores.get(path).await;
            assert!(field(&response, "cache-status").starts_with(status), "{response:?}");
            assert_eq!(level(&response), expected);
            assert_eq!(response.text().await.unwrap(), "2");
        }
    });
}

fn what_is_superseded_is_removed_from_all_levels(world: &World) {
    let path = "/levels-superseded";
    world.scripted().script(path, |asked| {
        let directives = if asked.nth == 0 { "max-age=600" } else { "no-store" };
        format!("200\ncache-control: {directives}\n\nhello")
    });
    world.run(async {
        let stores = Stores::start(world).await;
        let slow = Fault::Slow(Duration::from_millis(300));
        stores.kv.fail(slow);
        stores.cache_api.fail(slow);
        stores.get(path).await;
        // While it is still being stored.
        let request = stores.request(Method::GET, path).header("cache-control", "no-cache");
        assert_eq!(request.send().await.unwrap().status(), 200);
        let removed = poll::until_async(DEADLINE, || async {
            let calls = stores.kv.calls();
            calls.iter().any(|call| call.starts_with("DELETE")).then_some(())
        });
        removed.await.expect("it is removed");
        tokio::time::sleep(Duration::from_secs(2)).await;
        stores.filled(0).await;
        assert_eq!(level(&stores.get(path).await), "lookup");
    });
}

fn a_large_body_is_not_kept_in_memory(world: &World) {
    let bodies = [("/levels-large", 1024 * 1024), ("/levels-too-large", 1024 * 1024 + 1)];
    for (path, bytes) in bodies {
        let body = "x".repeat(bytes);
        world.scripted().script(path, move |_| format!("200\ncache-control: max-age=600\n\n{body}"));
    }
    world.run(async {
        let stores = Stores::start(world).await;
        for (path, bytes) in bodies {
            assert_eq!(stores.get(path).await.bytes().await.unwrap().len(), bytes);
        }
        stores.filled(1).await;
        let response = stores.get(bodies[0].0).await;
        assert_eq!(level(&response), "cache_api");
        assert_eq!(response.bytes().await.unwrap().len(), bodies[0].1);
        let refused = stores.get(bodies[1].0).await;
        assert_eq!(field(&refused, "cache-status"), "tidewall; fwd=uri-miss; detail=too-large");
    });
}

fn kv_takes_one_write_a_second_to_a_key(world: &World) {
    let path = "/levels-rate";
    world.scripted().script(path, |asked| format!("200\ncache-control: max-age=600\n\n{}", asked.nth));
    world.run(async {
        let mut stores = Stores::start(world).await;
        let begun = Instant::now();
        for _ in 0..10 {
            let request = stores.request(Method::GET, path).header("cache-control", "no-cache");
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        let most = 2 + begun.elapsed().as_secs() as usize;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let writes = calls(&stores.kv, "PUT");
        assert!((1..=most).contains(&writes), "{writes} writes, {most} at most");
        // The last is there in the end.
        stores.cache_api.clear();
        stores.restart().await;
        let response = stores.get(path).await;
        assert_eq!((level(&response).as_str(), response.text().await.unwrap().as_str()), ("kv", "9"));
    });
}

fn a_level_that_fails_makes_no_answer_wrong(world: &World) {
    let path = "/levels-fail";
    world.scripted().script("/levels-written", |_| "204\n\n".to_owned());
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let mut stores = Stores::start(world).await;
        stores.get(path).await;
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
            for is_warm in [false, true] {
                match is_warm {
                    true => stores.restart_warm().await,
                    false => stores.restart().await,
                }
                for expected in [from, "memory"] {
                    let response = stores.get(path).await;
                    let about = format!("{kv:?}, {cache_api:?}, {is_warm}\n{}", stores.edge().log());
                    assert_eq!(response.status(), 200, "{about}");
                    assert_eq!(level(&response), expected, "{about}");
                    assert_eq!(response.text().await.unwrap(), "hello");
                }
            }
            // A write can't remove anything there, and goes through all the same.
            let written = stores.post("/levels-written").await;
            assert_eq!(written.status(), 204, "{kv:?}, {cache_api:?}");
        }
        // What can't be written isn't there, and nothing else.
        stores.kv.clear();
        stores.cache_api.clear();
        stores.kv.fail(Fault::Full);
        stores.cache_api.fail(Fault::Full);
        for _ in 0..2 {
            stores.restart().await;
            let response = stores.get(path).await;
            assert_eq!(field(&response, "cache-status"), MISS);
            assert_eq!(response.text().await.unwrap(), "hello");
        }
    });
}

fn a_level_that_is_slow_is_not_waited_for(world: &World) {
    let path = "/levels-slow";
    world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    world.run(async {
        let stores = Stores::start(world).await;
        let slow = Fault::Slow(Duration::from_secs(5));
        stores.kv.fail(slow);
        stores.cache_api.fail(slow);
        let begun = Instant::now();
        let response = stores.get(path).await;
        assert_eq!(field(&response, "cache-status"), MISS);
        assert_eq!(response.text().await.unwrap(), "hello");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert_eq!(level(&stores.get(path).await), "memory");
        // Who comes right after one that has waited doesn't wait.
        let unwaited = poll::until_async(DEADLINE, || async {
            stores.get("/levels-slow-first").await;
            let (begun, response) = (Instant::now(), stores.get("/levels-slow-second").await);
            assert_eq!(level(&response), "lookup");
            (begun.elapsed() < Duration::from_millis(400)).then_some(())
        });
        unwaited.await.expect("slow levels are left alone");
        // It is written nevertheless.
        stores.filled(1).await;
    });
}

fn grouped(path: &str, world: &World) {
    world.scripted().script(path, |asked| {
        let nth = asked.nth;
        format!("200\ncache-control: max-age=600\ncache-groups: \"faulty\"\n\n{nth}")
    });
}

fn without_the_control_log(world: &World) {
    let path = "/without-log";
    grouped(path, world);
    world.scripted().script("/without-log-write", |_| {
        "200\ncache-group-invalidation: \"faulty\"\ntidewall-lsn: 5\n\n".to_owned()
    });
    world.run(async {
        let stores = Stores::start(world).await;
        stores.get(path).await;
        assert!(field(&stores.get(path).await, "cache-status").starts_with(HIT));
        stores.edge().fault(world, "control", "throws").await;
        let broken_at = Instant::now();

        // A write works, and its author alone is told that it could not be logged.
        let written = stores.post("/without-log-write").await;
        assert_eq!((written.status().as_u16(), field(&written, "tidewall-bookmark")), (200, "-.5".into()));
        assert!(field(&written, "set-cookie").contains("tw_bookmark=-.5; Path=/; Max-Age=600"));
        let own = stores.request(Method::GET, path).header("tidewall-bookmark", "-.5").send().await.unwrap();
        assert_eq!(own.status(), 200);
        assert!(!field(&own, "cache-status").starts_with(HIT), "{own:?}");
        let purged = stores.edge().purge(world, &serde_json::json!({ "groups": ["faulty"] })).await;
        assert_eq!((purged.status().as_u16(), field(&purged, "retry-after")), (503, "1".into()));

        // Others are served from the store for the grace, and then by the origin.
        let misses = poll::until_async(DEADLINE, || async {
            let asked_after = broken_at.elapsed();
            let response = stores.get(path).await;
            assert_eq!(response.status(), 200);
            let status = field(&response, "cache-status");
            if status.starts_with(HIT) {
                assert!(asked_after < CONTROL_GRACE + Duration::from_millis(200), "{status}");
                return None;
            }
            assert!(status.contains("fwd=stale; stored; detail=no-view"), "{status}");
            Some(broken_at.elapsed())
        });
        let after = misses.await.expect("without the log nothing is served from the store");
        assert!(after + Duration::from_millis(1_200) > CONTROL_GRACE, "{after:?}");

        stores.edge().fault(world, "control", "works").await;
        let hits = poll::until_async(DEADLINE, || async {
            field(&stores.get(path).await, "cache-status").starts_with(HIT).then_some(())
        });
        hits.await.expect("with the log back there are hits again");
    });
}

fn a_control_log_that_hangs(world: &World) {
    let path = "/hanging-log";
    grouped(path, world);
    world.run(async {
        let stores = Stores::start(world).await;
        stores.get(path).await;
        stores.edge().fault(world, "control", "hangs").await;
        // Past the grace and the deadline of the first that waits in vain.
        tokio::time::sleep(CONTROL_GRACE).await;
        stores.get(path).await;
        let begun = Instant::now();
        let response = stores.get(path).await;
        assert_eq!(response.status(), 200);
        assert!(!field(&response, "cache-status").starts_with(HIT));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    });
}

fn without_others_to_meet(world: &World) {
    world.run(async {
        let stores = Stores::start(world).await;
        for (fault, path) in [("throws", "/unmet"), ("hangs", "/unmet-long")] {
            world.scripted().script(path, |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
            stores.edge().fault(world, "collapse", fault).await;
            let response = stores.get(path).await;
            assert_eq!(field(&response, "cache-status"), MISS, "{fault}");
            assert_eq!(response.text().await.unwrap(), "hello");
            assert!(field(&stores.get(path).await, "cache-status").starts_with(HIT), "{fault}");
        }
    });
}

fn what_was_logged_outlives_the_edge(world: &World) {
    let path = "/outlived";
    grouped(path, world);
    world.run(async {
        let mut stores = Stores::start(world).await;
        stores.get(path).await;
        stores.filled(1).await;
        stores.restart().await;
        assert!(field(&stores.get(path).await, "cache-status").starts_with(HIT));
        assert_eq!(
            stores.edge().purge(world, &serde_json::json!({ "groups": ["faulty"] })).await.status(),
            200
        );
        stores.restart().await;
        let response = stores.get(path).await;
        assert!(field(&response, "cache-status").contains("detail=invalidated-group"), "{response:?}");
    });
}
