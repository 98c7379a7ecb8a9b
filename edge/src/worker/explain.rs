//! `/_tidewall/explain`: gathers the facts that an explanation is made from.
//!
//! Nothing is stored, and no counter goes up. What leaves a trace: the view of the control
//! log is made as fit as for any request, KV remembers for a while what it has been asked
//! for, and an origin is asked, unless that is not wanted.

use wasm_bindgen::JsValue;
use web_sys::Url;
use worker::Context;

use crate::balance::sticky::TW_ORIGIN;
use crate::cache::key::canonical_query;
use crate::cache::storable::{BODY_BYTES_MAX, BODY_WAIT_MAX, Unstored, content_length, is_coded};
use crate::cache::target::normal_escapes;
use crate::cache::vary::variant_key;
use crate::control::bookmark::{self, Brought, NOTHING};
use crate::cookies;
use crate::explain::copies::{Look, find};
use crate::explain::fresh::{Answer, Asked};
use crate::explain::question::Question;
use crate::explain::{Assumed, Explanation, Facts, Handler, bypass, bypassed, elsewhere, explain};
use crate::forward::Purpose;
use crate::judge::Judge;
use crate::route::route;
use crate::time::Timestamp;
use crate::timing::Timings;
use crate::worker::body::{Buffered, buffer};
use crate::worker::circumstances::Circumstances;
use crate::worker::control_log;
use crate::worker::incoming::Incoming;
use crate::worker::origin::{self, Unanswered, presented};
use crate::worker::proxy::{ask, key};
use crate::worker::reply::Body;
use crate::worker::store::Store;
use crate::worker::{Edge, js, site, site_of};

/// The request that a question is about, as a client would send it.
///
/// # Errors
/// Why its URL can't be meant.
pub(super) fn assumed(own: &Incoming, question: &Question) -> Result<Incoming, String> {
    let url = Url::new_with_base(&question.url, own.url.as_deref().unwrap_or_default())
        .map_err(|_| format!("is `{}`, which is no URL and no path", question.url))?;
    if !matches!(url.protocol().as_str(), "http:" | "https:") {
        return Err(format!("is of `{}`: http and https are what an edge answers", url.protocol()));
    }
    if !url.username().is_empty() || !url.password().is_empty() {
        return Err("holds a user name or password: leave it out".to_owned());
    }
    let mut fields = question.assumed(&own.fields);
    let named = bookmark::take(&mut fields);
    let kept = cookies::take(&mut fields, TW_ORIGIN);
    let brought = if named == Brought::one(NOTHING) { own.brought } else { named };
    Ok(Incoming {
        js: Clone::clone(&own.js),
        method: "GET".to_owned(),
        url: Some(normal_escapes(&url.href()).into_owned()),
        fields,
        brought,
        kept,
        id: own.id.clone(),
        is_background: false,
        was_looked_for: false,
    })
}

/// Explains the edge's request.
pub(super) async fn explanation(
    edge: &Edge<'_>,
    context: &Context,
    asks_origin: bool,
    timings: &mut Timings,
) -> Result<Explanation, JsValue> {
    let (request, config) = (edge.request, edge.config);
    let index = site::index(edge).await;
    let handler = Handler::from(route(edge.target.path, site_of(index.as_ref()), &config.origin_paths));
    if handler != Handler::Origins {
        return Ok(elsewhere(&edge.target, handler));
    }
    let store = Store::bound(edge.isolate, edge.env)?;
    let tracking = &config.tracking_parameters;
    let fields = presented(edge, Purpose::Fill);
    let assumed = Assumed {
        target: &edge.target,
        fields: &request.fields,
        bookmark: request.brought.bookmark,
        presented: &fields,
    };
    let store = match (bypass(&request.fields, store.is_some()), store) {
        (None, Some(store)) => store,
        (why, _) => return Ok(bypassed(&assumed, tracking, why.unwrap_or_default())),
    };

    let standing =
        control_log::consult(edge.isolate, edge.env, context, config.control, request.brought).await;
    // The view may be another now, and with it where the origin is asked to read.
    let fields = presented(edge, Purpose::Fill);
    let assumed = Assumed { presented: &fields, ..assumed };
    let key = key(edge, &edge.target);
    let looks = store.inspect(&key, |selecting| variant_key(&key, selecting, &fields)).await;
    let (circumstances, now) = (Circumstances::of(edge, key, standing), js::now());
    let met = match asks_origin {
        true => Some(meet(edge, &circumstances, &looks, now, timings).await),
        false => None,
    };
    let asked = met.as_ref().map(Met::asked);
    Ok(circumstances.judging(edge, now, |judge| {
        explain(&Facts { request: assumed, tracking, judge: *judge, looks: &looks, asked: asked.as_ref() })
    }))
}

/// What came of asking an origin.
enum Met<'a> {
    Answered(origin::Answer<'a>, Result<(), Unstored>),
    Failed(&'static str),
}

/// Asks an origin as a fill does, and reads the body as one would that is to be stored.
async fn meet<'a>(
    edge: &'a Edge<'_>,
    circumstances: &Circumstances,
    looks: &[Look],
    now: Timestamp,
    timings: &mut Timings,
) -> Met<'a> {
    let has_copy = circumstances.judging(edge, now, |judge| find(looks, judge).copy.is_some());
    let purpose = match edge.request.fields.contains("range") && !has_copy {
        true => Purpose::Part,
        false => Purpose::Fill,
    };
    let query = canonical_query(edge.target.query, &edge.config.tracking_parameters);
    let answer = match ask(edge, (!query.is_empty()).then_some(&*query), purpose, timings).await {
        Ok(answer) => answer,
        Err(unanswered) => return Met::Failed(words(&unanswered)),
    };
    let is_kept = |judge: &Judge<'_>| judge.storable(&as_fact(&answer).answered()).is_ok();
    if !circumstances.judging(edge, now, is_kept) {
        Body::of(&answer.response).discard();
        return Met::Answered(answer, Ok(()));
    }
    if purpose == Purpose::Part {
        Body::of(&answer.response).discard();
        return Met::Answered(answer, Err(Unstored::Partial));
    }
    let known_bytes = content_length(&answer.fields).filter(|_| !is_coded(&answer.fields));
    match buffer(&answer.response, known_bytes, BODY_BYTES_MAX, BODY_WAIT_MAX).await {
        Ok(Buffered::Whole(_)) => Met::Answered(answer, Ok(())),
        Ok(Buffered::Unfinished(rest, reason)) => {
            Body::Stream(rest).discard();
            Met::Answered(answer, Err(reason))
        }
        Err(_) => Met::Failed("it broke off its answer"),
    }
}

impl Met<'_> {
    fn asked(&self) -> Asked<'_> {
        match self {
            Self::Answered(answer, body) => Asked::Answered(as_fact(answer), *body),
            Self::Failed(why) => Asked::Failed(why),
        }
    }
}

fn as_fact<'a>(answer: &'a origin::Answer<'_>) -> Answer<'a> {
    Answer {
        origin: &answer.origin.id,
        status: answer.status,
        fields: &answer.fields,
        request_time: answer.request_time,
        response_time: answer.response_time,
        fence: answer.fence,
    }
}

fn words(unanswered: &Unanswered) -> &'static str {
    match unanswered {
        Unanswered::NotForwardable => "the runtime refuses to send such a request",
        Unanswered::NoOrigin => "no connection, or it broke before the answer",
        Unanswered::Timeout => "it took longer than 30 s",
        Unanswered::BadAnswer => "its answer has a status that can't be handed on",
    }
}
