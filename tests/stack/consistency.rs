//! Nobody misses their own write, and nobody sees an old state for long: through cache,
//! balancer and replicas that lag.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sessions::Person;
use crate::support::poll;
use crate::world::{Test, World, field, product};

pub(crate) const TESTS: &[Test] = &[
    ("consistency::own_writes_are_seen_at_once_and_others_within_a_second", own_writes_and_others),
    ("consistency::a_write_past_the_edge_reaches_it_by_the_outbox", a_write_past_the_edge),
    ("consistency::a_write_through_the_edge_is_logged_once", a_write_is_logged_once),
    ("consistency::cached_answers_are_those_of_the_database_after_random_writes", cached_and_uncached),
];

/// How often is looked in all, until when writers and readers are at it.
const CHECKS: usize = 800;
const DEADLINE: Duration = Duration::from_secs(30);

/// How old the edge's view of the control log may be: CONTROL_MAX_AGE_MS in wrangler.toml.
const CONTROL_MAX_AGE: Duration = Duration::from_secs(1);
/// Products that are written to.
const PRODUCTS: usize = 4;

/// The versions of one product that were acknowledged, and when. A product's price is its
/// version.
type Acknowledged = Arc<Mutex<Vec<(i64, Instant)>>>;

/// What a version looks like.
fn version(number: i64) -> Value {
    let mut input = product("Contested");
    input["price_cents"] = number.into();
    input["category"] = "contested".into();
    input
}

fn price(body: &Value) -> i64 {
    body["price_cents"].as_i64().unwrap()
}

fn own_writes_and_others(world: &World) {
    world.run(async {
        let mut paths = Vec::new();
        for _ in 0..PRODUCTS {
            let url = format!("{}/api/products", world.edge());
            paths.push(field(&world.write(Method::POST, &url, &version(1)).await, "location"));
        }
        let acknowledged: Vec<Acknowledged> =
            paths.iter().map(|_| Arc::new(Mutex::new(vec![(1, Instant::now())]))).collect();
        let (is_over, checks, hits) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));

        let writers = join_all(
            paths
                .iter()
                .zip(&acknowledged)
                .map(|(path, acknowledged)| write_and_read(world, path, acknowledged, &checks)),
        );
        let bystanders = join_all(
            paths
                .iter()
                .zip(&acknowledged)
                .cycle()
                .take(3 * PRODUCTS)
                .map(|(path, acknowledged)| look_on(world, path, acknowledged, &is_over, &checks, &hits)),
        );
        let lag = replicas_lag(world, &is_over);
        let writing = async {
            writers.await;
            is_over.store(true, Ordering::SeqCst);
        };
        tokio::join!(writing, bystanders, lag);

        let hits = hits.into_inner();
        assert!(hits > CHECKS / 10, "only {hits} hits");
        for path in paths {
            world.delete(&format!("{}{path}", world.edge())).await;
        }
    });
}

/// Writes a version after the other, and reads each at once with the bookmark it got.
async fn write_and_read(world: &World, path: &str, acknowledged: &Acknowledged, checks: &AtomicUsize) {
    let url = format!("{}{path}", world.edge());
    let list = format!("{}/api/products?category=contested&per_page=100", world.edge());
    let mut number = 1;
    while checks.load(Ordering::SeqCst) < CHECKS {
        number += 1;
        let written = world.write(Method::PUT, &url, &version(number)).await;
        assert_eq!(written.status(), 200);
        acknowledged.lock().unwrap().push((number, Instant::now()));
        let bookmark = field(&written, "tidewall-bookmark");
        let with_bookmark = async |url: &str| {
            let answer = world.client.get(url).header("tidewall-bookmark", &bookmark).send().await.unwrap();
            let status = field(&answer, "cache-status");
            (answer.json::<Value>().await.unwrap(), status)
        };
        let (own, status) = with_bookmark(&url).await;
        assert_eq!(price(&own), number, "{path} with {bookmark}: {status}");
        let (listed, status) = with_bookmark(&list).await;
        let id = path.rsplit('/').next().unwrap().parse::<i64>().unwrap();
        let items = listed["items"].as_array().unwrap();
        let listed = items.iter().find(|item| item["id"] == id).map(price);
        assert_eq!(listed, Some(number), "{path} in the list with {bookmark}: {status}");
        checks.fetch_add(2, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// Reads without a bookmark, as somebody does who has written nothing.
async fn look_on(
    world: &World,
    path: &str,
    acknowledged: &Acknowledged,
    is_over: &AtomicBool,
    checks: &AtomicUsize,
    hits: &AtomicUsize,
) {
    let url = format!("{}{path}", world.edge());
    while !is_over.load(Ordering::SeqCst) {
        let least = {
            let acknowledged = acknowledged.lock().unwrap();
            let long_ago = |at: Instant| at.elapsed() >= CONTROL_MAX_AGE;
            acknowledged.iter().filter(|(_, at)| long_ago(*at)).map(|(number, _)| *number).max().unwrap_or(0)
        };
        let answer = world.get(&url).await;
        let status = field(&answer, "cache-status");
        let seen = price(&answer.json().await.unwrap());
        assert!(seen >= least, "{path}: {seen}, though {least} was acknowledged a second ago: {status}");
        checks.fetch_add(1, Ordering::SeqCst);
        hits.fetch_add(usize::from(status.starts_with("tidewall; hit")), Ordering::SeqCst);
    }
}

/// Holds the replicas up, one after the other, for a while each.
async fn replicas_lag(world: &World, is_over: &AtomicBool) {
    let mut replicas = Vec::new();
    for index in 0..2 {
        replicas.push(world.database(&world.stack.text(&format!("/replicas/{index}"))).await);
    }
    for replica in replicas.iter().cycle() {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for replica in &replicas {
        replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    }
}

/// The end of what has been committed.
async fn flushed(primary: &tokio_postgres::Client) -> i64 {
    let query = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint";
    primary.query_one(query, &[]).await.unwrap().get(0)
}

fn cached_and_uncached(world: &World) {
    world.run(async {
        let edge = world.edge();
        let primary = world.database(&world.stack.text("/primary")).await;
        let mut random = fastrand::Rng::with_seed(5);
        let categories = ["random-a", "random-b", "random-c"];
        let mut paths: Vec<String> = Vec::new();
        let customer = Person::sign_up(world).await.program();
        let mut orders = 0;
        for round in 0..12 {
            for _ in 0..6 {
                let mut input = product(&format!("Random {}", random.u32(..)));
                input["category"] = categories[random.usize(..3)].into();
                input["stock"] = random.u32(..100).into();
                let url = |path: &str| format!("{edge}{path}");
                let written = match (random.u8(..5), paths.len()) {
                    (0 | 1, _) | (_, 0) => {
                        let made = world.write(Method::POST, &url("/api/products"), &input).await;
                        paths.push(field(&made, "location"));
                        made
                    }
                    (2, count) => world.write(Method::PUT, &url(&paths[random.usize(..count)]), &input).await,
                    (3, count) => {
                        let product = paths[random.usize(..count)].rsplit('/').next().unwrap();
                        let put = customer.put(url(&format!("/api/cart/{product}")));
                        let put = put.json(&json!({ "quantity": random.u32(1..4) })).send().await.unwrap();
                        assert!(put.status().is_success());
                        let order = customer.post(url("/api/orders")).json(&json!({})).send().await.unwrap();
                        if order.status() == 409 {
                            // There weren't enough.
                            customer.delete(url("/api/cart")).send().await.unwrap()
                        } else {
                            orders += 1;
                            order
                        }
                    }
                    (_, count) => {
                        let path = paths.swap_remove(random.usize(..count));
                        let gone = world.delete(&url(&path)).await;
                        assert_eq!(gone.status(), 204);
                        assert_eq!(world.get(&url(&path)).await.status(), 404);
                        gone
                    }
                };
                assert!(written.status().is_success());
                // Filled at once, before and after others write.
                let category = categories[random.usize(..3)];
                world.get(&format!("{edge}/api/products?category={category}&per_page=100")).await;
            }
            tokio::time::sleep(CONTROL_MAX_AGE).await;
            let lists =
                categories.iter().map(|category| format!("/api/products?category={category}&per_page=100"));
            let sales = std::iter::once("/api/analytics/daily?days=1".to_owned());
            for path in lists.chain(paths.iter().cloned()).chain(sales) {
                let cached = world.get(&format!("{edge}{path}")).await;
                let status = field(&cached, "cache-status");
                let bookmark = format!("0.{}", flushed(&primary).await);
                let uncached = world.client.get(format!("{}{path}", world.origin(0)));
                let uncached = uncached.header("tidewall-bookmark", bookmark).send().await.unwrap();
                let (cached, uncached) = (cached.text().await.unwrap(), uncached.text().await.unwrap());
                // Others order, too, but not of these categories.
                let (cached, uncached) = (own_sales(&cached), own_sales(&uncached));
                assert_eq!(cached, uncached, "{path} in round {round}: {status}");
            }
        }
        assert!(orders > 5, "only {orders} orders");
        for path in paths {
            world.delete(&format!("{edge}{path}")).await;
        }
    });
}

/// Of daily sales what was sold in the categories of random products; any other answer as it is.
fn own_sales(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    for day in answer["days"].as_array_mut().into_iter().flatten() {
        let categories = day["categories"].as_array_mut().unwrap();
        categories
            .retain(|category| category["category"].as_str().is_some_and(|name| name.starts_with("random-")));
    }
    answer
}

/// The edge's position in the control log.
async fn seq(world: &World) -> u64 {
    let status = world.client.get(format!("{}/_tidewall/status", world.edge()));
    let status = status.bearer_auth(world.stack.text("/purge_token")).send().await.unwrap();
    status.json::<Value>().await.unwrap()["seq"].as_u64().unwrap()
}

fn a_write_past_the_edge(world: &World) {
    world.run(async {
        let edge = world.edge();
        let made = world.write(Method::POST, &format!("{edge}/api/products"), &version(1)).await;
        let path = field(&made, "location");
        let url = format!("{edge}{path}");
        let hit = poll::until_async(DEADLINE, || async {
            field(&world.get(&url).await, "cache-status").starts_with("tidewall; hit").then_some(())
        });
        hit.await.expect("it is stored");

        let written = world.write(Method::PUT, &format!("{}{path}", world.origin(1)), &version(2)).await;
        // Its author is not served what is behind it, though the edge hasn't heard of it.
        let bookmark = field(&written, "tidewall-bookmark");
        assert!(bookmark.starts_with("0."), "{bookmark}");
        let own = world.client.get(&url).header("tidewall-bookmark", &bookmark).send().await.unwrap();
        assert_eq!(price(&own.json().await.unwrap()), 2);

        // Another edge of the same URL would be told as well: so nothing here is by accident.
        let seen = poll::until_async(DEADLINE, || async {
            let answer = world.get(&url).await;
            (price(&answer.json().await.unwrap()) == 2).then_some(())
        });
        seen.await.expect("the outbox tells the edge");
        world.delete(&url).await;
    });
}

fn a_write_is_logged_once(world: &World) {
    world.run(async {
        let edge = world.edge();
        let made = world.write(Method::POST, &format!("{edge}/api/products"), &version(1)).await;
        let url = format!("{edge}{}", field(&made, "location"));
        let written = world.write(Method::PUT, &url, &version(2)).await;
        let bookmark = field(&written, "tidewall-bookmark");
        let logged: u64 = bookmark.split_once('.').unwrap().0.parse().unwrap();
        let stored = world.get(&url).await;
        assert!(field(&stored, "cache-status").starts_with("tidewall; hit"), "{stored:?}");
        // The row goes when the edge has accepted it.
        let primary = world.database(&world.stack.text("/primary")).await;
        let delivered = poll::until_async(DEADLINE, || async {
            let waiting = primary.query_one("SELECT count(*) FROM outbox", &[]).await.unwrap();
            (waiting.get::<_, i64>(0) == 0).then_some(())
        });
        delivered.await.expect("the outbox is empty");
        assert!(seq(world).await >= logged);
        // Had it been logged twice, this would be older than the second entry.
        let still = world.get(&url).await;
        assert!(field(&still, "cache-status").starts_with("tidewall; hit"), "{still:?}");
        world.delete(&url).await;
    });
}
