//! What an attacker would try on what the edge takes from outside beside requests: the purge
//! endpoint, which is for the bearer of a token, and bookmarks, which anyone can make up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::raw;
use crate::safety::plain;
use crate::support::tidewall::Folder;
use crate::workerd::PURGE_TOKEN;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("safety::doors::who_tries_tokens_is_not_heard_and_others_are", who_tries_tokens_is_not_heard),
    ("safety::doors::a_purge_that_does_not_end_is_given_up", a_purge_that_does_not_end_is_given_up),
    (
        "safety::doors::a_purge_says_what_is_wrong_with_it_and_never_the_token",
        a_purge_says_what_is_wrong_with_it,
    ),
    ("safety::doors::purges_that_come_too_fast_are_put_off", purges_that_come_too_fast_are_put_off),
    ("safety::doors::no_bookmark_is_an_error", no_bookmark_is_an_error),
    (
        "safety::doors::bookmarks_from_the_future_cost_a_bounded_number_of_refreshes",
        bookmarks_from_the_future,
    ),
];

fn who_tries_tokens_is_not_heard(world: &World) {
    let folder = Folder::new();
    world.run(async {
        let edge = plain(world, &folder).await;
        let all = json!({ "groups": ["doors"] });
        let purge = async |client: &str, token: &str| {
            edge.purging(world, client, token).json(&all).send().await.unwrap()
        };
        let (guesser, other) = ("203.0.113.7", "203.0.113.8");
        assert_eq!(purge(guesser, PURGE_TOKEN).await.status(), StatusCode::OK);
        let mut refused = 0;
        let last = loop {
            // One that is the right one but for its end, and those of other lengths.
            let token = format!("{}{}", &PURGE_TOKEN[..PURGE_TOKEN.len() - 1], "x".repeat(refused % 3));
            let answer = purge(guesser, &token).await;
            if answer.status() != StatusCode::UNAUTHORIZED {
                break answer;
            }
            assert_eq!(field(&answer, "www-authenticate"), "Bearer");
            refused += 1;
            assert!(refused < 200, "never refused to listen");
        };
        assert!(refused >= 20, "{refused}");
        assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(field(&last, "retry-after"), "1");
        assert_eq!(field(&last, "content-type"), "application/problem+json");

        assert_eq!(purge(other, "wrong").await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(purge(other, PURGE_TOKEN).await.status(), StatusCode::OK);
        // Each network of IPv6 is one client, however many addresses it has.
        // One is heard each 200 ms, so it takes more of them on a slow machine.
        let silenced = async |client: &dyn Fn(u32) -> String| {
            for n in 0..200 {
                let status = purge(&client(n), "wrong").await.status();
                if status != StatusCode::UNAUTHORIZED {
                    return status;
                }
            }
            panic!("never refused to listen");
        };
        assert_eq!(silenced(&|n| format!("2001:db8::{n:x}")).await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(purge("2001:db8:0:1::1", "wrong").await.status(), StatusCode::UNAUTHORIZED);
        // Whom the platform doesn't name can't be silenced by others.
        assert_eq!(silenced(&|_| "unknown".to_owned()).await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(purge("unknown", PURGE_TOKEN).await.status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(purge(guesser, PURGE_TOKEN).await.status(), StatusCode::OK);
    });
}

fn a_purge_that_does_not_end_is_given_up(world: &World) {
    let folder = Folder::new();
    world.run(async {
        let edge = plain(world, &folder).await;
        let authorization = format!("authorization: Bearer {PURGE_TOKEN}");
        let fields = [authorization.as_str(), "content-length: 100"];
        let answer = raw::ask(&edge.url, "POST /_tidewall/purge", &fields, "{\"all\":").await;
        assert_eq!(answer.status, 408, "{answer:?}");
        // Others are answered meanwhile, and afterwards.
        assert_eq!(edge.purge(world, &json!({ "groups": ["doors"] })).await.status(), 200);
    });
}

fn a_purge_says_what_is_wrong_with_it(world: &World) {
    let origin = world.scripted();
    let token = origin.purge_token();
    let authorization = format!("authorization: Bearer {token}");
    world.run(async {
        let edge = origin.url("");
        let long = format!("{{\"groups\":[\"{}\"]}}", "g".repeat(300_000));
        for (body, expected) in [
            ("", 400),
            ("{", 400),
            ("not json", 400),
            ("{\"all\":true} x", 400),
            ("\u{0}", 400),
            ("[]", 422),
            ("null", 422),
            ("{\"all\":1}", 422),
            ("{\"all\":false}", 422),
            ("{\"lsn\":-1,\"all\":true}", 422),
            ("{\"lsn\":99999999999999999999999,\"all\":true}", 422),
            ("{\"all\":true,\"all\":true}", 422),
            ("{\"groups\":[1]}", 422),
            (long.as_str(), 413),
        ] {
            let length = format!("content-length: {}", body.len());
            let fields = [authorization.as_str(), length.as_str()];
            let answer = raw::ask(&edge, "POST /_tidewall/purge", &fields, body).await;
            let shown = &body[..body.len().min(60)];
            assert_eq!(answer.status, expected, "{shown}: {answer:?}");
            assert_eq!(answer.field("content-type"), "application/problem+json", "{shown}");
            assert!(!answer.text.contains(&token), "{answer:?}");
        }
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let line = format!("{method} /_tidewall/purge");
            let answer = raw::ask(&edge, &line, &[&authorization], "").await;
            assert_eq!((answer.status, answer.field("allow")), (405, "POST"), "{method}");
            assert!(!answer.text.contains(&token), "{answer:?}");
        }
        // Not where it could be kept by others: in the address.
        let line = format!("POST /_tidewall/purge?token={token}");
        let answer = raw::ask(&edge, &line, &["content-length: 12"], "{\"all\":true}").await;
        assert_eq!(answer.status, 401, "{answer:?}");
        for line in ["/_tidewall/status/", "/_tidewall/", "/_tidewall/../_tidewall/x", "/_tidewall/purge/"] {
            let answer = raw::ask(&edge, &format!("GET {line}"), &[&authorization], "").await;
            assert_eq!(answer.status, 404, "{line}: {answer:?}");
            assert!(origin.asked(line).is_empty(), "{line} went to the origin, with the token");
        }
        assert!(!origin.log().contains(&format!("Bearer {token}")), "the token is in the log");
    });
}

fn purges_that_come_too_fast_are_put_off(world: &World) {
    let folder = Folder::new();
    world.run(async {
        let edge = plain(world, &folder).await;
        let begun = Instant::now();
        let (taken, put_off) = (Cell::new(0_u64), Cell::new(0_u64));
        while put_off.get() == 0 {
            assert!(taken.get() < 10_000, "none is put off");
            let purges = (0..50).map(|_| async {
                let answer = edge.purge(world, &json!({ "groups": ["doors"] })).await;
                match answer.status() {
                    StatusCode::OK => taken.set(taken.get() + 1),
                    StatusCode::TOO_MANY_REQUESTS => {
                        assert_eq!(field(&answer, "retry-after"), "1");
                        put_off.set(put_off.get() + 1);
                    }
                    status => panic!("{status}"),
                }
            });
            join_all(purges).await;
        }
        let refilled = u64::try_from(begun.elapsed().as_millis()).unwrap() / 10;
        assert!((1_000..=1_001 + refilled).contains(&taken.get()), "{} and {refilled}", taken.get());
        // What a write makes invalid is logged all the same.
        world
            .scripted()
            .script("/doors/write", |_| "200\ncache-group-invalidation: \"doors\"\n\n".to_owned());
        let written = world.client.post(format!("{}/doors/write", edge.url)).send().await.unwrap();
        let bookmark = field(&written, "tidewall-bookmark");
        assert!(
            bookmark.starts_with(|first: char| first.is_ascii_digit()) && !bookmark.starts_with('0'),
            "{bookmark}"
        );
    });
}

const BOOKMARKS: [&str; 22] = [
    "",
    ".",
    "-",
    "-.",
    ".-",
    "-.-",
    "0",
    "1.2.3",
    "-1.-1",
    "1.-1",
    "+1.+1",
    "1e9.1",
    "0x1.1",
    "18446744073709551615.18446744073709551615",
    "18446744073709551616.18446744073709551616",
    "99999999999999999999999999999999999999.9",
    "9007199254740993.9007199254740993",
    "-.18446744073709551615",
    "NaN.Infinity",
    "5.7, 6.8, -.9, x",
    "\u{fc}.\u{fc}",
    "5.7; Path=/",
];

fn no_bookmark_is_an_error(world: &World) {
    let origin = world.scripted();
    origin.script("/doors/marked*", |asked| match asked.method.as_str() {
        "GET" => "200\ncache-control: max-age=600\ncache-groups: \"marked\"\n\nhello".to_owned(),
        _ => "200\ncache-group-invalidation: \"marked\"\ntidewall-lsn: 18446744073709551615\n\nhello"
            .to_owned(),
    });
    let edge = origin.url("");
    world.run(async {
        let long = "9".repeat(20_000);
        let many = vec!["1.1"; 2_000].join(",");
        let odd = [long.as_str(), many.as_str()];
        for bookmark in BOOKMARKS.into_iter().chain(odd) {
            let header = format!("tidewall-bookmark: {bookmark}");
            let cookie = format!("cookie: a=1; tw_bookmark={bookmark}; tw_bookmark={bookmark}");
            let fields =
                [vec![header.as_str()], vec![header.as_str(), header.as_str()], vec![cookie.as_str()]];
            let shown = &header[..header.len().min(80)];
            for fields in fields {
                for method in ["GET", "HEAD", "POST"] {
                    let line = format!("{method} /doors/marked");
                    let answer = raw::ask(&edge, &line, &fields, "").await;
                    assert_eq!(answer.status, 200, "{method} {shown}: {answer:?}");
                    let told = answer.field("tidewall-bookmark");
                    assert!(told.len() < 60, "{method} {shown}: {told}");
                }
            }
        }
    });
}

fn bookmarks_from_the_future(world: &World) {
    let origin = world.scripted();
    origin.script("/doors/fresh", |asked| {
        format!("200\ncache-control: max-age=600\ncache-groups: \"fresh\"\n\n{}", asked.nth)
    });
    origin.script("/doors/plain", |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
    let folder = Folder::new();
    world.run(async {
        let edge = plain(world, &folder).await;
        let (fresh, plain) = (format!("{}/doors/fresh", edge.url), format!("{}/doors/plain", edge.url));
        let with = async |url: &str, bookmark: &str| {
            world.client.get(url).header("tidewall-bookmark", bookmark).send().await.unwrap()
        };
        world.get(&plain).await;

        let (before, begun) = (edge.calls(world, "control").await, Instant::now());
        let is_over = Cell::new(false);
        let asked = Cell::new(0_u64);
        let flood = async || {
            while !is_over.get() {
                let answer = with(&plain, "9999999999999.9").await;
                assert_eq!(answer.status(), 200);
                asked.set(asked.get() + 1);
            }
        };
        let genuine = async {
            for _ in 0..15 {
                while !field(&world.get(&fresh).await, "cache-status").starts_with("tidewall; hit") {}
                let old = world.get(&fresh).await.text().await.unwrap();
                // Another wrote, elsewhere, and says where.
                let seq = edge.append_elsewhere(world, "fresh").await;
                let begun = Instant::now();
                let new = with(&fresh, &format!("{seq}.0")).await.text().await.unwrap();
                assert_ne!(new, old, "a write was missed");
                assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
            }
            is_over.set(true);
        };
        let floods = join_all((0..16).map(|_| flood()));
        futures::join!(genuine, floods);
        let elapsed = u64::try_from(begun.elapsed().as_millis()).unwrap();
        let calls = edge.calls(world, "control").await - before;
        // One each 50 ms for bookmarks; and those for age, two a second, and the appends.
        let most = elapsed / 50 + elapsed / 500 + 2 * 15 + 4;
        assert!(calls <= most, "{calls} questions in {elapsed} ms for {} requests", asked.get());
        assert!(asked.get() > 2 * calls, "{} requests made {calls} questions", asked.get());
    });
}
