//! Requests that are the origins' to answer, from the cache where it can.

use tidewall_api::headers::{TIDEWALL_BOOKMARK, TIDEWALL_ORIGIN};
use wasm_bindgen::JsValue;
use worker::Context;

use crate::cache::key::{cache_key, canonical_query};
use crate::cache::precondition;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::cache::target::Target;
use crate::control::bookmark;
use crate::fields::{Fields, members};
use crate::forward::{self, Purpose};
use crate::timing::Timings;
use crate::worker::origin::{Answer, Unanswered, exchange};
use crate::worker::reply::{Body, Reply};
use crate::worker::store::Store;
use crate::worker::{Edge, cached, js, written};

/// Answers from the store or from an origin.
pub(super) async fn answer(
    edge: &Edge<'_>,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let request = edge.request;
    let store = Store::bound(edge.isolate, edge.env)?;
    if forward::upgrades(&request.method, &request.fields) {
        return pass(edge, Purpose::Upgrade, Forward::Bypass, timings).await;
    }
    if !request.is_safe() {
        return written::answer(edge, context, timings).await;
    }
    if !request.is_read() {
        return pass(edge, Purpose::Pass, Forward::Method, timings).await;
    }
    match store {
        Some(store) if !precondition::needs_origin(&request.fields) => {
            cached::answer(edge, store, context, timings).await
        }
        _ => pass(edge, Purpose::Pass, Forward::Bypass, timings).await,
    }
}

/// The key of a URL in the store.
pub(super) fn key(edge: &Edge<'_>, target: &Target<'_>) -> String {
    cache_key(target, &canonical_query(target.query, &edge.config.tracking_parameters))
}

/// Hands the request on as it is, and the answer.
async fn pass(
    edge: &Edge<'_>,
    purpose: Purpose<'_>,
    why: Forward,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let answer = match ask(edge, edge.target.query, purpose, timings).await {
        Ok(answer) => answer,
        Err(unanswered) => return Ok(unanswered.reply(edge)),
    };
    if answer.status == 101 {
        return Ok(Reply {
            status: answer.status,
            fields: answer.fields,
            body: Body::Upgrade(answer.response),
        });
    }
    let status = CacheStatus::Forwarded { why, origin_status: None, outcome: Outcome::Passed };
    let mut reply = handed_back(edge, &answer, forward::to_client(&answer.fields), status);
    keep(&answer, &mut reply);
    Ok(reply)
}

/// Lets the client stay with the origin that answered. Only where the answer is its own: what
/// is stored, or others get as well, is nobody's.
pub(super) fn keep(answer: &Answer<'_>, reply: &mut Reply) {
    let Some(cookie) = &answer.keeps else { return };
    let policy = reply.fields.get("cache-control").unwrap_or_default();
    let says = |names: &[&str]| {
        let mut directives = members(policy).map(|member| member.split('=').next().unwrap_or_default());
        directives.any(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name.trim())))
    };
    // A cache on the way to the client would give the cookie to everybody.
    if says(&["public", "s-maxage"]) {
        return;
    }
    if !says(&["private", "no-store"]) {
        let policy = if policy.is_empty() { "private".to_owned() } else { format!("{policy}, private") };
        reply.fields.set("cache-control", policy);
    }
    reply.fields.push("set-cookie", cookie);
}

/// The answer to a read, with the bookmark that its origin gives: such as that of a
/// finished job, where its effect can be seen.
pub(super) fn handed_back(
    edge: &Edge<'_>,
    answer: &Answer<'_>,
    fields: Fields,
    status: CacheStatus,
) -> Reply {
    let mut reply = handed_on(answer, fields, status);
    let is_given = answer.fields.contains(TIDEWALL_BOOKMARK);
    if let Some(told) = bookmark::of_answer(&answer.fields).filter(|_| is_given) {
        let kept = edge.request.brought.kept(told);
        bookmark::tell(&mut reply.fields, kept, edge.target.scheme == "https");
    }
    reply
}

/// Asks the origins.
pub(super) async fn ask<'a>(
    edge: &Edge<'a>,
    query: Option<&str>,
    purpose: Purpose<'_>,
    timings: &mut Timings,
) -> Result<Answer<'a>, Unanswered> {
    let path = edge.target.path;
    let path_and_query = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let asked_at = js::now();
    let outcome = exchange(edge, &path_and_query, purpose).await;
    timings.record("origin", js::now().since(asked_at));
    outcome
}

/// An answer whose body goes on as it comes.
pub(super) fn handed_on(answer: &Answer<'_>, mut fields: Fields, status: CacheStatus) -> Reply {
    fields.set(TIDEWALL_ORIGIN, &*answer.origin.id);
    status.append_to(&mut fields);
    Reply { status: answer.status, fields, body: Body::of(&answer.response) }
}
