//! What happens, told to programs of others.

use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tidewall_origin::db::{DbError, PoolSettings};
use tidewall_origin::queue::{self, Handlers, Queue, WorkerMetrics, WorkerSettings};
use tidewall_origin::shutdown::Shutdown;
use tidewall_origin::signing::Secrets;
use tidewall_origin::webhooks::{Addresses, Event, Events, Subscribed, WebhookError, Webhooks, endpoints};
use tokio::net::TcpListener;
use tokio_postgres::Client;

use crate::program;
use crate::support::tidewall::command;
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "webhooks::an_event_is_told_to_those_who_subscribed_until_they_take_it",
        an_event_is_told_to_those_who_subscribed_until_they_take_it,
    ),
    (
        "webhooks::an_endpoint_that_is_removed_is_told_nothing_of_what_waited",
        an_endpoint_that_is_removed_is_told_nothing_of_what_waited,
    ),
    ("webhooks::a_ping_goes_to_one_endpoint_and_once", a_ping_goes_to_one_endpoint_and_once),
    ("webhooks::endpoints_are_looked_after_by_commands", endpoints_are_looked_after_by_commands),
];

const EVENTS: Events = Events::new(&["thing.made", "thing.gone", "thing.changed"]);
const MADE: Event = EVENTS.find("thing.made").expect("it is listed");
const GONE: Event = EVENTS.find("thing.gone").expect("it is listed");
const CHANGED: Event = EVENTS.find("thing.changed").expect("it is listed");

const SECRET: &str = "a secret of the tests and of none other";

/// The library, as an origin has it that may speak to any address.
struct Told {
    queue: Queue,
    webhooks: Webhooks,
    client: Client,
}

impl Told {
    async fn new(world: &World) -> Self {
        let db = world.db_ready("webhooks", PoolSettings::default()).await;
        let webhooks = Webhooks::new(&Secrets::new(SECRET, None).unwrap(), Addresses::Any);
        Self { queue: Queue::new(db, None), webhooks, client: world.server(0).await }
    }

    async fn subscribe(&self, url: &str, events: &[Event]) -> Subscribed {
        let db = self.queue.db();
        let subscribed =
            db.write(async |transaction| self.webhooks.subscribe(transaction, url, events).await);
        subscribed.await.unwrap().value
    }

    async fn publish(&self, event: Event) -> usize {
        let db = self.queue.db();
        let published = db.write(async |transaction| {
            self.webhooks.publish(&self.queue, transaction, event, &json!({ "id": 7 })).await
        });
        published.await.unwrap().value
    }

    /// Runs a worker until no job is left to be run.
    async fn work(&self) {
        let (stop, shutdown) = Shutdown::manual();
        let handlers = self.webhooks.add_to(Handlers::default(), self.queue.db().clone());
        let settings =
            WorkerSettings { name: "test".to_owned(), concurrency: 4, metrics: WorkerMetrics::default() };
        let working = tokio::spawn(queue::work(self.queue.clone(), handlers, Vec::new(), settings, shutdown));
        let ended = "SELECT NOT EXISTS (SELECT FROM jobs WHERE finished_at IS NULL)";
        until("all jobs have ended", || async { self.client.query_one(ended, &[]).await.unwrap().get(0) })
            .await;
        stop.send_replace(true);
        working.await.unwrap();
    }

    /// States of the jobs and how they failed, in the order in which they were enqueued.
    async fn jobs(&self) -> Vec<(String, Option<String>)> {
        let rows = self.client.query("SELECT state, error FROM jobs ORDER BY id", &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// The endpoint's messages that wait and those that were discarded.
    async fn counts(&self, url: &str) -> Option<(i64, i64)> {
        let all = endpoints::list(&self.queue).await.unwrap();
        all.iter().find(|endpoint| endpoint.url == url).map(|endpoint| (endpoint.waiting, endpoint.discarded))
    }
}

/// What an endpoint was sent.
type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// An endpoint that fails at first.
async fn endpoint() -> (String, Got) {
    let got = Got::default();
    let take = async |State(got): State<Got>, headers: HeaderMap, body: Bytes| {
        let mut got = got.lock().unwrap();
        got.push((headers, body));
        if got.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
    };
    let router = Router::new().fallback(take).with_state(Arc::clone(&got));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, got)
}

/// HMAC-SHA256 of a key that has fewer bytes than a block (RFC 2104), written once more.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

fn an_event_is_told_to_those_who_subscribed_until_they_take_it(world: &World) {
    world.run(async {
        let told = Told::new(world).await;
        let Told { queue, webhooks, client } = &told;
        let db = queue.db();
        let (url, got) = endpoint().await;
        let secret = told.subscribe(&url, &[MADE, GONE]).await.secret;
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let row =
            client.query_one("SELECT secret FROM webhook_endpoints WHERE url = $1", &[&url]).await.unwrap();
        assert!(
            !row.get::<_, &[u8]>(0).windows(key.len()).any(|window| window == key),
            "it lies there sealed"
        );

        // What isn't committed is told to nobody.
        let undone = db.write(async |transaction| {
            assert_eq!(webhooks.publish(queue, transaction, MADE, &json!("undone")).await?, 1);
            Err::<(), WebhookError>(DbError::NoPrimary { servers: "a failure".to_owned() }.into())
        });
        assert!(undone.await.is_err());
        assert_eq!((told.publish(CHANGED).await, told.publish(MADE).await), (0, 1));
        told.work().await;

        let got = std::mem::take(&mut *got.lock().unwrap());
        assert_eq!(got.len(), 2, "once refused, and once taken");
        let field = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(field(&got[0].0, "webhook-id"), field(&got[1].0, "webhook-id"));
        for (headers, body) in &got {
            let signed = format!("{}.{}.", field(headers, "webhook-id"), field(headers, "webhook-timestamp"));
            let tag = hmac(&key, &[signed.as_bytes(), body].concat());
            assert_eq!(field(headers, "webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
            let body: Value = serde_json::from_slice(body).unwrap();
            assert_eq!((&body["type"], &body["data"]), (&json!("thing.made"), &json!({ "id": 7 })));
        }
    });
}

fn an_endpoint_that_is_removed_is_told_nothing_of_what_waited(world: &World) {
    world.run(async {
        let told = Told::new(world).await;
        let ((url, got), (other, got_by_other)) = (endpoint().await, endpoint().await);
        told.subscribe(&url, &[MADE]).await;
        told.subscribe(&other, &[MADE, GONE]).await;
        assert_eq!((told.publish(MADE).await, told.publish(MADE).await), (2, 2));
        assert_eq!((told.counts(&url).await, told.counts(&other).await), (Some((2, 0)), Some((2, 0))));

        // Whoever has seen the endpoint, and commits when it is gone.
        let late = told.queue.db().write(async |transaction| {
            let count = told.webhooks.publish(&told.queue, transaction, MADE, &json!("late")).await?;
            let removed = endpoints::remove(&told.queue, &url).await?;
            Ok::<_, WebhookError>((count, removed))
        });
        assert_eq!(late.await.unwrap().value, (2, Some(2)));
        assert_eq!((told.counts(&url).await, told.counts(&other).await), (None, Some((3, 0))));
        assert_eq!(endpoints::remove(&told.queue, &url).await.unwrap(), None);
        // One that is added again is another one.
        assert!(told.subscribe(&url, &[GONE]).await.is_new);
        assert_eq!(told.counts(&url).await, Some((0, 0)));

        told.work().await;
        let jobs = told.jobs().await;
        let states: Vec<_> = jobs.iter().map(|(state, _)| state.as_str()).collect();
        let (cancelled, completed) = ("cancelled", "completed");
        assert_eq!(states, [cancelled, completed, cancelled, completed, "discarded", completed]);
        assert_eq!(jobs[4].1.as_deref(), Some("the endpoint is gone"));
        assert_eq!(got.lock().unwrap().len(), 0);
        assert!(got_by_other.lock().unwrap().len() > 3, "what is there goes on being told");
    });
}

fn a_ping_goes_to_one_endpoint_and_once(world: &World) {
    world.run(async {
        let told = Told::new(world).await;
        let ((url, got), (other, got_by_other)) = (endpoint().await, endpoint().await);
        for url in [&url, &other] {
            told.subscribe(url, &[MADE, GONE, CHANGED]).await;
        }
        assert_eq!(endpoints::ping(&told.queue, "https://nobody.example/").await.unwrap(), None);
        // The endpoint refuses its first message.
        for (state, counts) in [("discarded", (0, 1)), ("completed", (0, 1))] {
            let job = endpoints::ping(&told.queue, &url).await.unwrap().unwrap();
            told.work().await;
            let job = told.queue.details(job.id).await.unwrap().unwrap().row;
            assert_eq!((job.state.as_str(), job.attempt), (state, 1));
            assert_eq!(told.counts(&url).await, Some(counts));
        }
        let got = std::mem::take(&mut *got.lock().unwrap());
        assert_eq!(got.len(), 2);
        let body: Value = serde_json::from_slice(&got[1].1).unwrap();
        assert_eq!((&body["type"], &body["data"]), (&json!("ping"), &json!({})));
        assert_eq!(got_by_other.lock().unwrap().len(), 0);
    });
}

fn endpoints_are_looked_after_by_commands(world: &World) {
    const URL: &str = "https://hooks.example.com/a";
    let origin = |args: &[&str]| Finished(program::run(world, &[&["webhooks"][..], args].concat()));
    let data = world.data();
    let tidewall = |args: &[&str]| {
        let all = [&["webhooks", "--data", &data][..], args].concat();
        Finished(command().args(all).output().unwrap())
    };
    for run in [&origin as &dyn Fn(&[&str]) -> Finished, &tidewall] {
        // Refused, and nothing is added.
        run(&["add", URL, "--event", "order.placed", "order.misplaced"])
            .fails(2, &["`order.misplaced`", "there are: order.placed"]);
        run(&["add", URL]).fails(2, &["--event"]);
        run(&["add", "http://hooks.example.com/", "--event", "order.placed"]).fails(2, &["https://"]);
        run(&["add", "https://127.0.0.1/", "--event", "order.placed"]).fails(2, &["not public"]);
        for what in ["remove", "test"] {
            run(&[what, URL]).fails(1, &[URL, "webhooks list"]);
        }
        assert_eq!(run(&["list", "--json"]).json(), json!({ "endpoints": [] }));

        let added = run(&["add", "https://HOOKS.example.com/a#b", "--event", "order.placed"]).text();
        let secret = |text: &str| {
            let secret = text.lines().find_map(|line| line.strip_prefix("secret: ")).unwrap();
            assert_eq!(STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
            secret.to_owned()
        };
        assert!(added.starts_with(&format!("added {URL}\n")) && added.contains("not shown again"), "{added}");
        let again = run(&["add", URL, "--event", "order.placed", "order.placed"]).text();
        assert!(again.starts_with(&format!("was there: replaced the events and the secret of {URL}\n")));
        assert_ne!(secret(&added), secret(&again));

        let job = run(&["test", URL, "--json"]).json()["job"].as_i64().unwrap();
        let listed = run(&["list", "--json"]);
        let endpoint = &listed.json()["endpoints"][0];
        assert_eq!(
            (&endpoint["url"], &endpoint["events"], &endpoint["waiting"], &endpoint["discarded"]),
            (&json!(URL), &json!(["order.placed"]), &json!(1), &json!(0))
        );
        let table = run(&["list"]);
        assert!(table.text().contains(URL));
        for shown in [listed.text(), table.text()] {
            assert!(!shown.contains("whsec_") && !shown.contains(&secret(&again)), "{shown}");
        }
        assert_eq!(run(&["remove", URL, "--json"]).json(), json!({ "url": URL, "cancelled": 1 }));
        world.run(async {
            let row = world.server(0).await;
            let row = row.query_one("SELECT state FROM jobs WHERE id = $1", &[&job]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), "cancelled");
        });
    }
}

/// A program that has run to its end.
struct Finished(Output);

impl Finished {
    fn fails(&self, code: i32, words: &[&str]) {
        let error = String::from_utf8_lossy(&self.0.stderr);
        assert_eq!(self.0.status.code(), Some(code), "{error}");
        assert!(self.0.stdout.is_empty());
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
    }

    fn text(&self) -> String {
        assert!(self.0.status.success(), "{}", String::from_utf8_lossy(&self.0.stderr));
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}
