//! Requests that are the origins' to answer, from the cache where it can.

use std::rc::Rc;
use std::time::Duration;

use tidewall_api::headers::TIDEWALL_ORIGIN;
use wasm_bindgen::JsValue;

use crate::cache::envelope::Envelope;
use crate::cache::key::{cache_key, canonical_query};
use crate::cache::privacy::Privacy;
use crate::cache::status::{CacheStatus, Forward};
use crate::cache::storable::{BODY_BYTES_MAX, Exchange, Storable, Unstored, content_length, storable};
use crate::cache::usable::{Usable, usable};
use crate::cache::validation;
use crate::fields::Fields;
use crate::forward::{self, Purpose};
use crate::problems;
use crate::timing::Timings;
use crate::worker::body::{Buffered, buffer};
use crate::worker::deadline::within;
use crate::worker::origin::{Answer, RESPONSE_DEADLINE, exchange};
use crate::worker::reply::{Body, Reply};
use crate::worker::store::{Store, Stored};
use crate::worker::{Edge, js};

/// Answers from the store or from an origin.
pub(super) async fn answer(edge: &Edge<'_>, timings: &mut Timings) -> Result<Reply, JsValue> {
    let request = edge.request;
    let store = Store::bound(edge.env)?;
    let upgrades = request.fields.get("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    if upgrades {
        return pass(edge, Purpose::Upgrade, Forward::Bypass, timings).await;
    }
    if !request.is_read() {
        let reply = pass(edge, Purpose::Pass, Forward::Method, timings).await?;
        if let Some(store) = store.filter(|_| !request.is_safe() && (200..400).contains(&reply.status)) {
            // RFC 9111, section 4.4, and before the client hears of its success.
            store.delete(&key(edge)).await;
        }
        return Ok(reply);
    }
    match store {
        Some(store) if !validation::needs_origin(&request.fields) => cached(edge, store, timings).await,
        _ => pass(edge, Purpose::Pass, Forward::Bypass, timings).await,
    }
}

fn key(edge: &Edge<'_>) -> String {
    cache_key(&edge.target, &canonical_query(edge.target.query, &edge.config.tracking_parameters))
}

/// Hands the request on as it is, and the answer.
async fn pass(
    edge: &Edge<'_>,
    purpose: Purpose,
    why: Forward,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let answer = match asked(edge, edge.target.query, purpose, timings).await {
        Ok(answer) => answer,
        Err(reply) => return Ok(reply),
    };
    if answer.status == 101 {
        return Ok(Reply {
            status: answer.status,
            fields: answer.fields,
            body: Body::Upgrade(answer.response),
        });
    }
    Ok(handed_on(&answer, forward::to_client(&answer.fields), CacheStatus::Forwarded(why)))
}

/// Answers from the store if it holds what may be used, else fills it.
async fn cached(edge: &Edge<'_>, store: Store, timings: &mut Timings) -> Result<Reply, JsValue> {
    let request = edge.request;
    let privacy = Privacy::of(&request.fields, &edge.config.private_cookies);
    let query = canonical_query(edge.target.query, &edge.config.tracking_parameters);
    let key = cache_key(&edge.target, &query);

    let asked_at = js::now();
    let stored = store.get(&key).await;
    let now = js::now();
    timings.record("kv", now.since(asked_at));
    let why = match stored {
        None => Forward::UriMiss,
        Some(stored) => match usable(&stored.envelope, privacy, now) {
            Err(why) => why,
            Ok(found) => {
                edge.isolate.counters.borrow_mut().hit();
                return Ok(hit(stored, found).evaluate_conditions(request));
            }
        },
    };
    edge.isolate.counters.borrow_mut().miss();

    let query = (!query.is_empty()).then_some(query);
    let answer = match asked(edge, query.as_deref(), Purpose::Fill, timings).await {
        Ok(answer) => answer,
        Err(reply) => return Ok(reply),
    };
    let decision = storable(&Exchange {
        method: &request.method,
        request: &request.fields,
        privacy,
        status: answer.status,
        response: &answer.fields,
        request_time: answer.request_time,
        response_time: answer.response_time,
    });
    let reply = match decision {
        Ok(decision) => fill(edge, store, key, answer, decision, why).await?,
        Err(reason) => {
            edge.isolate.counters.borrow_mut().rejected(reason);
            let fields = forward::to_client(&answer.fields);
            handed_on(&answer, fields, CacheStatus::Unstored(why, reason))
        }
    };
    Ok(reply.evaluate_conditions(request))
}

/// Asks the origins; where none answers, the edge's own reply says so.
async fn asked<'a>(
    edge: &Edge<'a>,
    query: Option<&str>,
    purpose: Purpose,
    timings: &mut Timings,
) -> Result<Answer<'a>, Reply> {
    let path = edge.target.path;
    let path_and_query = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let asked_at = js::now();
    let outcome = exchange(edge, &path_and_query, purpose).await;
    timings.record("origin", js::now().since(asked_at));
    outcome.map_err(|unanswered| unanswered.reply(edge))
}

/// An answer whose body goes on as it comes.
fn handed_on(answer: &Answer<'_>, mut fields: Fields, status: CacheStatus) -> Reply {
    fields.set(TIDEWALL_ORIGIN, &*answer.origin.id);
    status.append_to(&mut fields);
    Reply { status: answer.status, fields, body: Body::of(&answer.response) }
}

/// A stored response as an answer; RFC 9111, section 4.
fn hit(stored: Stored, found: Usable) -> Reply {
    let Envelope { status, mut fields, body_bytes, .. } = stored.envelope;
    fields.set("age", found.age.as_secs().to_string());
    fields.set("content-length", body_bytes.to_string());
    CacheStatus::Hit { ttl: found.ttl }.append_to(&mut fields);
    Reply { status, fields, body: Body::Bytes(stored.body) }
}

/// Reads the body of an answer that may be stored, stores it beside the answer to
/// the client, and answers.
async fn fill(
    edge: &Edge<'_>,
    store: Store,
    key: String,
    answer: Answer<'_>,
    decision: Storable,
    why: Forward,
) -> Result<Reply, JsValue> {
    let is_coded = answer.fields.contains("content-encoding");
    let known_bytes = content_length(&answer.fields).filter(|_| !is_coded);
    let read = within(RESPONSE_DEADLINE, buffer(&answer.response, known_bytes, BODY_BYTES_MAX)).await;
    let mut fields = forward::to_client(&answer.fields);
    let body = match read {
        Some(Ok(Buffered::Whole(body))) => body,
        Some(Ok(Buffered::Larger(stream))) => {
            let reason = Unstored::TooLarge;
            edge.isolate.counters.borrow_mut().rejected(reason);
            let reply = handed_on(&answer, fields, CacheStatus::Unstored(why, reason));
            return Ok(Reply { body: Body::Stream(stream), ..reply });
        }
        Some(Err(error)) => {
            worker::console_warn!(
                "request {}: origin {} broke off its answer: {}",
                edge.request.id,
                answer.origin.id,
                js::message(&error)
            );
            return Ok(Reply::problem(problems::bad_gateway(), &edge.request.id));
        }
        None => return Ok(Reply::problem(problems::origin_timeout(), &edge.request.id)),
    };

    if is_coded {
        validation::weaken_etag(&mut fields);
        fields.remove("content-encoding");
    }
    fields.set("content-length", body.length().to_string());
    let envelope = Envelope {
        status: answer.status,
        fields: forward::to_store(&fields),
        response_time: answer.response_time,
        initial_age_ms: millis(decision.initial_age),
        lifetime_ms: millis(decision.lifetime),
        shared: decision.shared,
        body_bytes: body.length() as usize,
    };
    let reply = handed_on(&answer, fields, CacheStatus::Stored(why));
    let isolate = Rc::clone(edge.isolate);
    let to_store = body.clone();
    edge.context.wait_until(async move {
        if store.put(&key, &envelope, &to_store).await {
            isolate.counters.borrow_mut().stored();
        }
    });
    Ok(Reply { body: Body::Bytes(body), ..reply })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
