//! Requests that miss the same response, through the real edge.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Response;

use crate::scripted::Asked;
use crate::support::poll;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("collapse::a_thousand_requests_of_a_cold_key_make_one", a_thousand_requests),
    ("collapse::a_hundred_requests_in_a_row_make_one", a_hundred_in_a_row),
    ("collapse::what_proves_unstorable_is_not_waited_for", what_proves_unstorable),
    ("collapse::a_leader_that_fails_is_followed_by_one", a_leader_that_fails),
    ("collapse::variants_are_not_mixed_up", variants_are_not_mixed_up),
    ("collapse::what_is_one_persons_is_not_handed_to_another", what_is_one_persons),
    ("collapse::a_body_too_long_to_be_handed_over_is_found_nearby", a_long_body),
    ("collapse::a_leader_whose_client_is_gone_goes_on", a_leader_whose_client_is_gone),
    ("collapse::nobody_waits_for_what_is_one_persons", nobody_waits_for_one_persons),
    ("collapse::one_request_finds_out_that_the_origin_fails", where_the_origin_fails),
    ("collapse::one_request_renews_what_many_are_served_stale", one_request_renews),
];

const DEADLINE: Duration = Duration::from_secs(30);

async fn many(world: &World, url: &str, count: usize, headers: &[(&str, &str)]) -> Vec<Response> {
    let one = || async {
        let mut request = world.client.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    join_all((0..count).map(|_| one())).await
}

/// As if it took a while to work out. The origin's other requests go on meanwhile.
fn slowly(answer: &str) -> String {
    std::thread::sleep(Duration::from_millis(300));
    answer.to_owned()
}

fn a_thousand_requests(world: &World) {
    let origin = world.scripted();
    world.run(async {
        for (nth, count) in [1_000, 1_000, 500, 250].into_iter().enumerate() {
            let path = format!("/cold-{nth}");
            let url = origin.script(&path, |_| slowly("200\ncache-control: max-age=600\n\nhello"));
            let begun = Instant::now();
            let answers = many(world, &url, count, &[]).await;
            let mut collapsed = 0;
            for answer in answers {
                assert_eq!(answer.status(), 200);
                collapsed += usize::from(field(&answer, "cache-status").ends_with("; collapsed"));
                assert_eq!(answer.text().await.unwrap(), "hello");
            }
            assert!(collapsed > 0, "nobody waited");
            let asked = origin.asked(&path).len();
            if asked == 1 {
                return;
            }
            // Who waits two seconds for others asks for itself, so this machine took too long over them all.
            assert!(begun.elapsed() > Duration::from_secs(2), "{asked} requests");
        }
        panic!("not even few of them are done in two seconds");
    });
}

fn a_hundred_in_a_row(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/row", |_| "200\ncache-control: max-age=600\n\nhello".to_owned());
        let mut hits = 0;
        for _ in 0..100 {
            hits += usize::from(field(&world.get(&url).await, "cache-status").starts_with("tidewall; hit"));
        }
        assert_eq!((origin.asked("/row").len(), hits), (1, 99));
    });
}

fn what_proves_unstorable(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let url = origin.script("/unstorable", move |_| {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let answer = slowly("200\ncache-control: no-store\n\nhello");
            now.fetch_sub(1, Ordering::SeqCst);
            answer
        });
        let first = world.get(&url).await;
        assert_eq!(field(&first, "cache-status"), "tidewall; fwd=uri-miss; detail=no-store");
        for answer in many(world, &url, 8, &[]).await {
            assert_eq!(answer.status(), 200);
        }
        assert_eq!(origin.asked("/unstorable").len(), 9);
        // One by one it would be one at a time.
        assert!(most.load(Ordering::SeqCst) > 1);
    });
}

fn a_leader_that_fails(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/leader-fails", |asked| match asked.nth {
            0 => slowly("500\n\n"),
            _ => slowly("200\ncache-control: max-age=600\n\nhello"),
        });
        let answers = many(world, &url, 50, &[]).await;
        let failed = answers.iter().filter(|answer| answer.status() == 500).count();
        assert_eq!((origin.asked("/leader-fails").len(), failed), (2, 1));
    });
}

fn variants_are_not_mixed_up(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/tongues", |asked| {
            let language = asked.field("accept-language");
            slowly(&format!("200\ncache-control: max-age=600\nvary: accept-language\n\n{language}"))
        });
        let (english, german) = tokio::join!(
            many(world, &url, 20, &[("accept-language", "en")]),
            many(world, &url, 20, &[("accept-language", "de")]),
        );
        for (answers, language) in [(english, "en"), (german, "de")] {
            for answer in answers {
                assert_eq!(answer.text().await.unwrap(), language);
            }
        }
        let asked = origin.asked("/tongues");
        let of =
            |language: &str| asked.iter().filter(|asked| asked.field("accept-language") == language).count();
        assert_eq!((of("en"), of("de")), (1, 1));
    });
}

fn what_is_one_persons(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let echo = |asked: &Asked| {
            slowly(&format!("200\ncache-control: max-age=600\n\n{}", asked.field("authorization")))
        };
        let url = origin.script("/mine", echo);
        let users: Vec<String> = (0..20).map(|n| format!("Bearer {n}")).collect();
        let asking = users.iter().map(|user| {
            let request = world.client.get(&url).header("authorization", user);
            async { request.send().await.unwrap().text().await.unwrap() }
        });
        assert_eq!(join_all(asking).await, users);
    });
}

fn a_long_body(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let body = "x".repeat(700_000);
        let answer = format!("200\ncache-control: max-age=600\n\n{body}");
        let url = origin.script("/long", move |_| slowly(&answer));
        for answer in many(world, &url, 10, &[]).await {
            assert_eq!(answer.text().await.unwrap().len(), body.len());
        }
        assert_eq!(origin.asked("/long").len(), 1);
    });
}

fn one_request_renews(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/renewed-by-one", |asked| match asked.nth {
            0 => "200\ncache-control: max-age=1, stale-while-revalidate=600\n\nhello".to_owned(),
            _ => slowly("200\ncache-control: max-age=600\n\nhello"),
        });
        world.get(&url).await;
        // Stale, and nobody has asked since.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let answers = many(world, &url, 50, &[]).await;
        assert!(answers.iter().all(|answer| field(answer, "cache-status").contains("hit")));
        let renewed = poll::until_async(DEADLINE, || async {
            let status = field(&world.get(&url).await, "cache-status");
            (status.contains("hit") && !status.contains("stale")).then_some(())
        });
        renewed.await.expect("it is renewed");
        assert_eq!(origin.asked("/renewed-by-one").len(), 2);
    });
}

fn a_leader_whose_client_is_gone(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let (arrived, mut at_origin) = tokio::sync::mpsc::unbounded_channel();
        let url = origin.script("/abandoned", move |_| {
            arrived.send(()).unwrap();
            slowly("200\ncache-control: max-age=600\n\nhello")
        });
        let leader = tokio::spawn(world.client.get(&url).send());
        at_origin.recv().await.unwrap();
        leader.abort();
        for answer in many(world, &url, 10, &[]).await {
            assert_eq!(answer.text().await.unwrap(), "hello");
        }
        assert_eq!(origin.asked("/abandoned").len(), 1);
    });
}

fn nobody_waits_for_one_persons(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/own", |asked| match asked.field("authorization").as_str() {
            "Bearer slow" => {
                std::thread::sleep(Duration::from_secs(2));
                "200\n\nslow".to_owned()
            }
            _ => "200\n\nquick".to_owned(),
        });
        let slow = tokio::spawn(world.client.get(&url).header("authorization", "Bearer slow").send());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let quick = world.client.get(&url).header("authorization", "Bearer quick").send();
        assert_eq!(quick.await.unwrap().text().await.unwrap(), "quick");
        assert!(!slow.is_finished());
        slow.await.unwrap().unwrap();
    });
}

fn where_the_origin_fails(world: &World) {
    let origin = world.scripted();
    world.run(async {
        let url = origin.script("/failing-all", |asked| match asked.nth {
            0 => "200\ncache-control: max-age=1, stale-if-error=600\n\nhello".to_owned(),
            _ => slowly("503\n\n"),
        });
        world.get(&url).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for answer in many(world, &url, 20, &[]).await {
            assert!(field(&answer, "cache-status").ends_with("detail=stale-if-error"), "{answer:?}");
            assert_eq!(answer.text().await.unwrap(), "hello");
        }
        assert_eq!(origin.asked("/failing-all").len(), 2);
    });
}
