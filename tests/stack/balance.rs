//! Which origin gets a request, over origins that die, drain, fail and are slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::{Method, Response};

use crate::raw;
use crate::scripted::{Asked, NEVER, Origin};
use crate::shelf::Shelf;
use crate::support::poll;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, TRUSTED, Workerd};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("balance::a_dead_origin_costs_no_read_and_gets_no_more", a_dead_origin_costs_no_read),
    ("balance::an_origin_that_fails_is_left_alone", an_origin_that_fails_is_left_alone),
    ("balance::an_origin_that_is_busy_is_asked_when_it_says", an_origin_that_is_busy_is_asked_when_it_says),
    ("balance::a_draining_origin_gets_nothing_more", a_draining_origin_gets_nothing_more),
    ("balance::when_all_fail_few_are_asked_twice", when_all_fail_few_are_asked_twice),
    ("balance::a_write_is_never_sent_twice", a_write_is_never_sent_twice),
    ("balance::a_write_with_a_key_goes_to_another_origin_with_its_body", a_keyed_write_goes_on),
    ("balance::a_write_that_can_not_be_kept_is_sent_once_though_it_has_a_key", a_long_write_is_sent_once),
    ("balance::an_origin_that_hangs_costs_a_read_the_deadline_and_is_left_alone", an_origin_that_hangs),
    ("balance::who_may_not_be_asked_again_is_waited_for", who_may_not_be_asked_again_is_waited_for),
    ("balance::a_slow_origin_gets_little_under_least_connections", a_slow_origin_gets_little),
    ("balance::who_reports_that_it_is_busy_is_spared_and_no_client_is_told", who_is_busy_is_spared),
    ("balance::who_does_badly_beside_the_others_is_left_alone", who_does_badly_is_left_alone),
    ("balance::who_is_gone_is_told_to_all", who_is_gone_is_told_to_all),
    ("balance::who_is_back_is_found_by_a_probe", who_is_back_is_found_by_a_probe),
    ("balance::a_client_keeps_its_origin_by_its_address", a_client_keeps_its_origin),
    ("balance::a_browser_stays_with_its_origin_as_long_as_that_takes_requests", a_browser_stays),
    ("balance::a_cookie_that_the_edge_has_not_signed_counts_as_none", a_forged_cookie_counts_as_none),
    ("balance::what_is_stored_makes_nobody_stay_with_an_origin", what_is_stored_makes_nobody_stay),
    ("balance::an_address_that_no_platform_tells_reaches_no_origin", a_made_up_address_reaches_no_origin),
];

const DEADLINE: Duration = Duration::from_secs(30);
const PATH: &str = "/balanced";
const OK: &str = "200\ncache-control: no-store\n\nhello";

/// Three origins, `a`, `b` and `c`, and an edge that is one isolate.
struct Pool<'a> {
    world: &'a World,
    origins: Vec<Option<Origin>>,
    edge: Workerd,
    _folder: Folder,
}

impl<'a> Pool<'a> {
    async fn start(world: &'a World, policy: &str) -> Self {
        Self::start_with(world, policy, &[]).await
    }

    async fn start_with(world: &'a World, policy: &str, variables: &[(&str, &str)]) -> Self {
        let origins: Vec<_> = (0..3).map(|_| Origin::start(&world.runtime)).collect();
        for origin in &origins {
            origin.script(PATH, |_| OK.to_owned());
        }
        let (kv, cache_api) = (Shelf::start(&world.runtime), Shelf::start(&world.runtime));
        let folder = Folder::new();
        let urls: Vec<_> = origins.iter().map(|origin| &*origin.url).collect();
        let setup = Setup {
            origins: &urls,
            policy,
            kv: &kv,
            cache_api: &cache_api,
            variables,
            objects: &folder.0,
            site: None,
        };
        let edge = Workerd::start(world, &setup).await;
        Self { world, edge, origins: origins.into_iter().map(Some).collect(), _folder: folder }
    }

    fn origin(&self, index: usize) -> &Origin {
        self.origins[index].as_ref().unwrap()
    }

    fn script(&self, index: usize, answer: &'static str) {
        self.origin(index).script(PATH, move |_| answer.to_owned());
    }

    async fn send(&self, method: Method) -> Response {
        self.world.client.request(method, format!("{}{PATH}", self.edge.url)).send().await.unwrap()
    }

    /// The statuses of so many reads, so many at a time.
    async fn read(&self, count: usize, at_once: usize) -> Vec<u16> {
        let reads = (0..count).map(|_| async { self.send(Method::GET).await.status().as_u16() });
        futures::stream::iter(reads).buffer_unordered(at_once).collect().await
    }

    fn asked(&self, index: usize) -> usize {
        self.origin(index).asked(PATH).len()
    }

    async fn states(&self) -> Vec<String> {
        let status = self.edge.status(self.world).await.unwrap();
        let origins = status["origins"].as_array().unwrap();
        origins.iter().map(|origin| origin["state"].as_str().unwrap().to_owned()).collect()
    }
}

fn a_dead_origin_costs_no_read(world: &World) {
    world.run(async {
        let mut pool = Pool::start(world, "round-robin").await;
        assert_eq!(pool.read(60, 8).await, [200; 60]);
        pool.origins[1] = None;
        assert_eq!(pool.read(300, 8).await, [200; 300], "{}", pool.edge.log());
        assert_eq!(pool.states().await, ["up", "ejected", "up"]);
        assert!(pool.asked(0).abs_diff(pool.asked(2)) <= 20, "the others share its part");
        let writes = futures::future::join_all((0..30).map(|_| pool.send(Method::POST))).await;
        assert!(writes.iter().all(|written| written.status() == 200), "nor does it get writes");
    });
}

fn an_origin_that_fails_is_left_alone(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        pool.script(0, "502\n\n");
        assert_eq!(pool.read(60, 1).await, [200; 60]);
        assert_eq!(
            (pool.asked(0), pool.states().await),
            (3, ["ejected", "up", "up"].map(str::to_owned).to_vec())
        );
    });
}

fn an_origin_that_is_busy_is_asked_when_it_says(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        pool.script(0, "503\nretry-after: 5\n\n");
        let begun = Instant::now();
        // More than there are retries for.
        assert_eq!(pool.read(300, 1).await, [200; 300], "others answer");
        let most = 2 + usize::try_from(begun.elapsed().as_secs() / 5).unwrap();
        assert!((1..=most).contains(&pool.asked(0)), "{}", pool.asked(0));
        assert_eq!(pool.states().await[0], "up", "and it isn't ejected");
        // It is to be busy for a while yet.
        if begun.elapsed() > Duration::from_secs(2) {
            let asked = pool.asked(0);
            let again = poll::until_async(DEADLINE, || async {
                assert_eq!(pool.read(1, 1).await, [200]);
                (pool.asked(0) > asked).then_some(())
            });
            again.await.expect("it says so again");
        }
        let writes = futures::future::join_all((0..30).map(|_| pool.send(Method::POST))).await;
        assert!(writes.iter().all(|written| written.status() == 200), "nor does it get writes");
        // When it is no longer busy it gets its turns again.
        pool.script(0, "200\ncache-control: no-store\n\nhello");
        let asked = pool.asked(0);
        let again = poll::until_async(Duration::from_secs(30), || async {
            pool.read(3, 1).await;
            (pool.asked(0) > asked).then_some(())
        });
        again.await.expect("it is asked again");
    });
}

fn a_draining_origin_gets_nothing_more(world: &World) {
    world.run(async {
        let mut pool = Pool::start(world, "round-robin").await;
        pool.script(1, "200\ncache-control: no-store\ntidewall-draining: ?1\n\nhello");
        let mut answers = Vec::new();
        for _ in 0..30 {
            answers.push(pool.send(Method::GET).await);
        }
        assert!(answers.iter().all(|answer| answer.status() == 200));
        assert!(
            answers.iter().all(|answer| field(answer, "tidewall-draining").is_empty()),
            "it's the edge's"
        );
        assert_eq!((pool.asked(1), pool.states().await[1].as_str()), (1, "draining"));
        // Now it may go, and not even a write fails.
        pool.origins[1] = None;
        for _ in 0..30 {
            assert_eq!(pool.send(Method::POST).await.status(), 200);
        }
    });
}

fn when_all_fail_few_are_asked_twice(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        for index in 0..3 {
            pool.script(index, "503\n\n");
        }
        assert_eq!(pool.read(500, 16).await, [503; 500]);
        let asked: usize = (0..3).map(|index| pool.asked(index)).sum();
        // A fifth, and the reserve, which grows by one in a second.
        assert!((500..=640).contains(&asked), "{asked}");
        for index in 0..3 {
            pool.script(index, OK);
        }
        assert_eq!(pool.read(10, 1).await, [200; 10], "it goes on at once");
    });
}

fn a_write_is_never_sent_twice(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        // The connection breaks after the request has arrived.
        pool.script(1, "");
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(pool.send(Method::POST).await.status().as_u16());
        }
        statuses.sort_unstable();
        let asked: usize = (0..3).map(|index| pool.asked(index)).sum();
        assert_eq!((statuses, asked), (vec![200, 200, 503], 3));
    });
}

fn a_keyed_write_goes_on(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        pool.script(0, "503\n\n");
        // The connection breaks after the request has arrived.
        pool.script(1, "");
        for n in 0..9 {
            let request = world.client.post(format!("{}{PATH}", pool.edge.url));
            let request = request.header("idempotency-key", format!("k-{n}")).body(format!("order {n}"));
            let answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), &*field(&answer, "tidewall-origin")), (200, "c"));
        }
        let orders = |index: usize| -> Vec<_> {
            pool.origin(index).asked(PATH).into_iter().map(|asked| asked.body).collect()
        };
        assert_eq!(orders(2), (0..9).map(|n| format!("order {n}")).collect::<Vec<_>>());
        assert_eq!(orders(1).len(), 3, "it takes none, and is left alone");
        assert!((0..2).all(|index| orders(index).iter().all(|order| order.starts_with("order "))));
    });
}

fn a_long_write_is_sent_once(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "round-robin").await;
        for index in 0..3 {
            pool.script(index, "503\n\n");
        }
        let asked = || (0..3).map(|index| pool.asked(index)).sum::<usize>();
        let (key, long) = ("idempotency-key: k-1", "x".repeat(64 * 1_024 + 1));
        for (nth, (fields, body)) in [
            (vec![key, "content-length: 65537"], &*long),
            (vec![key, "transfer-encoding: chunked"], "5\r\norder\r\n0\r\n\r\n"),
            (vec!["idempotency-key:", "content-length: 5"], "order"),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = raw::ask(&pool.edge.url, &format!("POST {PATH}"), &fields, body).await;
            assert_eq!((answer.status, asked()), (503, nth + 1), "{fields:?}");
        }
    });
}

/// A deadline that is soon over.
const SOON: (&str, &str) = ("ORIGIN_DEADLINE_MS", "400");
/// One that a busy machine doesn't take for an origin that hangs.
const LATER: (&str, &str) = ("ORIGIN_DEADLINE_MS", "1500");

fn an_origin_that_hangs(world: &World) {
    world.run(async {
        let pool = Pool::start_with(world, "round-robin", &[LATER]).await;
        pool.script(1, NEVER);
        for _ in 0..40 {
            let (asked, begun) = (pool.asked(1), Instant::now());
            assert_eq!(pool.send(Method::GET).await.status(), 200);
            let waited = begun.elapsed();
            assert!(pool.asked(1) == asked || waited >= Duration::from_millis(1_450), "{waited:?}");
            // Rather than for the 10 s that are the default.
            assert!(waited < Duration::from_secs(8), "{waited:?}");
        }
        assert_eq!(pool.asked(1), 3, "{}", pool.edge.log());
        assert_eq!(pool.states().await, ["up", "ejected", "up"]);
        let given_up =
            poll::until_async(DEADLINE, || async { (pool.origin(1).given_up() == 3).then_some(()) });
        given_up.await.expect("nobody waits for them any more");
        // A write doesn't find out, either.
        for _ in 0..10 {
            assert_eq!(pool.send(Method::POST).await.status(), 200);
        }
    });
}

fn who_may_not_be_asked_again_is_waited_for(world: &World) {
    world.run(async {
        let pool = Pool::start_with(world, "round-robin", &[SOON]).await;
        for index in 0..3 {
            pool.origin(index).script(PATH, |_| {
                std::thread::sleep(Duration::from_millis(900));
                OK.to_owned()
            });
        }
        assert_eq!(pool.send(Method::POST).await.status(), 200);
        let asked = || (0..3).map(|index| pool.asked(index)).sum::<usize>();
        assert_eq!(asked(), 1);
        // The last one that there is for a read is, as well.
        let begun = Instant::now();
        assert_eq!(pool.send(Method::GET).await.status(), 200);
        assert_eq!(asked(), 4);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    });
}

fn a_slow_origin_gets_little(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "least-connections").await;
        let is_slow = Arc::new(AtomicBool::new(false));
        for index in 0..3 {
            let is_slow = Arc::clone(&is_slow);
            pool.origin(index).script(PATH, move |_| {
                let ms = if index == 2 && is_slow.load(Ordering::SeqCst) { 1_000 } else { 20 };
                std::thread::sleep(Duration::from_millis(ms));
                OK.to_owned()
            });
        }
        assert_eq!(pool.read(150, 12).await, [200; 150]);
        assert!((0..3).all(|index| pool.asked(index) > 20), "each has its part");
        is_slow.store(true, Ordering::SeqCst);
        pool.read(100, 12).await;
        let before = pool.asked(2);
        assert_eq!(pool.read(400, 12).await, [200; 400]);
        let part = pool.asked(2) - before;
        assert!(part <= 20, "{part} of 400");
        assert_eq!(pool.states().await, ["up"; 3], "to be slow is no failure");
    });
}

fn who_is_busy_is_spared(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "least-connections").await;
        let report = |of: &str| format!("200\nendpoint-load-metrics: TEXT application_utilization={of}\n");
        for (index, of) in ["0.2", "0.9", "0.25"].into_iter().enumerate() {
            let (private, stored) = (report(of), report(of));
            pool.origin(index).script(PATH, move |_| {
                // So that a machine that stands still for a moment makes none the slower one.
                std::thread::sleep(Duration::from_millis(20));
                format!("{private}cache-control: no-store\n\nhello")
            });
            pool.origin(index).script("/kept", move |_| format!("{stored}cache-control: max-age=60\n\nkept"));
        }
        assert_eq!(pool.read(300, 1).await, [200; 300]);
        assert!(pool.asked(1) <= 15, "{}", pool.asked(1));
        assert!(pool.asked(0).abs_diff(pool.asked(2)) <= 90, "a little more is no difference");
        for path in [PATH, "/kept", "/kept"] {
            let answer = world.get(&format!("{}{path}", pool.edge.url)).await;
            assert_eq!(field(&answer, "endpoint-load-metrics"), "");
        }
    });
}

fn who_does_badly_is_left_alone(world: &World) {
    world.run(async {
        let errs = "500\ncache-control: no-store\n\noh no";
        for (answer, ms) in [(OK, 600), (errs, 1)] {
            let pool = Pool::start(world, "round-robin").await;
            pool.read(90, 6).await;
            assert_eq!(pool.states().await, ["up"; 3]);
            pool.origin(1).script(PATH, move |_| {
                std::thread::sleep(Duration::from_millis(ms));
                answer.to_owned()
            });
            let left = poll::until_async(DEADLINE, || async {
                pool.read(30, 6).await;
                (pool.states().await[1] == "ejected").then_some(())
            });
            assert!(left.await.is_some(), "{}", pool.edge.log());
            assert_eq!(pool.states().await, ["up", "ejected", "up"]);
            // What is wrong with all of them is wrong with none.
            for index in 0..3 {
                pool.script(index, errs);
            }
            pool.read(200, 6).await;
            assert_eq!(pool.states().await, ["up", "ejected", "up"]);
        }
    });
}

fn who_is_gone_is_told_to_all(world: &World) {
    world.run(async {
        let mut pool = Pool::start(world, "round-robin").await;
        for index in 0..3 {
            pool.origin(index).script("/kept", |_| "200\ncache-control: max-age=600\n\nkept".to_owned());
        }
        let address = pool.origin(2).url.strip_prefix("http://").unwrap().to_owned();
        pool.origins[2] = None;
        let kept = async || {
            let answer = world.client.get(format!("{}/kept", pool.edge.url)).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        };
        kept().await;
        // One that is well is not gone because somebody has trouble with it.
        pool.edge.report_elsewhere(world, "a").await;
        // Another isolate finds out, and this one asks no origin at all.
        pool.edge.report_elsewhere(world, "c").await;
        // It asked none itself, so only the others' word can tell it.
        let ejected = poll::until_async(DEADLINE, || async {
            kept().await;
            (pool.states().await[2] == "ejected").then_some(())
        });
        ejected.await.expect("it is told");
        assert_eq!(pool.states().await[..2], ["up", "up"]);
        let _back = Origin::start_at(&world.runtime, &address);
        let back = poll::until_async(DEADLINE, || async {
            kept().await;
            (pool.states().await[2] == "probation").then_some(())
        });
        back.await.expect("that is told as well");
    });
}

fn who_is_back_is_found_by_a_probe(world: &World) {
    world.run(async {
        let mut pool = Pool::start(world, "round-robin").await;
        let address = pool.origin(1).url.strip_prefix("http://").unwrap().to_owned();
        pool.origins[1] = None;
        let gone = Instant::now();
        assert_eq!(pool.read(60, 4).await, [200; 60]);
        assert_eq!(pool.states().await[1], "ejected");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(pool.read(60, 4).await, [200; 60]);
        assert_eq!(pool.states().await[1], "ejected", "nobody answers there");
        let back = Origin::start_at(&world.runtime, &address);
        back.script(PATH, |_| OK.to_owned());
        let found = poll::until_async(DEADLINE, || async {
            assert_eq!(pool.read(20, 1).await, [200; 20]);
            (!back.asked(PATH).is_empty()).then_some(())
        });
        found.await.expect("it gets requests again");
        // By itself it would be left alone for 30 s.
        assert!(gone.elapsed() < Duration::from_secs(30), "{:?}", gone.elapsed());
        assert!(!back.asked("/readyz").is_empty());
    });
}

fn a_client_keeps_its_origin(world: &World) {
    world.run(async {
        let pool = Pool::start_with(world, "ip-hash", &[TRUSTED]).await;
        let mut origins = std::collections::BTreeSet::new();
        for client in 0..20 {
            let mut of_client = std::collections::BTreeSet::new();
            for _ in 0..3 {
                let request = world.client.get(format!("{}{PATH}", pool.edge.url));
                let answer =
                    request.header("cf-connecting-ip", format!("192.0.2.{client}")).send().await.unwrap();
                of_client.insert(field(&answer, "tidewall-origin"));
            }
            assert_eq!(of_client.len(), 1, "{of_client:?}");
            origins.append(&mut of_client);
        }
        assert_eq!(origins.len(), 3);
    });
}

const STICKY: (&str, &str) = ("STICKY_SECRET", "a secret of the test alone");

/// A request with this cookie: the origin that answered, and the cookie to go on with.
async fn browse(pool: &Pool<'_>, path: &str, cookie: &str) -> (String, String) {
    let request = pool.world.client.get(format!("{}{path}", pool.edge.url)).header("cookie", cookie);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let set = field(&answer, "set-cookie");
    let kept = set.split(';').next().unwrap_or_default().to_owned();
    assert!(kept.is_empty() || set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    (field(&answer, "tidewall-origin"), kept)
}

fn a_browser_stays(world: &World) {
    world.run(async {
        let mut pool = Pool::start_with(world, "sticky", &[STICKY]).await;
        let mut browsers = Vec::new();
        for _ in 0..6 {
            browsers.push(browse(&pool, PATH, "theme=dark").await);
        }
        let origins: std::collections::BTreeSet<_> = browsers.iter().map(|(origin, _)| origin).collect();
        assert_eq!(origins.len(), 3, "who has none takes turns");
        for (origin, cookie) in &browsers {
            let with_others = format!("theme=dark; {cookie}");
            assert_eq!(browse(&pool, PATH, &with_others).await, (origin.clone(), String::new()));
        }
        let cookies: Vec<_> = (0..3).flat_map(|index| pool.origin(index).asked(PATH)).collect();
        assert!(cookies.iter().all(|asked| asked.field("cookie") == "theme=dark"), "{cookies:?}");

        pool.script(0, "200\ncache-control: no-store\ntidewall-draining: ?1\n\nhello");
        pool.origins[1] = None;
        assert_eq!(pool.read(6, 1).await, [200; 6], "the edge learns of both");
        for (origin, cookie) in &browsers {
            let (now, kept) = browse(&pool, PATH, cookie).await;
            assert_eq!(now, "c", "{origin} takes none");
            assert_eq!(kept.is_empty(), origin == "c", "{origin}: {kept}");
            assert!(kept.is_empty() || kept.starts_with("tw_origin=c."), "{kept}");
        }
    });
}

fn a_forged_cookie_counts_as_none(world: &World) {
    world.run(async {
        let pool = Pool::start_with(world, "sticky", &[STICKY]).await;
        let (_, signed) = browse(&pool, PATH, "").await;
        let signature = signed.rsplit('.').next().unwrap();
        let of_b = if signed.starts_with("tw_origin=b") { "a" } else { "b" };
        for forged in ["tw_origin=b", "tw_origin=b.0", &format!("tw_origin={of_b}.{signature}"), "tw_origin="]
        {
            let mut origins = std::collections::BTreeSet::new();
            for _ in 0..3 {
                let (origin, kept) = browse(&pool, PATH, forged).await;
                assert!(kept.starts_with(&format!("tw_origin={origin}.")), "{forged}: {kept}");
                origins.insert(origin);
            }
            assert_eq!(origins.len(), 3, "{forged}");
        }
    });
}

fn what_is_stored_makes_nobody_stay(world: &World) {
    world.run(async {
        let pool = Pool::start_with(world, "sticky", &[STICKY]).await;
        for index in 0..3 {
            let kept = |_: &Asked| "200\ncache-control: max-age=600\n\nkept".to_owned();
            pool.origin(index).script("/kept", kept);
        }
        let (_, cookie) = browse(&pool, PATH, "").await;
        assert!(cookie.starts_with("tw_origin="), "{cookie}");
        for cookie in ["", &cookie, "tw_origin=forged"] {
            assert_eq!(browse(&pool, "/kept", cookie).await.1, "", "{cookie}");
        }
        let long = |_: &Asked| format!("200\ncache-control: max-age=600\n\n{}", "x".repeat(2_000_000));
        (0..3).for_each(|index| pool.origin(index).script("/long", long));
        assert_eq!(browse(&pool, "/long", "").await.1, "", "nor what is only too long for that");
        let asked: usize = (0..3).map(|index| pool.origin(index).asked("/kept").len()).sum();
        assert_eq!(asked, 1, "one answer is for all, whichever origin they stay with");
    });
}

fn a_made_up_address_reaches_no_origin(world: &World) {
    world.run(async {
        let pool = Pool::start(world, "ip-hash").await;
        for client in 0..30 {
            let (mine, other) = (format!("203.0.113.{client}"), "203.0.113.99");
            let request = world.client.get(format!("{}{PATH}", pool.edge.url)).header("x-real-ip", &mine);
            let request =
                request.header("cf-connecting-ip", &mine).header("forwarded", format!("for={mine}"));
            let answer = request.header("x-forwarded-for", format!("{mine}, {other}")).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        for index in 0..3 {
            let asked = pool.origin(index).asked(PATH);
            assert!(asked.iter().all(|asked| !asked.head.contains("203.0.113.")), "{asked:?}");
            assert!(!asked.is_empty(), "nor do all of them fall to one origin");
        }
    });
}
