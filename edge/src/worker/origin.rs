//! One exchange with the origins: who is asked, who is asked next, how long is
//! waited.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use tidewall_api::bookmark::Bookmark;
use tidewall_api::headers::{ENDPOINT_LOAD_METRICS, TIDEWALL_DRAINING};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, ReadableStream, Request, RequestInit, RequestRedirect, Response};

use crate::balance::Asker;
use crate::balance::again::{self, KEPT_BYTES_MAX, Kept, Sending};
use crate::balance::balancer::{Attempt, Balancer, Ended};
use crate::balance::health::{Notice, Outcome, retry_after};
use crate::balance::in_flight::Ticket;
use crate::balance::load;
use crate::cache::storable::content_length;
use crate::config::{Origin, RESPONSE_DEADLINE, upload_deadline};
use crate::control::log::Known;
use crate::control::view::View;
use crate::fields::Fields;
use crate::forward::{self, Purpose, Via};
use crate::problems;
use crate::time::Timestamp;
use crate::worker::body::{Buffered, buffer};
use crate::worker::deadline::within;
use crate::worker::incoming::Incoming;
use crate::worker::isolate::Isolate;
use crate::worker::reply::{Body, Reply};
use crate::worker::{Edge, js};

/// Time in which a small body must have come, to be kept. One that is slower is handed on as
/// it comes.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);

/// `Retry-After` where no origin can be reached: about as long as one takes to start.
const RETRY_AFTER_S: &str = "2";

/// An origin's answer.
pub(super) struct Answer<'a> {
    pub(super) origin: &'a Origin,
    pub(super) response: Response,
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) request_time: Timestamp,
    pub(super) response_time: Timestamp,
    /// The value of `Set-Cookie` by which the client stays with this origin, where it is to and
    /// doesn't yet.
    pub(super) keeps: Option<String>,
    /// How far the view had read when the request was sent; `None` without a view.
    pub(super) fence: Option<Known>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The runtime refuses to send such a request.
    NotForwardable,
    /// No connection, or it broke before the answer.
    NoOrigin,
    /// It took longer than [`RESPONSE_DEADLINE`] (for an upload: [`upload_deadline`]), or so long that there was no time for others.
    Timeout,
    /// The runtime refuses to hand the answer on.
    BadAnswer,
}

impl Unanswered {
    pub(super) fn reply(self, edge: &Edge<'_>) -> Reply {
        let request = edge.request;
        match self {
            Self::NotForwardable => Reply::problem(problems::not_forwardable(), &request.id),
            Self::Timeout => Reply::problem(problems::origin_timeout(), &request.id),
            Self::BadAnswer => Reply::problem(problems::bad_answer(), &request.id),
            Self::NoOrigin => {
                let mut reply = Reply::problem(problems::no_origin(request.is_safe()), &request.id);
                reply.fields.set("retry-after", RETRY_AFTER_S);
                reply
            }
        }
    }
}

/// Sends the request to the origin that the balancer picks. If that takes no connection, says
/// that it can't, or is silent for too long, a request that may be sent again goes to another
/// one, as long as there are retries left.
pub(super) async fn exchange<'a>(
    edge: &Edge<'a>,
    path_and_query: &str,
    purpose: Purpose<'_>,
) -> Result<Answer<'a>, Unanswered> {
    let (isolate, origins, request) = (edge.isolate, &edge.config.origins, edge.request);
    let (content, may_retry) = content(isolate, request).await?;

    let client = edge.client_address().map(|address| address.to_string()).unwrap_or_default();
    let signer = edge.config.signer_at(edge.target.path);
    let kept = signer.and_then(|signer| request.kept.iter().find_map(|cookie| signer.read(cookie)));
    let pick = |tried: &[usize]| {
        let asker = Asker { client: &client, kept, draw: js::random() };
        let attempt = Attempt { path: edge.target.path, asker, tried, may_retry };
        isolate.balancer.borrow_mut().pick(origins, &attempt, js::now())
    };

    let deadline = match &content {
        Content::Empty | Content::Kept { .. } => RESPONSE_DEADLINE,
        Content::Streamed(_) => upload_deadline(content_length(&request.fields).map(|bytes| bytes as u64)),
    };
    let began = js::now();
    let mut picked = pick(&[]).ok_or(Unanswered::NoOrigin)?;
    let mut tried = Vec::new();
    loop {
        let origin = &origins[picked];
        tried.push(picked);
        // Anew for each attempt, as is the fence: the view may have moved on.
        let fields = presented(edge, purpose);
        let url = format!("{}{path_and_query}", origin.url);
        let controller = AbortController::new().map_err(|_| Unanswered::NotForwardable)?;
        let outgoing = outgoing(&url, &request.method, &fields, &content, &controller).map_err(|error| {
            worker::console_warn!("request {} not forwarded: {}", request.id, js::message(&error));
            Unanswered::NotForwardable
        })?;

        let (request_time, fence) = (js::now(), isolate.control.fence());
        let waiting = Waiting::begin(&isolate.balancer, picked, request_time);
        let mut sending = pin!(send(&outgoing));
        let left = || deadline.saturating_sub(js::now().since(began));
        let patience = if may_retry { edge.config.origin_deadline.min(left()) } else { left() };
        let mut sent = within(patience, sending.as_mut()).await;
        let may_go_on = sent.is_none() && may_retry && !left().is_zero();
        let other = may_go_on.then(|| pick(&tried)).flatten();
        if sent.is_none() && other.is_none() {
            // It may answer yet, and nobody else will.
            sent = within(left(), sending).await;
        }
        drop(waiting);
        let note = |outcome: Outcome| {
            let now = js::now();
            let took = match content {
                Content::Empty | Content::Kept { .. } => Some(now.since(request_time)),
                Content::Streamed(_) => None,
            };
            let ended = Ended { path: edge.target.path, origin: picked, outcome, took };
            let notice = isolate.balancer.borrow_mut().note(ended, now);
            let why = match notice {
                Some(Notice::Ejected | Notice::Failing) => Some("fails"),
                Some(Notice::Slow) => Some("is far slower than the others"),
                Some(Notice::Suspect) | None => None,
            };
            if let Some(why) = why {
                worker::console_warn!("origin {} {why}, and gets no requests for a while", origin.id);
            }
            if notice.is_some() {
                isolate.control.report(&origin.id);
            }
            if notice == Some(Notice::Failing) {
                isolate.control.report_failing(&origin.id);
            }
        };
        // What was handed on as it came may be what was late, or broke off: then somebody else
        // has to look.
        let blame = |outcome: Outcome| match content {
            Content::Empty | Content::Kept { .. } => note(outcome),
            Content::Streamed(_) => isolate.control.report(&origin.id),
        };
        match sent {
            Some(Ok(response)) => {
                let status = response.status();
                if !forward::can_be_handed_on(status, purpose) {
                    worker::console_warn!(
                        "request {}: origin {} answered with the status {status}",
                        request.id,
                        origin.id
                    );
                    controller.abort();
                    return Err(Unanswered::BadAnswer);
                }
                let fields = js::read_fields(&response.headers());
                let is_draining = fields.contains(TIDEWALL_DRAINING);
                let outcome =
                    Outcome::of(status, retry_after(fields.get("retry-after"), js::now()), is_draining);
                note(outcome);
                if let Some(utilization) = fields.get(ENDPOINT_LOAD_METRICS).and_then(load::utilization) {
                    isolate.balancer.borrow_mut().reported(picked, utilization, js::now());
                }
                // Who drains may say that it can't any more, which is no failure.
                let has_failed = outcome.is_failure() || (is_draining && matches!(status, 502..=504));
                if let Some(next) = (has_failed && may_retry).then(|| pick(&tried)).flatten() {
                    Body::of(&response).discard();
                    picked = next;
                    continue;
                }
                if outcome == Outcome::Unreachable {
                    // The platform's answer, not an origin's.
                    Body::of(&response).discard();
                    return Err(Unanswered::NoOrigin);
                }
                // Nobody is to stay with one that fails, or is about to go.
                let stays = outcome == Outcome::Well && kept != Some(&*origin.id);
                let is_secure = edge.target.scheme == "https";
                let keeps = signer.filter(|_| stays).map(|signer| signer.set_cookie(&origin.id, is_secure));
                return Ok(Answer {
                    origin,
                    keeps,
                    status,
                    fields,
                    response,
                    request_time,
                    response_time: js::now(),
                    fence,
                });
            }
            Some(Err(error)) => {
                worker::console_warn!(
                    "request {}: origin {} failed: {}",
                    request.id,
                    origin.id,
                    js::message(&error)
                );
                blame(Outcome::Unreachable);
                picked = may_retry.then(|| pick(&tried)).flatten().ok_or(Unanswered::NoOrigin)?;
            }
            None => {
                worker::console_warn!(
                    "request {}: origin {} gave no answer within {} ms",
                    request.id,
                    origin.id,
                    js::now().since(request_time).as_millis()
                );
                blame(Outcome::Unwell);
                // One that hangs may do so for all, and each isolate would lose some requests to it.
                isolate.control.report(&origin.id);
                controller.abort();
                picked = other.ok_or(Unanswered::Timeout)?;
            }
        }
    }
}

/// What goes with a request.
enum Content<'a> {
    Empty,
    /// All of it, so that it can be sent again.
    Kept {
        body: Uint8Array,
        _room: Room<'a>,
    },
    /// As it comes, once.
    Streamed(ReadableStream),
}

/// Room for a body that is kept, given back when dropped.
struct Room<'a> {
    kept: &'a RefCell<Kept>,
    number: u64,
}

impl<'a> Room<'a> {
    fn take(kept: &'a RefCell<Kept>, bytes: usize) -> Option<Self> {
        let number = kept.borrow_mut().take(bytes, BODY_WAIT_MAX + RESPONSE_DEADLINE, js::now())?;
        Some(Self { kept, number })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.kept.borrow_mut().give_back(self.number);
    }
}

/// What goes with a request, and whether it may be sent again.
async fn content<'a>(isolate: &'a Isolate, request: &Incoming) -> Result<(Content<'a>, bool), Unanswered> {
    let body = if request.is_read() { None } else { request.js.body() };
    match (again::sending(&request.method, &request.fields, body.is_some()), body) {
        (sending, None) => Ok((Content::Empty, sending != Sending::Once)),
        (Sending::AgainWithBody(bytes), Some(body)) => {
            let Some(room) = Room::take(&isolate.kept, bytes) else {
                return Ok((Content::Streamed(body), false));
            };
            let kept = async {
                let sent = Response::new_with_opt_readable_stream(Some(&body))?;
                buffer(&sent, Some(bytes), KEPT_BYTES_MAX, BODY_WAIT_MAX).await
            };
            match kept.await {
                Ok(Buffered::Whole(body)) => Ok((Content::Kept { body, _room: room }, true)),
                Ok(Buffered::Unfinished(body, _)) => Ok((Content::Streamed(body), false)),
                Err(error) => {
                    worker::console_warn!("request {} broke off: {}", request.id, js::message(&error));
                    Err(Unanswered::NotForwardable)
                }
            }
        }
        (Sending::Again | Sending::Once, Some(body)) => Ok((Content::Streamed(body), false)),
    }
}

/// The fields of the request as an origin gets it.
pub(super) fn presented(edge: &Edge<'_>, purpose: Purpose<'_>) -> Fields {
    let request = edge.request;
    let via = Via {
        client_address: edge.client_address(),
        is_behind_cloudflare: edge.config.client_address_field.is_cloudflares(),
        is_read: request.is_read(),
        host: edge.target.host,
        scheme: edge.target.scheme,
        request_id: &request.id,
        bookmark: match purpose {
            Purpose::Pass | Purpose::Upgrade => request.brought.bookmark,
            // So that what is read can be stored, whoever asks for it (S5).
            Purpose::Fill | Purpose::Validate(_) | Purpose::Part => Bookmark {
                lsn: edge
                    .isolate
                    .control
                    .with(|view| view.map_or(0, View::lsn_max))
                    .max(request.brought.bookmark.lsn),
                ..request.brought.bookmark
            },
        },
    };
    forward::to_origin(&request.fields, &via, purpose)
}

fn outgoing(
    url: &str,
    method: &str,
    fields: &Fields,
    content: &Content<'_>,
    controller: &AbortController,
) -> Result<Request, JsValue> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(&js::write_fields(fields)?.into());
    match content {
        Content::Empty => {}
        Content::Kept { body, .. } => init.set_body(body),
        Content::Streamed(body) => init.set_body(body),
    }
    // A redirect is the client's to follow: it must see the new address.
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&controller.signal()));
    Request::new_with_str_and_init(url, &init)
}

async fn send(request: &Request) -> Result<Response, JsValue> {
    JsFuture::from(js::scope().fetch_with_request(request)).await?.dyn_into()
}

/// Counts a request as waiting until it is dropped.
struct Waiting<'a> {
    balancer: &'a RefCell<Balancer>,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn begin(balancer: &'a RefCell<Balancer>, origin: usize, now: Timestamp) -> Self {
        let ticket = balancer.borrow_mut().begin(origin, now);
        Self { balancer, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.balancer.borrow_mut().end(self.ticket);
    }
}
