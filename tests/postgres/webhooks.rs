//! What happens, told to programs of others.

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
use tidewall_origin::webhooks::{Addresses, WebhookError, Webhooks};
use tokio::net::TcpListener;

use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[(
    "webhooks::an_event_is_told_to_those_who_subscribed_until_they_take_it",
    an_event_is_told_to_those_who_subscribed_until_they_take_it,
)];

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
        let db = world.db_ready("webhooks", PoolSettings::default()).await;
        let secrets = Secrets::new("a secret of the tests and of none other", None).unwrap();
        let webhooks = Webhooks::new(&secrets, Addresses::Any);
        let queue = Queue::new(db.clone(), None);
        let (url, got) = endpoint().await;
        let subscribed = db.write(async |transaction| {
            webhooks.subscribe(transaction, &url, &["thing.made", "thing.gone"]).await
        });
        let secret = subscribed.await.unwrap().value;
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let client = world.server(0).await;
        let row =
            client.query_one("SELECT secret FROM webhook_endpoints WHERE url = $1", &[&url]).await.unwrap();
        assert!(
            !row.get::<_, &[u8]>(0).windows(key.len()).any(|window| window == key),
            "it lies there sealed"
        );

        // What isn't committed is told to nobody.
        let undone = db.write(async |transaction| {
            assert_eq!(webhooks.publish(&queue, transaction, "thing.made", &json!("undone")).await?, 1);
            Err::<(), WebhookError>(DbError::NoPrimary { servers: "a failure".to_owned() }.into())
        });
        assert!(undone.await.is_err());
        let published = db.write(async |transaction| {
            assert_eq!(webhooks.publish(&queue, transaction, "thing.changed", &json!({})).await?, 0);
            webhooks.publish(&queue, transaction, "thing.made", &json!({ "id": 7 })).await
        });
        assert_eq!(published.await.unwrap().value, 1);

        let (stop, shutdown) = Shutdown::manual();
        let handlers = webhooks.add_to(Handlers::default(), db.clone());
        let settings =
            WorkerSettings { name: "test".to_owned(), concurrency: 4, metrics: WorkerMetrics::default() };
        let working = tokio::spawn(queue::work(queue.clone(), handlers, Vec::new(), settings, shutdown));
        let finished = "SELECT EXISTS (SELECT FROM jobs WHERE kind = 'webhook' AND state = 'completed')";
        until("the message is taken", || async { client.query_one(finished, &[]).await.unwrap().get(0) })
            .await;
        stop.send_replace(true);
        working.await.unwrap();

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
