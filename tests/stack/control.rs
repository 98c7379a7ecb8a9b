//! The control log through the real edge: purges, groups, bookmarks, write-through.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("control::a_purge_ends_what_it_names", a_purge_ends_what_it_names),
    ("control::a_purge_of_everything_ends_everything", a_purge_of_everything),
    ("control::a_soft_purge_only_makes_stale", a_soft_purge_only_makes_stale),
    ("control::a_purge_needs_its_token_and_a_body_that_can_be_meant", a_purge_needs_its_token),
    ("control::an_answer_invalidates_groups_before_it_is_handed_on", an_answer_invalidates_groups),
    ("control::a_fill_that_an_invalidation_overtook_is_not_stored", a_fill_that_was_overtaken),
    ("control::a_read_from_a_replica_behind_the_write_is_not_stored", a_read_from_behind),
    ("control::the_answer_to_a_write_is_the_new_state", the_answer_to_a_write_is_the_new_state),
    ("control::a_bookmark_merges_field_and_cookie_and_reaches_the_origin", a_bookmark_merges),
    ("control::a_position_that_was_never_logged_lets_only_its_bearer_wait", unlogged_positions),
    ("control::a_read_hands_on_the_bookmark_of_its_origin", a_read_hands_on_a_bookmark),
    ("control::groups_that_cannot_be_read_are_not_stored", groups_that_cannot_be_read),
];

const HIT: &str = "tidewall; hit";

async fn purge(world: &World, origin: &Scripted, body: &Value) -> Response {
    let url = origin.url("/_tidewall/purge");
    world.client.post(url).bearer_auth(origin.purge_token()).json(body).send().await.unwrap()
}

async fn status(world: &World, url: &str) -> String {
    field(&world.get(url).await, "cache-status")
}

/// Asks until the store answers.
async fn until_hit(world: &World, url: &str) {
    let begun = Instant::now();
    while !status(world, url).await.starts_with(HIT) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{url} is never a hit");
    }
}

/// A response in groups that is fresh for long.
fn grouped(groups: &str) -> String {
    format!("200\ncache-control: max-age=600\ncache-groups: {groups}\netag: \"e\"\n\nhello")
}

fn a_purge_ends_what_it_names(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/purged/a", |_| grouped("\"g-a\""));
        let other = origin.script("/purged/b", |_| grouped("\"g-b\""));
        for (body, reason) in [
            (json!({ "groups": ["g-a"] }), "invalidated-group"),
            (json!({ "paths": ["/purged/a"] }), "invalidated-path"),
            (json!({ "prefixes": ["/purged/a"] }), "invalidated-prefix"),
        ] {
            until_hit(world, &url).await;
            until_hit(world, &other).await;
            let answer = purge(world, origin, &body).await;
            assert_eq!(answer.status(), 200, "{body}");
            let answer: Value = answer.json().await.unwrap();
            assert!(answer["seq"].as_u64().unwrap() > 1_700_000_000_000, "{answer}");
            // The isolate that appended has read the log: at once.
            let seen = status(world, &url).await;
            assert!(seen.contains(&format!("fwd=stale; stored; detail={reason}")), "{body}: {seen}");
            assert!(status(world, &other).await.starts_with(HIT), "{body}");
        }
    });
}

fn a_purge_of_everything(world: &World) {
    // Of its own: others count on what they stored.
    let origin = Scripted::start(&world.runtime);
    world.run(async {
        let url = origin.script("/all", |_| grouped("\"a\""));
        until_hit(world, &url).await;
        assert_eq!(purge(world, &origin, &json!({ "all": true })).await.status(), 200);
        assert!(status(world, &url).await.contains("detail=invalidated-all"));
        until_hit(world, &url).await;
    });
}

fn a_soft_purge_only_makes_stale(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/soft", |asked| {
            let nth = asked.nth;
            format!("200\ncdn-cache-control: max-age=600, stale-while-revalidate=60\ncache-groups: \"soft\"\n\n{nth}")
        });
        until_hit(world, &url).await;
        let before = world.get(&url).await.text().await.unwrap();
        assert_eq!(purge(world, origin, &json!({ "groups": ["soft"], "soft": true })).await.status(), 200);
        let stale = world.get(&url).await;
        assert!(field(&stale, "cache-status").contains("detail=stale-while-revalidate"));
        assert_eq!(stale.text().await.unwrap(), before);
        let begun = Instant::now();
        while world.get(&url).await.text().await.unwrap() == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "never revalidated");
        }
        assert!(status(world, &url).await.starts_with(HIT));
    });
}

fn a_purge_needs_its_token(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.url("/_tidewall/purge");
        let all = json!({ "all": true });
        let without = world.client.post(&url).json(&all).send().await.unwrap();
        assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
        let wrong = world.client.post(&url).bearer_auth("wrong").json(&all).send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
        let read = world.client.get(&url).bearer_auth(origin.purge_token()).send().await.unwrap();
        assert_eq!((read.status(), field(&read, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST".into()));
        for (body, expected) in [
            (json!({}), 422),
            (json!({ "paths": ["no-slash"] }), 422),
            (json!({ "tags": ["a"] }), 422),
            (json!({ "groups": "a" }), 422),
        ] {
            let answer = purge(world, origin, &body).await;
            assert_eq!(answer.status(), expected, "{body}");
            let problem: Value = answer.json().await.unwrap();
            assert!(!problem["errors"].as_object().unwrap().is_empty(), "{problem}");
        }
        let post = |body: String| world.client.post(&url).bearer_auth(origin.purge_token()).body(body).send();
        assert_eq!(post("{".to_owned()).await.unwrap().status(), 400);
        assert_eq!(post(format!("\"{}\"", "x".repeat(300_000))).await.unwrap().status(), 413);
    });
}

fn an_answer_invalidates_groups(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/in-group", |_| grouped("\"in-band\""));
        let writing = origin.script("/writing", |_| {
            "200\ncache-group-invalidation: \"in-band\"\ntidewall-lsn: 70\n\n".into()
        });
        until_hit(world, &url).await;
        // A safe request invalidates nothing.
        world.get(&writing).await;
        assert!(status(world, &url).await.starts_with(HIT));

        let written = world.send(Method::POST, &writing, &json!({})).await;
        assert_eq!(written.status(), 200);
        assert!(status(world, &url).await.contains("detail=invalidated-group"));
        let bookmark = field(&written, "tidewall-bookmark");
        let (seq, lsn) = bookmark.split_once('.').unwrap();
        assert!(seq.parse::<u64>().unwrap() > 1_700_000_000_000, "{bookmark}");
        assert_eq!(lsn, "70");
        assert!(field(&written, "set-cookie").starts_with(&format!("tw_bookmark={bookmark}; Path=/;")));
    });
}

fn a_fill_that_was_overtaken(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let (arrived, mut at_origin) = tokio::sync::mpsc::unbounded_channel();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let url = origin.script("/overtaken", move |asked| {
            if asked.nth == 0 {
                arrived.send(()).unwrap();
                wait.lock().unwrap().recv().unwrap();
            }
            grouped("\"overtaken\"")
        });
        let slow = world.client.get(&url).send();
        let slow = tokio::spawn(slow);
        at_origin.recv().await.unwrap();
        assert_eq!(purge(world, origin, &json!({ "groups": ["overtaken"] })).await.status(), 200);
        release.send(()).unwrap();
        let slow = slow.await.unwrap().unwrap();
        assert_eq!(field(&slow, "cache-status"), "tidewall; fwd=uri-miss; detail=invalidated");
        assert!(!status(world, &url).await.starts_with(HIT));
        until_hit(world, &url).await;
    });
}

fn a_read_from_behind(world: &World) {
    let origin = world.scripted();
    world.run(async {
        // The origin's replica is at 50 and stays there, whatever it is asked for.
        let url = origin.script("/behind", |asked| {
            let lsn = if asked.nth < 3 { "50" } else { "primary" };
            format!("200\ncache-control: max-age=600\ncache-groups: \"behind\"\ntidewall-lsn: {lsn}\n\nhello")
        });
        world.get(&url).await;
        let body = json!({ "groups": ["behind"], "lsn": 60 });
        assert_eq!(purge(world, origin, &body).await.status(), 200);
        for _ in 1..3 {
            assert!(status(world, &url).await.ends_with("detail=invalidated"));
        }
        // It was asked for what had been written.
        let asked = origin.asked("/behind").last().unwrap().field("tidewall-bookmark");
        let lsn: u64 = asked.split_once('.').unwrap().1.parse().unwrap();
        assert!(lsn >= 60, "{asked}");
        assert!(status(world, &url).await.contains("; stored"));
        assert!(status(world, &url).await.starts_with(HIT));
    });
}

fn the_answer_to_a_write_is_the_new_state(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/through", |asked| {
            let invalidates = match asked.method.as_str() {
                "PUT" => "content-location: /through\ncache-group-invalidation: \"through\"\n",
                _ => "",
            };
            let nth = asked.nth;
            format!("200\ncache-control: max-age=600\ncache-groups: \"through\"\n{invalidates}\n{nth}")
        });
        until_hit(world, &url).await;
        let written = world.send(Method::PUT, &url, &json!({})).await;
        assert_eq!(field(&written, "cache-status"), "tidewall; fwd=method; stored");
        let state = written.text().await.unwrap();
        let read = world.get(&url).await;
        assert!(field(&read, "cache-status").starts_with(HIT));
        assert_eq!(read.text().await.unwrap(), state);
    });
}

fn a_bookmark_merges(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/bookmarked", |_| "200\ncache-control: no-store\n\n".into());
        let request = world.client.get(&url).header("tidewall-bookmark", "0.900");
        request.header("cookie", "a=1; tw_bookmark=7.800").send().await.unwrap();
        let asked = origin.asked("/bookmarked").pop().unwrap();
        assert_eq!(asked.field("cookie"), "a=1");
        let bookmark = asked.field("tidewall-bookmark");
        let (seq, lsn) = bookmark.split_once('.').unwrap();
        assert_eq!(seq, "7");
        assert!(lsn.parse::<u64>().unwrap() >= 900);
    });
}

fn unlogged_positions(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/unlogged", |_| {
            "200\ncache-control: max-age=600\ncache-groups: \"u\"\ntidewall-lsn: 40\n\nhello".into()
        });
        let plain = origin.script("/ungrouped", |_| "200\ncache-control: max-age=600\n\nhello".into());
        let with = async |url: &str, bookmark: &str| {
            let answer = world.client.get(url).header("tidewall-bookmark", bookmark).send().await.unwrap();
            field(&answer, "cache-status")
        };
        until_hit(world, &url).await;
        until_hit(world, &plain).await;
        assert!(with(&url, "-.10").await.contains("detail=behind-bookmark"));
        assert!(with(&url, "0.41").await.contains("detail=behind-bookmark"));
        assert!(with(&url, "0.40").await.starts_with(HIT));
        // Past the head of the log: of a log that is lost.
        assert!(with(&url, "9999999999999.10").await.contains("detail=behind-bookmark"));
        // It could be about this as well, by its URI alone.
        assert!(with(&plain, "-.10").await.contains("detail=behind-bookmark"));
        // What says nothing of a database is not behind it.
        assert!(with(&plain, "0.41").await.starts_with(HIT));
        assert!(status(world, &url).await.starts_with(HIT));
    });
}

fn groups_that_cannot_be_read(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/broken-groups", |_| grouped("no strings"));
        for _ in 0..2 {
            assert_eq!(status(world, &url).await, "tidewall; fwd=uri-miss; detail=groups");
        }
    });
}

fn a_read_hands_on_a_bookmark(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin
            .script("/finished", |_| "200\ncache-control: no-store\ntidewall-bookmark: 0.900\n\n".into());
        let answer = world.get(&url).await;
        assert_eq!(field(&answer, "tidewall-bookmark"), "0.900");
        assert!(field(&answer, "set-cookie").starts_with("tw_bookmark=0.900;"));
        // What is stored is everybody's, and has nobody's bookmark.
        let url = origin.script("/finished-stored", |_| {
            "200\ncache-control: max-age=600\ntidewall-bookmark: 0.900\n\n".into()
        });
        assert_eq!(field(&world.get(&url).await, "tidewall-bookmark"), "0.900");
        let hit = world.get(&url).await;
        assert!(field(&hit, "cache-status").starts_with(HIT));
        assert_eq!((field(&hit, "tidewall-bookmark"), field(&hit, "set-cookie")), Default::default());
    });
}
