//! The answer to a write, stored as the new state of what was written (W3).

use wasm_bindgen::JsValue;
use worker::Context;

use crate::cache::envelope;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::cache::storable::{
    BODY_BYTES_MAX, BODY_WAIT_MAX, Exchange, Storable, Unstored, content_length, is_coded, storable,
};
use crate::cache::target::Target;
use crate::control::log::Known;
use crate::control::position::{Position, ReadAt};
use crate::control::view::Subject;
use crate::control::write_through::{Logged, is_last, represented};
use crate::forward;
use crate::problems;
use crate::worker::body::{Buffered, buffer};
use crate::worker::cached::{BodyForm, envelope_of};
use crate::worker::origin::Answer;
use crate::worker::proxy::{handed_on, key};
use crate::worker::reply::{Body, Reply};
use crate::worker::store::{Store, Stored};
use crate::worker::{Edge, js};

/// Hands on the answer to a write that is in the log, and stores it where that is allowed.
pub(super) async fn answer(
    edge: &Edge<'_>,
    context: &Context,
    answer: &Answer<'_>,
    logged: &Logged,
) -> Result<Reply, JsValue> {
    let status = |outcome| CacheStatus::Forwarded { why: Forward::Method, origin_status: None, outcome };
    let passed = |outcome| handed_on(answer, forward::to_client(&answer.fields), status(outcome));
    let Some(url) = represented(&edge.request.method, &edge.target, answer.status, &answer.fields) else {
        return Ok(passed(Outcome::Passed));
    };
    let (Some(target), Some(store)) = (Target::parse(&url), Store::bound(edge.isolate, edge.env)?) else {
        return Ok(passed(Outcome::Passed));
    };
    let key = key(edge, &target);
    let decision = match decide(edge, answer, logged, &key, target.path) {
        Ok(decision) => decision,
        Err(reason) => {
            edge.isolate.counters.borrow_mut().rejected(reason);
            return Ok(passed(Outcome::Unstored(reason)));
        }
    };
    let is_decoded = is_coded(&answer.fields);
    let known_bytes = content_length(&answer.fields).filter(|_| !is_decoded);
    let body = match buffer(&answer.response, known_bytes, BODY_BYTES_MAX, BODY_WAIT_MAX).await {
        Ok(Buffered::Whole(body)) => body,
        Err(error) => {
            worker::console_warn!(
                "request {}: origin {} broke off its answer to a write: {}",
                edge.request.id,
                answer.origin.id,
                js::message(&error)
            );
            return Ok(Reply::problem(problems::bad_gateway(), &edge.request.id));
        }
        Ok(Buffered::Unfinished(stream, reason)) => {
            let mut fields = forward::to_client(&answer.fields);
            if is_decoded {
                envelope::decoded(&mut fields);
            }
            let reply = handed_on(answer, fields, status(Outcome::Unstored(reason)));
            return Ok(Reply { body: Body::Stream(stream), ..reply });
        }
    };
    let body_bytes = body.length() as usize;
    let fence = Known { head: logged.seq, ..logged.began_at };
    let position = Position { fence, read_at: ReadAt::Primary };
    let body_form = BodyForm { is_decoded, body_bytes };
    let stored = envelope_of(answer, 200, &answer.fields, &decision, position, body_form);
    let put = store.put(&key, None, Stored::new(stored, body.clone()));
    context.wait_until(async move {
        put.near.await;
        put.far.await;
    });
    let fields = envelope::to_client(&answer.fields, is_decoded, body_bytes);
    Ok(Reply { body: Body::Bytes(body), ..handed_on(answer, fields, status(Outcome::Stored)) })
}

fn decide(
    edge: &Edge<'_>,
    answer: &Answer<'_>,
    logged: &Logged,
    key: &str,
    path: &str,
) -> Result<Storable, Unstored> {
    let request = &edge.request.fields;
    let storable = storable(&Exchange {
        // It is stored as the answer to one.
        method: "GET",
        asked: RequestDirectives::of(request, edge.config.client_cache_control),
        privacy: Privacy::of(request, &edge.config.private),
        status: 200,
        response: &answer.fields,
        request_time: answer.request_time,
        response_time: answer.response_time,
    })?;
    if storable.terms.heuristic {
        // RFC 9110, section 9.3.3: explicit freshness is needed.
        return Err(Unstored::NoFreshness);
    }
    if !storable.selecting.is_empty() {
        // A write asks for another form than a read would, or says nothing of it.
        return Err(Unstored::Method);
    }
    let subject = Subject { groups: &storable.groups, uri: key, path };
    let is_last = edge.isolate.control.with(|view| view.is_some_and(|view| is_last(logged, view, &subject)));
    if is_last { Ok(storable) } else { Err(Unstored::Crossed) }
}
