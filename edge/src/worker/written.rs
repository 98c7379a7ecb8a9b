//! Requests that change something: passed on, and what they make invalid is in the
//! control log before the client gets its answer (W1).

use tidewall_api::bookmark::{Bookmark, Seq};
use wasm_bindgen::JsValue;
use worker::Context;

use crate::cache::invalidation;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::control::bookmark;
use crate::control::log::Known;
use crate::control::write_through::Logged;
use crate::forward::{self, Purpose};
use crate::timing::Timings;
use crate::worker::origin::Answer;
use crate::worker::proxy::{ask, handed_on, keep, key};
use crate::worker::reply::Reply;
use crate::worker::{Edge, control_log, js, write_through};

/// What became of an answer's invalidation.
enum Invalidation {
    /// There is none.
    None,
    /// It is in the log.
    Logged(Logged),
    /// It may not be: the log is out of reach.
    Unlogged,
}

/// Carries out a request that may change something.
pub(super) async fn answer(
    edge: &Edge<'_>,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let began_at = edge.isolate.control.fence();
    let answer = match ask(edge, edge.target.query, Purpose::Pass, timings).await {
        Ok(answer) => answer,
        Err(unanswered) => return Ok(unanswered.reply(edge)),
    };
    let invalidation = log(edge, &answer, began_at, timings).await;
    let told = bookmark::of_answer(&answer.fields);
    let seq = match &invalidation {
        // It has nothing to tell that the view lacks.
        Invalidation::None => told.map(|_| Seq::At(began_at.map_or(0, |began_at| began_at.head))),
        Invalidation::Logged(logged) => Some(Seq::At(logged.seq)),
        Invalidation::Unlogged => Some(Seq::Unlogged),
    };
    let mut reply = match invalidation {
        Invalidation::Logged(logged) => write_through::answer(edge, context, &answer, &logged).await?,
        Invalidation::None | Invalidation::Unlogged => {
            let (why, outcome) = (Forward::Method, Outcome::Passed);
            let status = CacheStatus::Forwarded { why, origin_status: None, outcome };
            handed_on(&answer, forward::to_client(&answer.fields), status)
        }
    };
    keep(&answer, &mut reply);
    if let Some(seq) = seq {
        let lsn = told.map_or(0, |told| told.lsn);
        let kept = edge.request.brought.kept(Bookmark { seq, lsn });
        bookmark::tell(&mut reply.fields, kept, edge.target.scheme == "https");
    }
    Ok(reply)
}

/// Logs what an answer says is out of date.
async fn log(
    edge: &Edge<'_>,
    answer: &Answer<'_>,
    began_at: Option<Known>,
    timings: &mut Timings,
) -> Invalidation {
    let request = edge.request;
    let (append, groups) =
        invalidation::append(&request.method, &edge.target, answer.status, &answer.fields, |target| {
            key(edge, target)
        });
    if groups.is_err() {
        worker::console_warn!(
            "request {}: origin {} sent a Cache-Group-Invalidation that can't be read, so everything is invalidated: it must be a list of strings, 256 at most, of 2048 bytes at most",
            request.id,
            answer.origin.id
        );
    }
    let Some(append) = append else { return Invalidation::None };
    let scopes = append.scopes.clone();
    let begun = js::now();
    let logged = control_log::append(edge.isolate, edge.env, append).await;
    timings.record("control", js::now().since(begun));
    match logged {
        Ok(logged) => Invalidation::Logged(Logged {
            seq: logged.seq,
            previous: scopes.into_iter().zip(logged.previous).collect(),
            began_at: began_at.unwrap_or(Known { first: 0, head: 0 }),
            may_be_old: logged.is_duplicate || request.fields.contains("idempotency-key"),
        }),
        Err(_) => Invalidation::Unlogged,
    }
}
