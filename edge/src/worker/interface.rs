//! The edge's own interface, `/_tidewall/*`, for the bearer of the purge token. Without
//! a token it isn't there.

use std::time::Duration;

use tidewall_api::purge::{Purge, Purged};
use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::Context;

use crate::authorization::bears;
use crate::cache::storable::Unstored;
use crate::control::purge;
use crate::explain::question::Question;
use crate::fields::Fields;
use crate::problems;
use crate::refusals::Client;
use crate::status::{Invalidation, OriginStatus, Status};
use crate::timing::Timings;
use crate::worker::body::{Buffered, buffer};
use crate::worker::reply::{Body, Reply};
use crate::worker::{Edge, control_log, explain, js};

/// What may be done to read.
const READ: &str = "GET, HEAD";
/// What may be done to purge.
const WRITE: &str = "POST";

/// Entries of the log that the status shows.
const INVALIDATIONS_SHOWN: usize = 20;

/// Longest body of a purge in bytes.
const BODY_BYTES_MAX: usize = 256 * 1_024;

/// Time in which it must have arrived.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// When to try again what could not be logged, in seconds.
const RETRY_AFTER_S: &str = "1";

/// The edge's state, as this isolate sees it.
pub(super) fn status(edge: &Edge<'_>) -> Result<Reply, JsValue> {
    if let Some(refusal) = refusal(edge, READ) {
        return Ok(refusal);
    }
    let mut balancer = edge.isolate.balancer.borrow_mut();
    let now = js::now();
    let origins = edge.config.origins.iter().enumerate().map(|(index, origin)| OriginStatus {
        id: &origin.id,
        url: &origin.url,
        state: balancer.state(index, now),
        in_flight: balancer.in_flight(index, now),
    });
    let (seq, newest) = edge
        .isolate
        .control
        .with(|view| view.map_or((0, Vec::new()), |view| (view.seq(), view.newest(INVALIDATIONS_SHOWN))));
    json(&Status {
        seq,
        origins: origins.collect(),
        cache: &edge.isolate.counters.borrow(),
        memory_bytes: edge.isolate.stored.bytes(),
        invalidations: newest.iter().map(|(key, mark)| Invalidation::new(key, *mark)).collect(),
    })
}

/// Logs what is out of date, and answers once it is in the log.
pub(super) async fn purge(edge: &Edge<'_>) -> Result<Reply, JsValue> {
    if let Some(refusal) = refusal(edge, WRITE) {
        return Ok(refusal);
    }
    let request = edge.request;
    let problem = |problem| Ok(Reply::problem(problem, &request.id));
    let sent = Response::new_with_opt_readable_stream(request.js.body().as_ref())?;
    let body = match buffer(&sent, None, BODY_BYTES_MAX, BODY_WAIT_MAX).await? {
        Buffered::Whole(body) => body.to_vec(),
        Buffered::Unfinished(rest, reason) => {
            Body::Stream(rest).discard();
            return match reason {
                Unstored::Slow => problem(problems::slow_request()),
                _ => problem(problems::too_large(BODY_BYTES_MAX)),
            };
        }
    };
    let purge: Purge = match serde_json::from_slice(&body) {
        Ok(purge) => purge,
        Err(error) if error.is_data() => {
            return problem(problems::invalid([("body".to_owned(), error.to_string())].into()));
        }
        Err(error) => return problem(problems::bad_json(&error.to_string())),
    };
    let append = match purge::append(purge) {
        Ok(append) => append,
        Err(errors) => return problem(problems::invalid(errors)),
    };
    let taken = edge.isolate.purges.borrow_mut().take(js::now());
    if let Err(wait) = taken {
        let mut reply = Reply::problem(problems::too_many_purges(), &request.id);
        reply.fields.set("retry-after", wait.as_secs_f64().ceil().to_string());
        return Ok(reply);
    }
    match control_log::append(edge.isolate, edge.env, append).await {
        Ok(logged) => json(&Purged { seq: logged.seq }),
        Err(_) => {
            let mut reply = Reply::problem(problems::not_logged(), &request.id);
            reply.fields.set("retry-after", RETRY_AFTER_S);
            Ok(reply)
        }
    }
}

/// What the edge would do with a GET of a URL, and why.
pub(super) async fn explain(
    edge: &Edge<'_>,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    if let Some(refusal) = refusal(edge, READ) {
        return Ok(refusal);
    }
    let request = edge.request;
    let refused = |errors| Ok(Reply::problem(problems::invalid_query(errors), &request.id));
    let question = match Question::read(edge.target.query) {
        Ok(question) => question,
        Err(errors) => return refused(errors),
    };
    let assumed = match explain::assumed(request, &question) {
        Ok(assumed) => assumed,
        Err(why) => return refused([("url".to_owned(), why)].into()),
    };
    let edge = Edge::new(edge.isolate, edge.env, &assumed)?;
    json(&explain::explanation(&edge, context, question.asks_origin, timings).await?)
}

/// Why the request isn't answered, if it isn't.
fn refusal(edge: &Edge<'_>, allow: &str) -> Option<Reply> {
    let request = edge.request;
    let Some(token) = &edge.config.purge_token else {
        return Some(Reply::problem(problems::not_found(), &request.id));
    };
    let client = Client::at(edge.client_address());
    let now = js::now();
    let has_token = bears(request.fields.get("authorization"), token);
    let mut refusals = edge.isolate.refusals.borrow_mut();
    if !refusals.is_heard(client, has_token, now) {
        let mut reply = Reply::problem(problems::too_many_refused(), &request.id);
        reply.fields.set("retry-after", "1");
        return Some(reply);
    }
    if !has_token {
        refusals.refused(client, now);
        let mut reply = Reply::problem(problems::unauthorized(), &request.id);
        reply.fields.set("www-authenticate", "Bearer");
        return Some(reply);
    }
    if !allow.split(", ").any(|method| method == request.method) {
        let mut reply = Reply::problem(problems::method_not_allowed(allow), &request.id);
        reply.fields.set("allow", allow);
        return Some(reply);
    }
    None
}

fn json(value: &impl serde::Serialize) -> Result<Reply, JsValue> {
    let body = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let mut fields = Fields::default();
    fields.set("content-type", "application/json");
    fields.set("cache-control", "no-store");
    Ok(Reply { status: 200, fields, body: Body::Text(body) })
}
