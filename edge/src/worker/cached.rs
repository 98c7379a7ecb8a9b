//! Requests that the cache may answer: looked up, else forwarded, and what comes back
//! is stored, or renews what is stored.
//!
//! The answer goes out first. What is to be written, and a revalidation in the
//! background, is left to the runtime's `waitUntil`.

use std::rc::Rc;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use js_sys::Uint8Array;
use tidewall_api::headers::TIDEWALL_ORIGIN;
use wasm_bindgen::JsValue;
use worker::{Context, Env};

use crate::cache::envelope::{self, Envelope, Variants};
use crate::cache::key::canonical_query;
use crate::cache::precondition::From;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::cache::storable::{
    BODY_BYTES_MAX, BODY_WAIT_MAX, Exchange, Storable, Unstored, content_length, is_coded, storable,
};
use crate::cache::terms::millis;
use crate::cache::usable::{Basis, Situation, Usable, is_error, is_for, usable};
use crate::cache::validation::{self, Verdict};
use crate::cache::vary::variant_key;
use crate::fields::Fields;
use crate::forward::{self, Purpose};
use crate::problems;
use crate::time::Timestamp;
use crate::timing::Timings;
use crate::worker::body::{Buffered, buffer};
use crate::worker::incoming::Incoming;
use crate::worker::isolate::Isolate;
use crate::worker::origin::{Answer, RESPONSE_DEADLINE, Unanswered, presented};
use crate::worker::proxy::{ask, handed_on, key};
use crate::worker::reply::{Body, Reply};
use crate::worker::store::{Found, Store, Stored};
use crate::worker::{Edge, js};

/// An answer, and what is to be done once it is out.
struct Filled {
    reply: Reply,
    work: Option<LocalBoxFuture<'static, ()>>,
}

impl Filled {
    fn only(reply: Reply) -> Self {
        Self { reply, work: None }
    }
}

/// One request and what the store has for it.
struct Lookup<'a> {
    edge: &'a Edge<'a>,
    store: Store,
    /// Of the URL.
    key: String,
    asked: RequestDirectives,
    privacy: Privacy,
    stored: Option<Stored>,
    /// What tells the URL's variants apart, where it has any.
    variants: Option<Variants>,
}

/// Answers from the store, or from an origin.
pub(super) async fn answer(
    edge: &Edge<'_>,
    store: Store,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let lookup = Lookup::begin(edge, store, timings).await;
    let why = match lookup.usable(js::now()) {
        Ok(found) => {
            edge.isolate.counters.borrow_mut().hit();
            if found.basis == Basis::WhileRevalidate {
                revalidate_later(edge, context);
            }
            let status = CacheStatus::Hit(found);
            return Ok(lookup.serve(status, js::now()).unwrap_or_else(|| not_cached(edge)));
        }
        Err(why) => why,
    };
    edge.isolate.counters.borrow_mut().miss();
    if lookup.asked.only_if_cached {
        return Ok(not_cached(edge));
    }
    let Filled { reply, work } = lookup.forward(why, timings).await?;
    if let Some(work) = work {
        context.wait_until(work);
    }
    Ok(reply.evaluated(edge.request, From::Origin))
}

fn not_cached(edge: &Edge<'_>) -> Reply {
    let mut reply = Reply::problem(problems::not_cached(), &edge.request.id);
    CacheStatus::OnlyIfCached.append_to(&mut reply.fields);
    reply
}

/// Renews what is stored once the client has its answer; RFC 5861, section 3.
fn revalidate_later(edge: &Edge<'_>, context: &Context) {
    let (isolate, env, request) =
        (Rc::clone(edge.isolate), edge.env.clone(), edge.request.in_background(&edge.config.private));
    context.wait_until(async move {
        if let Err(error) = revalidate(&isolate, &env, &request).await {
            worker::console_warn!("request {}: not revalidated: {}", request.id, js::message(&error));
        }
    });
}

async fn revalidate(isolate: &Rc<Isolate>, env: &Env, request: &Incoming) -> Result<(), JsValue> {
    let edge = Edge::new(isolate, env, request)?;
    let Some(store) = Store::bound(env)? else { return Ok(()) };
    let mut timings = Timings::default();
    let lookup = Lookup::begin(&edge, store, &mut timings).await;
    let why = match lookup.usable(js::now()) {
        // Another request was first.
        Ok(found) if found.basis == Basis::Fresh => return Ok(()),
        Ok(_) => Forward::Stale,
        Err(why) => why,
    };
    let Filled { reply, work } = lookup.forward(why, &mut timings).await?;
    reply.body.discard();
    if let Some(work) = work {
        work.await;
    }
    Ok(())
}

impl<'a> Lookup<'a> {
    async fn begin(edge: &'a Edge<'a>, store: Store, timings: &mut Timings) -> Self {
        let fields = &edge.request.fields;
        let key = key(edge, &edge.target);
        let begun = js::now();
        let (stored, variants) = match store.get(&key).await {
            None => (None, None),
            Some(Found::Response(stored)) => (Some(stored), None),
            Some(Found::Variants(variants)) => {
                let request = presented(edge, Purpose::Fill);
                let variant = store.get(&variant_key(&key, &variants.selecting, &request)).await;
                let stored = match variant {
                    Some(Found::Response(stored)) if variants.contain(&stored.envelope) => Some(stored),
                    _ => None,
                };
                (stored, Some(variants))
            }
        };
        timings.record("kv", js::now().since(begun));
        Self {
            edge,
            store,
            key,
            asked: RequestDirectives::of(fields, edge.config.client_cache_control),
            privacy: Privacy::of(fields, &edge.config.private),
            stored,
            variants,
        }
    }

    /// Whether what is stored may be used.
    fn usable(&self, now: Timestamp) -> Result<Usable, Forward> {
        match &self.stored {
            Some(stored) => usable(&stored.envelope, &self.asked, self.privacy, Situation::Lookup, now),
            None if self.variants.is_some() => Err(Forward::VaryMiss),
            None => Err(Forward::UriMiss),
        }
    }

    /// What is stored, as an answer.
    fn serve(&self, status: CacheStatus, now: Timestamp) -> Option<Reply> {
        let stored = self.stored.as_ref()?;
        let mut fields = stored.envelope.to_client();
        fields.set("age", stored.envelope.age(now).as_secs().to_string());
        status.append_to(&mut fields);
        let reply = Reply { status: stored.envelope.status, fields, body: Body::Bytes(stored.body.clone()) };
        Some(reply.evaluated(self.edge.request, From::Store))
    }

    /// What is stored instead of an error, where that is allowed; RFC 5861, section 4.
    fn instead_of_error(&self, why: Forward, origin_status: Option<u16>) -> Option<Filled> {
        let now = js::now();
        let envelope = &self.stored.as_ref()?.envelope;
        usable(envelope, &self.asked, self.privacy, Situation::OriginFailed, now).ok()?;
        let status = CacheStatus::Forwarded { why, origin_status, outcome: Outcome::StaleIfError };
        self.serve(status, now).map(Filled::only)
    }

    /// Asks an origin, for a change only where that will do.
    async fn forward(mut self, why: Forward, timings: &mut Timings) -> Result<Filled, JsValue> {
        let (edge, request) = (self.edge, self.edge.request);
        self.stored = self.stored.take().filter(|stored| is_for(&stored.envelope, self.privacy));
        let conditions =
            self.stored.as_ref().and_then(|stored| validation::conditions(&stored.envelope.fields));
        let is_part = request.method == "GET" && request.fields.contains("range");
        let purpose = match &conditions {
            Some(conditions) => Purpose::Validate(conditions),
            None if is_part && self.stored.is_none() => Purpose::Part,
            None => Purpose::Fill,
        };
        let query = canonical_query(edge.target.query, &edge.config.tracking_parameters);
        let query = (!query.is_empty()).then_some(query.as_str());
        let mut answer = match ask(edge, query, purpose, timings).await {
            Ok(answer) => answer,
            Err(unanswered) => return Ok(self.unanswered(why, unanswered)),
        };
        if answer.status == 304
            && conditions.is_some()
            && let Some(stored) = &self.stored
        {
            match validation::not_modified(&stored.envelope.fields, &answer.fields) {
                Verdict::Renewed(fields) => return Ok(self.renewed(why, &answer, fields)),
                Verdict::Confirmed => {
                    let outcome = Outcome::Confirmed;
                    let status = CacheStatus::Forwarded { why, origin_status: Some(304), outcome };
                    if let Some(reply) = self.serve(status, js::now()) {
                        return Ok(Filled::only(reply));
                    }
                }
                Verdict::Other => {}
            }
            answer = match ask(edge, query, Purpose::Fill, timings).await {
                Ok(answer) => answer,
                Err(unanswered) => return Ok(self.unanswered(why, unanswered)),
            };
        }
        if is_error(answer.status)
            && let Some(instead) = self.instead_of_error(why, Some(answer.status))
        {
            Body::of(&answer.response).discard();
            return Ok(instead);
        }
        if request.is_head() {
            return Ok(self.head(why, &answer));
        }
        match self.storable(&answer, answer.status, &answer.fields) {
            Ok(decision) => self.fill(why, answer, decision).await,
            Err(reason) => Ok(self.unstored(why, &answer, reason)),
        }
    }

    fn unanswered(&self, why: Forward, unanswered: Unanswered) -> Filled {
        let instead = match unanswered {
            Unanswered::NotForwardable => None,
            Unanswered::NoOrigin | Unanswered::Timeout => self.instead_of_error(why, None),
        };
        instead.unwrap_or_else(|| Filled::only(unanswered.reply(self.edge)))
    }

    /// Whether an answer may be stored as one to a GET.
    fn storable(&self, answer: &Answer<'_>, status: u16, response: &Fields) -> Result<Storable, Unstored> {
        storable(&Exchange {
            method: "GET",
            asked: self.asked,
            privacy: self.privacy,
            status,
            response,
            request_time: answer.request_time,
            response_time: answer.response_time,
        })
    }

    /// A 304, or a 200 to a HEAD, that leaves what is stored with new fields; RFC
    /// 9111, sections 4.3.4 and 4.3.5.
    fn renewed(self, why: Forward, answer: &Answer<'_>, mut fields: Fields) -> Filled {
        let Some(stored) = &self.stored else {
            return Filled::only(Reply::problem(problems::internal(), &self.edge.request.id));
        };
        let Envelope { status, is_decoded, body_bytes, .. } = stored.envelope;
        if !answer.fields.contains("date")
            && let Some(date) = answer.response_time.to_http_date()
        {
            fields.set("date", date);
        }
        let mut aged = fields.clone();
        if let Some(age) = answer.fields.get("age") {
            aged.set("age", age);
        }
        let decision = self.storable(answer, status, &aged);
        let outcome = match &decision {
            Ok(_) => Outcome::Stored,
            Err(reason) => Outcome::Unstored(*reason),
        };
        let body = stored.body.clone();
        let work = match decision {
            Ok(decision) => {
                let envelope = self.envelope(answer, status, &fields, &decision, is_decoded, body_bytes);
                envelope
                    .replaces(&stored.envelope)
                    .then(|| self.put(envelope, decision.selecting, body.clone()))
            }
            Err(reason) => self.rejected(reason, status),
        };

        let mut fields = envelope::to_client(&aged, is_decoded, body_bytes);
        fields.set(TIDEWALL_ORIGIN, &*answer.origin.id);
        let origin_status = (answer.status != status).then_some(answer.status);
        CacheStatus::Forwarded { why, origin_status, outcome }.append_to(&mut fields);
        Filled { reply: Reply { status, fields, body: Body::Bytes(body) }, work }
    }

    /// An answer to a HEAD. It isn't stored, but says something about what is.
    fn head(self, why: Forward, answer: &Answer<'_>) -> Filled {
        let verdict =
            self.stored.as_ref().filter(|_| answer.status == 200).map(|Stored { envelope, .. }| {
                let body_bytes = (!envelope.is_decoded).then_some(envelope.body_bytes);
                match envelope.status {
                    200 => validation::head(&envelope.fields, body_bytes, &answer.fields),
                    _ => Verdict::Other,
                }
            });
        match verdict {
            Some(Verdict::Renewed(fields)) => self.renewed(why, answer, fields),
            Some(Verdict::Other) => {
                let work = self.delete();
                Filled { work: Some(work), ..self.unstored(why, answer, Unstored::Method) }
            }
            Some(Verdict::Confirmed) | None => self.unstored(why, answer, Unstored::Method),
        }
    }

    fn unstored(&self, why: Forward, answer: &Answer<'_>, reason: Unstored) -> Filled {
        let outcome = Outcome::Unstored(reason);
        let status = CacheStatus::Forwarded { why, origin_status: None, outcome };
        let work = self.rejected(reason, answer.status);
        Filled { reply: handed_on(answer, forward::to_client(&answer.fields), status), work }
    }

    /// Counts an answer that isn't stored; what is stored goes where it is superseded.
    fn rejected(&self, reason: Unstored, status: u16) -> Option<LocalBoxFuture<'static, ()>> {
        self.edge.isolate.counters.borrow_mut().rejected(reason);
        (self.stored.is_some() && reason.supersedes(status)).then(|| self.delete())
    }

    /// Reads the body of an answer that may be stored, stores it beside the answer to
    /// the client, and answers. A body whose end isn't there soon is handed on as it comes.
    async fn fill(self, why: Forward, answer: Answer<'_>, decision: Storable) -> Result<Filled, JsValue> {
        let request = self.edge.request;
        let is_coded = is_coded(&answer.fields);
        let known_bytes = content_length(&answer.fields).filter(|_| !is_coded);
        // In the background nobody waits.
        let wait_max = if request.is_background { RESPONSE_DEADLINE } else { BODY_WAIT_MAX };
        let body = match buffer(&answer.response, known_bytes, BODY_BYTES_MAX, wait_max).await {
            Ok(Buffered::Whole(body)) => body,
            Ok(Buffered::Unfinished(stream, reason)) => {
                let mut filled = self.unstored(why, &answer, reason);
                if is_coded {
                    envelope::decoded(&mut filled.reply.fields);
                }
                filled.reply.body = Body::Stream(stream);
                return Ok(filled);
            }
            Err(error) => {
                worker::console_warn!(
                    "request {}: origin {} broke off its answer: {}",
                    request.id,
                    answer.origin.id,
                    js::message(&error)
                );
                let instead = self.instead_of_error(why, None);
                let problem = || Filled::only(Reply::problem(problems::bad_gateway(), &request.id));
                return Ok(instead.unwrap_or_else(problem));
            }
        };

        let body_bytes = body.length() as usize;
        let fields = envelope::to_client(&answer.fields, is_coded, body_bytes);
        let status = CacheStatus::Forwarded { why, origin_status: None, outcome: Outcome::Stored };
        let reply = Reply { body: Body::Bytes(body.clone()), ..handed_on(&answer, fields, status) };
        let envelope = self.envelope(&answer, answer.status, &answer.fields, &decision, is_coded, body_bytes);
        let work = self.put(envelope, decision.selecting, body);
        Ok(Filled { reply, work: Some(work) })
    }

    fn envelope(
        &self,
        answer: &Answer<'_>,
        status: u16,
        response: &Fields,
        decision: &Storable,
        is_decoded: bool,
        body_bytes: usize,
    ) -> Envelope {
        let mut fields = forward::to_store(response);
        fields.retain(|name| !decision.omitted.iter().any(|omitted| omitted == name));
        if !fields.contains("date")
            && let Some(date) = answer.response_time.to_http_date()
        {
            // RFC 9110, section 6.6.1.
            fields.set("date", date);
        }
        Envelope {
            status,
            fields,
            request_time: answer.request_time,
            response_time: answer.response_time,
            initial_age_ms: millis(decision.initial_age),
            terms: decision.terms,
            is_decoded,
            body_bytes,
        }
    }

    /// Stores a response, among its variants where it has any.
    fn put(
        &self,
        envelope: Envelope,
        selecting: Vec<String>,
        body: Uint8Array,
    ) -> LocalBoxFuture<'static, ()> {
        let (isolate, store, key) = (Rc::clone(self.edge.isolate), self.store.clone(), self.key.clone());
        let (now, until) = (envelope.response_time, envelope.useful_until());
        let variant = (!selecting.is_empty()).then(|| {
            let request = presented(self.edge, Purpose::Fill);
            let variants = Variants::with(self.variants.as_ref(), &selecting, &envelope, until);
            (variant_key(&key, &selecting, &request), variants)
        });
        async move {
            let is_stored = match variant {
                None => store.put(&key, envelope, &body).await,
                Some((variant, variants)) => {
                    let is_stored = store.put(&variant, envelope, &body).await;
                    match variants {
                        Some(variants) if is_stored => store.put_variants(&key, variants, now).await,
                        _ => is_stored,
                    }
                }
            };
            if is_stored {
                isolate.counters.borrow_mut().stored();
            }
        }
        .boxed_local()
    }

    /// Removes what is stored for the request; the URL's other variants stay.
    fn delete(&self) -> LocalBoxFuture<'static, ()> {
        let store = self.store.clone();
        let key = match &self.variants {
            None => self.key.clone(),
            Some(variants) => {
                variant_key(&self.key, &variants.selecting, &presented(self.edge, Purpose::Fill))
            }
        };
        async move { store.delete(&key).await }.boxed_local()
    }
}
