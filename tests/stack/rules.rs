//! The rules of HTTP caching, through a real edge: RFC 9111, RFC 9110 (section 14), RFC
//! 5861 and RFC 9211, as far as they can be seen from outside.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::{Method, Response};

use crate::scripted::Asked;
use crate::support::poll;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("rules::a_part_comes_from_the_stored_whole", a_part_comes_from_the_stored_whole),
    ("rules::a_hit_says_the_same_whichever_way_it_takes", a_hit_says_the_same_whichever_way_it_takes),
    ("rules::a_head_is_answered_from_a_stored_get", a_head_is_answered_from_a_stored_get),
    ("rules::only_if_cached_is_never_forwarded", only_if_cached_is_never_forwarded),
    ("rules::a_request_may_ask_for_more_than_the_store_has", a_request_may_ask_for_more_than_the_store_has),
    (
        "rules::what_is_stale_is_revalidated_and_renewed_by_a_304",
        what_is_stale_is_revalidated_and_renewed_by_a_304,
    ),
    ("rules::no_cache_is_stored_and_never_used_unasked", no_cache_is_stored_and_never_used_unasked),
    (
        "rules::what_is_stale_goes_before_an_error_where_it_may",
        what_is_stale_goes_before_an_error_where_it_may,
    ),
    ("rules::what_is_stale_is_renewed_in_the_background", what_is_stale_is_renewed_in_the_background),
    ("rules::fields_that_no_cache_names_are_not_used_again", fields_that_no_cache_names_are_not_used_again),
    ("rules::each_variant_is_stored_until_a_write_ends_all", each_variant_is_stored_until_a_write_ends_all),
    ("rules::a_write_ends_what_it_names", a_write_ends_what_it_names),
    ("rules::two_spellings_of_a_url_are_one", two_spellings_of_a_url_are_one),
];

const HIT: &str = "tidewall; hit; ttl=";
const DEADLINE: Duration = Duration::from_secs(30);

/// Asks with these fields, each written as `name: value`.
async fn ask(world: &World, method: Method, url: &str, fields: &[&str]) -> Response {
    let mut request = world.client.request(method, url);
    for (name, value) in fields.iter().filter_map(|field| field.split_once(": ")) {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

/// Asks until the answer's `Cache-Status` begins so: what is stored is stored after an answer.
async fn until(world: &World, url: &str, fields: &[&str], status: &str) -> Response {
    let last = RefCell::new(String::new());
    let found = poll::until_async(DEADLINE, || async {
        let response = ask(world, Method::GET, url, fields).await;
        let found = field(&response, "cache-status");
        let is_wanted = found.starts_with(status);
        last.replace(found);
        is_wanted.then_some(response)
    });
    match found.await {
        Some(response) => response,
        None => panic!("{url}: {}, and not {status}", last.borrow()),
    }
}

async fn text(response: Response) -> String {
    response.text().await.unwrap()
}

fn two_spellings_of_a_url_are_one(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url =
            origin.script("/item~42", |asked| format!("200\ncache-control: max-age=600\n\n{}", asked.nth));
        let spelling = origin.url("/%69tem%7e%34%32");
        until(world, &url, &[], HIT).await;
        let same = ask(world, Method::GET, &spelling, &[]).await;
        assert!(field(&same, "cache-status").starts_with(HIT), "{same:?}");
        // So what is written to one is not read by the other.
        assert_eq!(ask(world, Method::POST, &spelling, &[]).await.status(), 200);
        let asked = origin.asked("/item~42").len();
        assert_eq!(text(ask(world, Method::GET, &url, &[]).await).await, asked.to_string());
    });
}

fn a_part_comes_from_the_stored_whole(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin
            .script("/part", |_| "200\ncache-control: max-age=600\netag: \"p\"\n\n0123456789".to_owned());
        until(world, &url, &[], HIT).await;
        let part = async |fields: &[&str]| {
            let response = ask(world, Method::GET, &url, fields).await;
            assert!(field(&response, "cache-status").starts_with(HIT), "{fields:?}: {response:?}");
            let head = (response.status().as_u16(), field(&response, "content-range"));
            (head.0, head.1, response.text().await.unwrap())
        };
        let whole = (200, String::new(), "0123456789".to_owned());
        assert_eq!(part(&["range: bytes=2-4"]).await, (206, "bytes 2-4/10".into(), "234".into()));
        assert_eq!(part(&["range: bytes=-2"]).await, (206, "bytes 8-9/10".into(), "89".into()));
        assert_eq!(part(&["range: bytes=0-1, 3-4"]).await, whole);
        assert_eq!(part(&["range: bytes=2-4", "if-range: \"p\""]).await.0, 206);
        assert_eq!(part(&["range: bytes=2-4", "if-range: \"other\""]).await, whole);
        assert_eq!(part(&["range: bytes=2-4", "if-none-match: \"p\""]).await.0, 304);
        let (status, range, _) = part(&["range: bytes=10-"]).await;
        assert_eq!((status, range.as_str()), (416, "bytes */10"));
        assert_eq!(origin.asked("/part").iter().filter(|asked| !asked.field("range").is_empty()).count(), 0);
    });
}

fn a_hit_says_the_same_whichever_way_it_takes(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/ways", |_| {
            "200\ncache-control: max-age=600\netag: \"a\"\ncache-status: Up; hit\nx-mine: 1\n\nhello"
                .to_owned()
        });
        let hit = "Up; hit, tidewall; hit";
        until(world, &url, &[], hit).await;
        // A condition is judged on the long way.
        let long = ask(world, Method::GET, &url, &["if-none-match: \"b\""]).await;
        let short = ask(world, Method::GET, &url, &[]).await;
        let told = |response: &Response| {
            // Which differ by the request, or by the second.
            let differs = ["x-request-id", "age", "cache-status", "server-timing"];
            let fields = response.headers().iter().map(|(name, value)| (name.to_string(), value.clone()));
            let mut fields: Vec<_> = fields.filter(|(name, _)| !differs.contains(&name.as_str())).collect();
            fields.sort();
            (response.status(), fields, field(response, "cache-status").starts_with(hit))
        };
        assert_eq!(told(&short), told(&long));
        for answer in [&short, &long] {
            assert!(field(answer, "server-timing").contains("memory;dur="), "{answer:?}");
        }
        assert!(field(&short, "age").parse::<u32>().is_ok(), "{short:?}");
        let id = ask(world, Method::GET, &url, &["x-request-id: mine"]).await;
        assert_eq!(field(&id, "x-request-id"), "mine");
        assert_ne!(field(&short, "x-request-id"), field(&long, "x-request-id"));
        assert_eq!(short.text().await.unwrap(), "hello");
    });
}

fn a_head_is_answered_from_a_stored_get(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/head", |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
        until(world, &url, &[], HIT).await;
        let response = ask(world, Method::HEAD, &url, &[]).await;
        assert!(field(&response, "cache-status").starts_with(HIT), "{response:?}");
        assert_eq!(field(&response, "content-length"), "5");
        assert!(field(&response, "age").parse::<u32>().is_ok() && !field(&response, "date").is_empty());
        assert!(origin.asked("/head").iter().all(|asked| asked.method == "GET"));
    });
}

fn only_if_cached_is_never_forwarded(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/only", |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
        let wish = ["cache-control: only-if-cached"];
        let response = ask(world, Method::GET, &url, &wish).await;
        assert_eq!(response.status(), 504);
        assert_eq!(field(&response, "cache-status"), "tidewall; detail=only-if-cached");
        assert_eq!(field(&response, "content-type"), "application/problem+json");
        assert!(origin.asked("/only").is_empty());
        until(world, &url, &[], HIT).await;
        assert_eq!(ask(world, Method::GET, &url, &wish).await.status(), 200);
    });
}

fn a_request_may_ask_for_more_than_the_store_has(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/wishes", |_| "200\ncache-control: max-age=60\n\nhello".to_owned());
        let status = async |wish: &str| {
            let response = ask(world, Method::GET, &url, &[&format!("cache-control: {wish}")]).await;
            field(&response, "cache-status")
        };
        assert_eq!(status("no-store").await, "tidewall; fwd=uri-miss; detail=request-no-store");
        assert_eq!(status("no-store").await, "tidewall; fwd=uri-miss; detail=request-no-store");
        until(world, &url, &[], HIT).await;
        assert_eq!(status("no-cache").await, "tidewall; fwd=request; stored; detail=request-no-cache");
        assert_eq!(status("min-fresh=90").await, "tidewall; fwd=request; stored; detail=request-min-fresh");
        assert!(status("max-age=3000").await.starts_with(HIT));
    });
}

fn what_is_stale_is_revalidated_and_renewed_by_a_304(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/renewed", |asked| match asked.field("if-none-match").as_str() {
            "\"v\"" => "304\netag: \"v\"\ncache-control: max-age=600\nx-seen: twice\n\n".to_owned(),
            _ => "200\netag: \"v\"\ncache-control: max-age=1\nx-seen: once\n\nhello".to_owned(),
        });
        until(world, &url, &[], HIT).await;
        let renewed = until(world, &url, &[], "tidewall; fwd=stale; fwd-status=304; stored").await;
        assert_eq!((renewed.status().as_u16(), field(&renewed, "x-seen")), (200, "twice".into()));
        assert_eq!(text(renewed).await, "hello");
        let hit = until(world, &url, &[], HIT).await;
        assert_eq!((field(&hit, "x-seen"), field(&hit, "content-length")), ("twice".into(), "5".into()));
        assert_eq!(field(&hit, "cache-control"), "max-age=600");
    });
}

fn no_cache_is_stored_and_never_used_unasked(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/no-cache", |asked| match asked.field("if-none-match").as_str() {
            "\"n\"" => "304\netag: \"n\"\n\n".to_owned(),
            _ => "200\netag: \"n\"\ncache-control: no-cache\n\nhello".to_owned(),
        });
        let asked_again = "tidewall; fwd=stale; fwd-status=304; stored; detail=no-cache";
        for _ in 0..2 {
            assert_eq!(text(until(world, &url, &[], asked_again).await).await, "hello");
        }
        let before = origin.asked("/no-cache").len();
        until(world, &url, &[], asked_again).await;
        assert_eq!(origin.asked("/no-cache").len(), before + 1);
    });
}

fn what_is_stale_goes_before_an_error_where_it_may(world: &World) {
    let origin = world.scripted();
    world.run(async {
        for (path, directives, forbidden) in [
            ("/failing", "max-age=1, stale-if-error=600", false),
            ("/failing-strictly", "max-age=1, stale-if-error=600, must-revalidate", true),
        ] {
            let answer = move || format!("200\ncache-control: {directives}\n\nhello");
            let url = origin.script(path, move |_| answer());
            until(world, &url, &[], HIT).await;
            // Broken off, then an answer that is an error.
            for (broken, status) in
                [("", "detail=stale-if-error"), ("503\n\n", "fwd-status=503; detail=stale-if-error")]
            {
                origin.script(path, move |_| broken.to_owned());
                // Who asks right after a failure is told of it, and doesn't ask again.
                let expected = format!("tidewall; fwd=stale; {status}");
                let response = poll::until_async(DEADLINE, || async {
                    let response = ask(world, Method::GET, &url, &[]).await;
                    let seen = field(&response, "cache-status");
                    (seen == expected || forbidden && !seen.starts_with(HIT)).then_some(response)
                });
                let response = response.await.expect("it becomes stale");
                if forbidden {
                    assert_eq!(response.status().as_u16(), 503, "{path}");
                } else {
                    assert_eq!((response.status().as_u16(), text(response).await), (200, "hello".into()));
                }
            }
        }
    });
}

fn what_is_stale_is_renewed_in_the_background(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let answer = |asked: &Asked| {
            let max_age = if asked.nth == 0 { 1 } else { 600 };
            format!(
                "200\ncache-control: max-age={max_age}, stale-while-revalidate=600\n\nanswer {}",
                asked.nth
            )
        };
        let url = origin.script("/background", answer);
        until(world, &url, &[], HIT).await;
        let cookie = ["cookie: theme=dark"];
        let stale = poll::until_async(DEADLINE, || async {
            let response = ask(world, Method::GET, &url, &cookie).await;
            field(&response, "cache-status").contains("stale-while-revalidate").then_some(response)
        });
        let stale = stale.await.expect("it is used while it is revalidated");
        assert!(field(&stale, "cache-status").starts_with("tidewall; hit; ttl=-"), "{stale:?}");
        let fresh = poll::until_async(DEADLINE, || async {
            let response = ask(world, Method::GET, &url, &[]).await;
            (!text(response).await.ends_with(" 0")).then_some(())
        });
        fresh.await.expect("it is renewed");
        let background = &origin.asked("/background")[1..];
        assert!(!background.is_empty() && background.iter().all(|asked| asked.field("cookie").is_empty()));
    });
}

fn fields_that_no_cache_names_are_not_used_again(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/named", |_| {
            "200\ncache-control: max-age=600, no-cache=\"X-Once\", private=\"X-Mine\"\nx-once: 1\nx-mine: 1\nx-always: 1\n\nhello".to_owned()
        });
        let first = world.get(&url).await;
        assert_eq!((field(&first, "x-once"), field(&first, "x-mine")), ("1".into(), "1".into()));
        let hit = until(world, &url, &[], HIT).await;
        let seen = ["x-once", "x-mine", "x-always"].map(|name| field(&hit, name));
        assert_eq!(seen, ["", "", "1"]);
    });
}

fn each_variant_is_stored_until_a_write_ends_all(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/variants", |asked| {
            let language = asked.field("accept-language");
            format!("200\ncache-control: max-age=600\nvary: Accept-Language\n\n{language} {}", asked.nth)
        });
        let (english, german) = (["accept-language: en"], ["accept-language: de"]);
        assert!(text(until(world, &url, &english, HIT).await).await.starts_with("en "));
        let other = ask(world, Method::GET, &url, &german).await;
        assert_eq!(field(&other, "cache-status"), "tidewall; fwd=vary-miss; stored");
        assert!(text(until(world, &url, &german, HIT).await).await.starts_with("de "));
        assert!(text(until(world, &url, &["accept-language: EN;q=1.0"], HIT).await).await.starts_with("en "));

        let asked = origin.asked("/variants").len();
        assert_eq!(ask(world, Method::POST, &url, &[]).await.status(), 200);
        let english = text(until(world, &url, &english, HIT).await).await;
        let nth: usize = english.strip_prefix("en ").unwrap().parse().unwrap();
        assert!(nth >= asked, "{english} is not one of those after the first {asked}");
        let other = ask(world, Method::GET, &url, &german).await;
        assert_eq!(field(&other, "cache-status"), "tidewall; fwd=stale; stored; detail=invalidated-uri");
    });
}

fn a_write_ends_what_it_names(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let stored = |_: &Asked| "200\ncache-control: max-age=600\n\nhello".to_owned();
        let named = ["/made", "/beside"].map(|path| origin.script(path, stored));
        for url in &named {
            until(world, url, &[], HIT).await;
        }
        let failing = origin.script("/fails", |_| "409\nlocation: /made\n\n".to_owned());
        ask(world, Method::POST, &failing, &[]).await;
        until(world, &named[0], &[], HIT).await;
        let making =
            origin.script("/makes", |_| "201\nlocation: /made\ncontent-location: beside\n\n".to_owned());
        assert_eq!(ask(world, Method::POST, &making, &[]).await.status(), 201);
        for url in &named {
            let response = world.get(url).await;
            assert_eq!(
                field(&response, "cache-status"),
                "tidewall; fwd=stale; stored; detail=invalidated-uri",
                "{url}"
            );
        }
    });
}
