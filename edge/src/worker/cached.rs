//! Requests that the cache may answer: looked up, else forwarded, and what comes back
//! is stored, or renews what is stored.
//!
//! The answer goes out first. What is to be written, and a revalidation in the
//! background, is left to the runtime's `waitUntil`.

use std::rc::Rc;

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use js_sys::Uint8Array;
use tidewall_api::headers::TIDEWALL_ORIGIN;
use wasm_bindgen::JsValue;
use worker::{Context, Env};

use crate::cache::envelope::{self, Envelope, Variants};
use crate::cache::flight;
use crate::cache::key::canonical_query;
use crate::cache::level::Level;
use crate::cache::precondition::From;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::cache::storable::{BODY_BYTES_MAX, BODY_WAIT_MAX, Storable, Unstored, content_length, is_coded};
use crate::cache::terms::millis;
use crate::cache::usable::{Basis, Situation, Usable, is_error, is_for};
use crate::cache::validation::{self, Verdict};
use crate::cache::vary::{self, variant_key};
use crate::config::RESPONSE_DEADLINE;
use crate::control::bookmark::Demand;
use crate::control::position::{Position, ReadAt};
use crate::control::servable::Fenced;
use crate::fields::Fields;
use crate::forward::{self, Purpose};
use crate::judge::Answered;
use crate::problems;
use crate::time::Timestamp;
use crate::timing::Timings;
use crate::worker::body::{Buffered, buffer};
use crate::worker::circumstances::Circumstances;
use crate::worker::collapse::{self, HANDED_BYTES_MAX, Joined, Leader};
use crate::worker::control_log::{self, Standing};
use crate::worker::incoming::Incoming;
use crate::worker::isolate::Isolate;
use crate::worker::origin::{Answer, Unanswered, presented};
use crate::worker::proxy::{ask, handed_back, keep, key};
use crate::worker::reply::{Body, Reply};
use crate::worker::store::{Found, FoundCopy, Place, Put, Store, Stored};
use crate::worker::{Edge, js};

/// How often others are met for one request, should it never get what it can use.
const MEETINGS_MAX: usize = 4;

/// An answer, and what is to be done once it is out.
struct Filled {
    reply: Reply,
    /// What it means to others who wait for the same.
    landing: Landing,
    work: Option<LocalBoxFuture<'static, ()>>,
}

/// What those get who wait for the same.
enum Landing {
    /// What is stored; whether it is fresh, so that they may use it.
    Stored(Put, bool),
    /// Nothing.
    Nothing(flight::Outcome),
}

impl Filled {
    fn only(reply: Reply) -> Self {
        Self { reply, landing: Landing::Nothing(flight::Outcome::Failed), work: None }
    }

    /// The answer, and all that is left to do for it; `leader` is there if others wait.
    fn landed(self, leader: Option<Leader>) -> (Reply, LocalBoxFuture<'static, ()>) {
        let Self { reply, landing, work } = self;
        let all = async move {
            match landing {
                Landing::Stored(put, is_fresh) => land(put, is_fresh, leader).await,
                Landing::Nothing(outcome) => {
                    if let Some(leader) = leader {
                        leader.land(outcome, None).await;
                    }
                }
            }
            if let Some(work) = work {
                work.await;
            }
        };
        (reply, all.boxed_local())
    }
}

/// Hands what is stored to those who wait, and puts it on the other levels.
async fn land(Put { stored, variant, near, far }: Put, is_fresh: bool, leader: Option<Leader>) {
    match leader {
        None => near.await,
        Some(leader) if !is_fresh => {
            leader.land(flight::Outcome::Unstorable, None).await;
            near.await;
        }
        Some(leader) => match stored.encode() {
            Ok(value) if value.length() <= HANDED_BYTES_MAX => {
                leader.land(flight::Outcome::Filled, Some((value, variant))).await;
                near.await;
            }
            _ => {
                // There they find it.
                near.await;
                leader.land(flight::Outcome::Filled, None).await;
            }
        },
    }
    far.await;
}

/// One request and what the store has for it.
struct Lookup<'a> {
    edge: &'a Edge<'a>,
    store: Store,
    circumstances: Circumstances,
    copy: Option<FoundCopy>,
    /// What tells the URL's variants apart, where it has any.
    variants: Option<Rc<Variants>>,
}

/// Answers from the store, or from an origin.
pub(super) async fn answer(
    edge: &Edge<'_>,
    store: Store,
    context: &Context,
    timings: &mut Timings,
) -> Result<Reply, JsValue> {
    let standing = consult(edge, context, timings).await;
    let (lookup, work) = Lookup::begin(edge, store, standing, |_| true, timings).await;
    if let Some(work) = work {
        context.wait_until(work);
    }
    let why = match lookup.usable(js::now()) {
        Ok(found) => {
            if let Some(copy) = &lookup.copy {
                edge.isolate.counters.borrow_mut().hit(copy.level);
            }
            if found.basis == Basis::WhileRevalidate {
                revalidate_later(edge, lookup.own_key(), standing, context);
            }
            let status = CacheStatus::Hit(found);
            return Ok(lookup.serve(status, js::now()).unwrap_or_else(|| not_cached(edge)));
        }
        Err(why) => why,
    };
    edge.isolate.counters.borrow_mut().miss(why);
    if lookup.circumstances.asked.only_if_cached {
        return Ok(not_cached(edge));
    }
    if !lookup.has_others_to_meet(why) {
        let (reply, work) = lookup.forward(why, timings).await?.landed(None);
        context.wait_until(work);
        return Ok(reply.evaluated(edge.request, From::Origin));
    }
    // Others may wait for this request, so it goes on though its client is gone.
    let (answered, answer) = oneshot::channel();
    let (isolate, env, request) = (Rc::clone(edge.isolate), edge.env.clone(), edge.request.clone());
    let Lookup { store, circumstances, copy, variants, .. } = lookup;
    context.wait_until(async move {
        let mut timings = Timings::default();
        let edge = match Edge::new(&isolate, &env, &request) {
            Ok(edge) => edge,
            Err(error) => return drop(answered.send(Err(error))),
        };
        let lookup = Lookup { edge: &edge, store, circumstances, copy, variants };
        let (reply, work) = match lookup.meet_and_forward(why, &mut timings).await {
            Ok((reply, work)) => (Ok((reply, timings)), work),
            Err(error) => (Err(error), None),
        };
        // Nobody may be there any more.
        if let Err(Ok((reply, _))) = answered.send(reply) {
            reply.body.discard();
        }
        if let Some(work) = work {
            work.await;
        }
    });
    let (reply, taken) = answer.await.map_err(|_| "the request was given up")??;
    timings.extend(taken);
    Ok(reply)
}

/// What came of meeting others who miss the same.
enum Met {
    /// One of them has what is asked for.
    Reply(Reply),
    /// They wait for this request.
    Leader(Leader),
    /// There is nobody to wait for, or no use.
    Nobody,
}

fn not_cached(edge: &Edge<'_>) -> Reply {
    let mut reply = Reply::problem(problems::not_cached(), &edge.request.id);
    CacheStatus::OnlyIfCached.append_to(&mut reply.fields);
    reply
}

/// Renews what is stored once the client has its answer; RFC 5861, section 3.
fn revalidate_later(edge: &Edge<'_>, key: String, standing: Standing, context: &Context) {
    // For everyone, so without this reader's bookmark.
    let standing = Standing { demand: Demand::Nothing, ..standing };
    let (isolate, env, request) =
        (Rc::clone(edge.isolate), edge.env.clone(), edge.request.in_background(&edge.config.private));
    let now = js::now();
    let mut revalidating = edge.isolate.revalidating.borrow_mut();
    if revalidating.get(&key).is_some_and(|since| now.since(*since) < RESPONSE_DEADLINE) {
        return;
    }
    revalidating.put(&key, now, key.len() + size_of_val(&now));
    context.wait_until(async move {
        if let Err(error) = revalidate(&isolate, &env, &request, standing).await {
            worker::console_warn!("request {}: not revalidated: {}", request.id, js::message(&error));
        }
        isolate.revalidating.borrow_mut().remove(&key);
    });
}

async fn revalidate(
    isolate: &Rc<Isolate>,
    env: &Env,
    request: &Incoming,
    standing: Standing,
) -> Result<(), JsValue> {
    let edge = Edge::new(isolate, env, request)?;
    let Some(store) = Store::bound(isolate, env)? else { return Ok(()) };
    let mut timings = Timings::default();
    let is_fresh = |basis| basis == Basis::Fresh;
    let (lookup, work) = Lookup::begin(&edge, store, standing, is_fresh, &mut timings).await;
    if let Some(work) = work {
        work.await;
    }
    let why = match lookup.usable(js::now()) {
        // Another request was first, here or elsewhere.
        Ok(found) if is_fresh(found.basis) => return Ok(()),
        Ok(_) => Forward::Stale,
        Err(why) => why,
    };
    let (reply, work) = if lookup.has_others_to_meet(why) {
        lookup.meet_and_forward(why, &mut timings).await?
    } else {
        let (reply, work) = lookup.forward(why, &mut timings).await?.landed(None);
        (reply, Some(work))
    };
    reply.body.discard();
    if let Some(work) = work {
        work.await;
    }
    Ok(())
}

impl<'a> Lookup<'a> {
    /// Looks for a copy that may be used on a basis that is `wanted`. The work is for
    /// when the client has its answer.
    async fn begin(
        edge: &'a Edge<'a>,
        store: Store,
        standing: Standing,
        wanted: impl Fn(Basis) -> bool,
        timings: &mut Timings,
    ) -> (Self, Option<LocalBoxFuture<'static, ()>>) {
        let circumstances = Circumstances::of(edge, key(edge, &edge.target), standing);
        let key = &circumstances.key;
        let begun = js::now();
        let accept =
            |stored: &Envelope| match circumstances.usable(edge, stored, Situation::Lookup, js::now()) {
                Ok(found) => wanted(found.basis),
                Err(why) => why.is_of_every_copy(),
            };
        let variant = |selecting: &[String]| variant_key(key, selecting, &presented(edge, Purpose::Fill));
        let levels: &[Level] = match edge.request.was_looked_for {
            true => &Level::BUT_CACHE_API,
            false => &Level::ALL,
        };
        let Found { copy, variants, work } = store.find(levels, key, variant, accept).await;
        let step = copy.as_ref().map_or("lookup", |copy| copy.level.as_str());
        timings.record(step, js::now().since(begun));
        (Self { edge, store, circumstances, copy, variants }, work)
    }

    /// What is stored.
    fn stored(&self) -> Option<&Stored> {
        self.copy.as_ref().map(|copy| &*copy.stored)
    }

    /// Whether a stored response may be used.
    fn judged(&self, stored: &Stored, situation: Situation, now: Timestamp) -> Result<Usable, Forward> {
        self.circumstances.usable(self.edge, &stored.envelope, situation, now)
    }

    /// Whether what is stored may be used.
    fn usable(&self, now: Timestamp) -> Result<Usable, Forward> {
        match self.stored() {
            Some(stored) => self.judged(stored, Situation::Lookup, now),
            None if self.variants.is_some() => Err(Forward::VaryMiss),
            None => Err(Forward::UriMiss),
        }
    }

    /// What is stored, as an answer.
    fn serve(&self, status: CacheStatus, now: Timestamp) -> Option<Reply> {
        Some(reply_of(self.stored()?, status, now).evaluated(self.edge.request, From::Store))
    }

    /// What is stored instead of an error, where that is allowed; RFC 5861, section 4.
    fn instead_of_error(&self, why: Forward, origin_status: Option<u16>) -> Option<Filled> {
        let now = js::now();
        self.judged(self.stored()?, Situation::OriginFailed, now).ok()?;
        let status = CacheStatus::Forwarded { why, origin_status, outcome: Outcome::StaleIfError };
        let landing = Landing::Nothing(flight::Outcome::OriginFailed);
        self.serve(status, now).map(|reply| Filled { landing, ..Filled::only(reply) })
    }

    /// The key under which what is asked for is stored, as far as it is known.
    fn own_key(&self) -> String {
        match &self.variants {
            Some(variants) => self.variant_key(&variants.selecting),
            None => self.circumstances.key.clone(),
        }
    }

    /// Whether others may miss the same, and meeting them is of use.
    fn has_others_to_meet(&self, why: Forward) -> bool {
        let request = self.edge.request;
        let is_for_all = match why {
            Forward::UriMiss | Forward::VaryMiss | Forward::Stale => true,
            Forward::Fenced(fenced) => fenced != Fenced::NoView,
            _ => false,
        };
        // Nothing that others bring would be for this reader.
        let takes_nothing = matches!(self.circumstances.standing.demand, Demand::Unstored | Demand::Refresh);
        // What is one person's is nobody else's to wait for, unless it is known to be shared.
        let is_shared = self.stored().is_some_and(|stored| stored.envelope.terms.shared);
        let is_one_persons = self.circumstances.privacy.is_private() && !is_shared;
        let is_whole = request.method == "GET" && !request.fields.contains("range");
        is_for_all
            && is_whole
            && !takes_nothing
            && !is_one_persons
            && !self.circumstances.asked.no_store
            && !collapse::is_alone(self.edge, &collapse::flight(&self.own_key(), self.circumstances.privacy))
    }

    /// Meets the others, and asks an origin if it is this request's turn. What is left is
    /// to be done in any case.
    async fn meet_and_forward(
        self,
        why: Forward,
        timings: &mut Timings,
    ) -> Result<(Reply, Option<LocalBoxFuture<'static, ()>>), JsValue> {
        let begun = js::now();
        let met = self.meet(why).await;
        timings.record("collapse", js::now().since(begun));
        let leader = match met {
            Met::Reply(reply) => return Ok((reply, None)),
            Met::Leader(leader) => Some(leader),
            Met::Nobody => None,
        };
        let request = self.edge.request;
        let (reply, work) = self.forward(why, timings).await?.landed(leader);
        Ok((reply.evaluated(request, From::Origin), Some(work)))
    }

    async fn meet(&self, why: Forward) -> Met {
        let mut flight = collapse::flight(&self.own_key(), self.circumstances.privacy);
        let mut refused = 0;
        for _ in 0..MEETINGS_MAX {
            let (generation, variant, stored) = match collapse::join(self.edge, &flight, refused).await {
                Joined::Alone => return Met::Nobody,
                Joined::Leader(leader) => return Met::Leader(leader),
                Joined::OriginFailed { generation } => {
                    if let Some(instead) = self.instead_of_error(why, None) {
                        return Met::Reply(instead.reply);
                    }
                    refused = generation;
                    continue;
                }
                Joined::Landed { generation, variant, stored } => (generation, variant, stored),
            };
            let Some(stored) = stored else {
                // Too long to be handed over: it is where the leader put it.
                if let Some(reply) = self.near(why).await {
                    return Met::Reply(reply);
                }
                refused = generation;
                continue;
            };
            let selecting = vary::selecting(&stored.envelope.fields).unwrap_or_default();
            let own_variant = (!selecting.is_empty()).then(|| self.variant_key(&selecting));
            if own_variant != variant {
                // It was for those who ask for another variant.
                let Some(own_variant) = own_variant else { return Met::Nobody };
                (flight, refused) = (collapse::flight(&own_variant, self.circumstances.privacy), 0);
                continue;
            }
            let now = js::now();
            if self.judged(&stored, Situation::Lookup, now).is_ok() {
                let place = own_variant.as_deref().map(|variant| (variant, selecting.as_slice()));
                self.store.keep(&self.circumstances.key, place, &stored);
                return Met::Reply(self.collapsed(why, &stored, now));
            }
            refused = generation;
        }
        Met::Nobody
    }

    /// What is in memory or in the Cache API by now.
    async fn near(&self, why: Forward) -> Option<Reply> {
        let accept = |stored: &Envelope| {
            self.circumstances.usable(self.edge, stored, Situation::Lookup, js::now()).is_ok()
        };
        let variant = |selecting: &[String]| self.variant_key(selecting);
        let copy = self.store.find(&Level::NEAR, &self.circumstances.key, variant, accept).await.copy?;
        let now = js::now();
        self.judged(&copy.stored, Situation::Lookup, now).ok()?;
        Some(self.collapsed(why, &copy.stored, now))
    }

    fn collapsed(&self, why: Forward, stored: &Stored, now: Timestamp) -> Reply {
        let outcome = Outcome::Collapsed;
        reply_of(stored, CacheStatus::Forwarded { why, origin_status: None, outcome }, now)
            .evaluated(self.edge.request, From::Store)
    }

    fn variant_key(&self, selecting: &[String]) -> String {
        variant_key(&self.circumstances.key, selecting, &presented(self.edge, Purpose::Fill))
    }

    /// Asks an origin, for a change only where that will do.
    async fn forward(mut self, why: Forward, timings: &mut Timings) -> Result<Filled, JsValue> {
        let (edge, request) = (self.edge, self.edge.request);
        self.copy = self.copy.take().filter(|copy| is_for(&copy.stored.envelope, self.circumstances.privacy));
        let conditions = self.stored().and_then(|stored| validation::conditions(&stored.envelope.fields));
        let is_part = request.method == "GET" && request.fields.contains("range");
        let purpose = match &conditions {
            Some(conditions) => Purpose::Validate(conditions),
            None if is_part && self.copy.is_none() => Purpose::Part,
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
            && let Some(stored) = self.stored()
        {
            match validation::not_modified(&stored.envelope.fields, &answer.fields) {
                Verdict::Renewed(fields) => return Ok(self.renewed(why, &answer, fields)),
                Verdict::Confirmed => {
                    let outcome = Outcome::Confirmed;
                    let status = CacheStatus::Forwarded { why, origin_status: Some(304), outcome };
                    if let Some(reply) = self.serve(status, js::now()) {
                        // Nothing was renewed that others could use unasked.
                        let landing = Landing::Nothing(flight::Outcome::Unstorable);
                        return Ok(Filled { landing, ..Filled::only(reply) });
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
            // Even the whole may be what it is for what was asked, such as an error.
            Ok(_) if purpose == Purpose::Part => Ok(self.unstored(why, &answer, Unstored::Partial)),
            Ok((decision, position)) => self.fill(why, answer, decision, position).await,
            Err(reason) => Ok(self.unstored(why, &answer, reason)),
        }
    }

    fn unanswered(&self, why: Forward, unanswered: Unanswered) -> Filled {
        let instead = match unanswered {
            Unanswered::NotForwardable => None,
            Unanswered::NoOrigin | Unanswered::Timeout | Unanswered::BadAnswer => {
                self.instead_of_error(why, None)
            }
        };
        instead.unwrap_or_else(|| Filled::only(unanswered.reply(self.edge)))
    }

    /// Whether a response may be stored that an answer has brought or renewed.
    fn storable(
        &self,
        answer: &Answer<'_>,
        status: u16,
        response: &Fields,
    ) -> Result<(Storable, Position), Unstored> {
        let answered = Answered {
            status,
            response,
            request_time: answer.request_time,
            response_time: answer.response_time,
            fence: answer.fence,
            read_at: ReadAt::of(&answer.fields),
        };
        self.circumstances.judging(self.edge, js::now(), |judge| judge.storable(&answered))
    }

    /// A 304, or a 200 to a HEAD, that leaves what is stored with new fields; RFC
    /// 9111, sections 4.3.4 and 4.3.5.
    fn renewed(self, why: Forward, answer: &Answer<'_>, mut fields: Fields) -> Filled {
        let Some(stored) = self.stored() else {
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
        let (landing, work) = match decision {
            Ok((decision, position)) => {
                let body_form = BodyForm { is_decoded, body_bytes };
                let envelope = envelope_of(answer, status, &fields, &decision, position, body_form);
                let landing = match envelope.replaces(&stored.envelope) {
                    true => self.put(envelope, &decision.selecting, body.clone()),
                    // It is to be asked about each time.
                    false => Landing::Nothing(flight::Outcome::Unstorable),
                };
                (landing, None)
            }
            Err(reason) => (Landing::Nothing(reason.outcome(status)), self.rejected(reason, status)),
        };

        let mut fields = envelope::to_client(&aged, is_decoded, body_bytes);
        fields.set(TIDEWALL_ORIGIN, &*answer.origin.id);
        let origin_status = (answer.status != status).then_some(answer.status);
        CacheStatus::Forwarded { why, origin_status, outcome }.append_to(&mut fields);
        Filled { reply: Reply { status, fields, body: Body::Bytes(body) }, landing, work }
    }

    /// An answer to a HEAD. It isn't stored, but says something about what is.
    fn head(self, why: Forward, answer: &Answer<'_>) -> Filled {
        let verdict = self.stored().filter(|_| answer.status == 200).map(|Stored { envelope, .. }| {
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
        let landing = Landing::Nothing(reason.outcome(answer.status));
        let mut reply = handed_back(self.edge, answer, forward::to_client(&answer.fields), status);
        // What is only too long or too slow to be stored is for everybody all the same.
        if !matches!(reason, Unstored::TooLarge | Unstored::Slow) {
            keep(answer, &mut reply);
        }
        Filled { reply, landing, work }
    }

    /// Counts an answer that isn't stored; what is stored goes where it is superseded.
    fn rejected(&self, reason: Unstored, status: u16) -> Option<LocalBoxFuture<'static, ()>> {
        self.edge.isolate.counters.borrow_mut().rejected(reason);
        let stored = self.stored()?;
        // Without credentials an origin may answer with a way to log in, which is nobody
        // else's answer.
        let is_background = self.edge.request.is_background;
        let is_same = status == stored.envelope.status || matches!(status, 404 | 410);
        (reason.supersedes(status) && (is_same || !is_background)).then(|| self.delete())
    }

    /// Reads the body of an answer that may be stored, stores it beside the answer to
    /// the client, and answers. A body whose end isn't there soon is handed on as it comes.
    async fn fill(
        self,
        why: Forward,
        answer: Answer<'_>,
        decision: Storable,
        position: Position,
    ) -> Result<Filled, JsValue> {
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
        let reply =
            Reply { body: Body::Bytes(body.clone()), ..handed_back(self.edge, &answer, fields, status) };
        let body_form = BodyForm { is_decoded: is_coded, body_bytes };
        let envelope = envelope_of(&answer, answer.status, &answer.fields, &decision, position, body_form);
        let landing = self.put(envelope, &decision.selecting, body);
        Ok(Filled { reply, landing, work: None })
    }

    /// Stores a response, among its variants where it has any.
    fn put(&self, envelope: Envelope, selecting: &[String], body: Uint8Array) -> Landing {
        let place = (!selecting.is_empty()).then(|| Place {
            key: self.variant_key(selecting),
            variants: Variants::with(self.variants.as_deref(), selecting, envelope.useful_until()),
        });
        let is_fresh = envelope.is_fresh();
        let put = self.store.put(&self.circumstances.key, place, Stored::new(envelope, body));
        Landing::Stored(put, is_fresh)
    }

    /// Removes what is stored for the request; the URL's other variants stay.
    fn delete(&self) -> LocalBoxFuture<'static, ()> {
        match &self.variants {
            None => self.store.delete(&self.circumstances.key),
            Some(variants) => {
                let request = presented(self.edge, Purpose::Fill);
                self.store.delete(&variant_key(&self.circumstances.key, &variants.selecting, &request))
            }
        }
    }
}

/// What is stored, as an answer.
fn reply_of(stored: &Stored, status: CacheStatus, now: Timestamp) -> Reply {
    let mut fields = stored.to_client().clone();
    fields.set("age", stored.envelope.age(now).as_secs().to_string());
    status.append_to(&mut fields);
    Reply { status: stored.envelope.status, fields, body: Body::Bytes(stored.body.clone()) }
}

/// The form in which a body is stored.
#[derive(Clone, Copy)]
pub(super) struct BodyForm {
    /// Whether its content coding was undone.
    pub(super) is_decoded: bool,
    pub(super) body_bytes: usize,
}

/// An answer as it is stored.
pub(super) fn envelope_of(
    answer: &Answer<'_>,
    status: u16,
    response: &Fields,
    decision: &Storable,
    position: Position,
    BodyForm { is_decoded, body_bytes }: BodyForm,
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
        position,
        groups: decision.groups.clone(),
        is_decoded,
        body_bytes,
    }
}

/// Makes this isolate's view of the control log fit for the request.
async fn consult(edge: &Edge<'_>, context: &Context, timings: &mut Timings) -> Standing {
    let begun = js::now();
    let limits = edge.config.control;
    let standing = control_log::consult(edge.isolate, edge.env, context, limits, edge.request.brought).await;
    let took = js::now().since(begun);
    if !took.is_zero() {
        timings.record("control", took);
    }
    standing
}
