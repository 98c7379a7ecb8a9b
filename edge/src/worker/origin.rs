//! One exchange with the origins: who is asked, who is asked next, how long is
//! waited.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::futures::JsFuture;
use tidewall_api::bookmark::Bookmark;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, Request, RequestInit, RequestRedirect, Response};

use crate::balance::{InFlight, Pick, Ticket};
use crate::config::Origin;
use crate::control::log::Known;
use crate::control::view::View;
use crate::fields::Fields;
use crate::forward::{self, Purpose, Via};
use crate::problems;
use crate::time::Timestamp;
use crate::worker::deadline::within;
use crate::worker::reply::Reply;
use crate::worker::{Edge, js};

/// Longest wait for the head of an answer. It is generous: it is there for origins
/// that hang, not for slow reports. A body may take as long as it likes.
pub(super) const RESPONSE_DEADLINE: Duration = Duration::from_secs(30);

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
    /// How far the view had read when the request was sent; `None` without a view.
    pub(super) fence: Option<Known>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The runtime refuses to send such a request.
    NotForwardable,
    /// No connection, or it broke before the answer.
    NoOrigin,
    /// An origin took longer than [`RESPONSE_DEADLINE`].
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

/// Sends the request to the origin whose turn it is. If the connection fails, a
/// safe request goes to the next one; another could be carried out twice.
pub(super) async fn exchange<'a>(
    edge: &Edge<'a>,
    path_and_query: &str,
    purpose: Purpose<'_>,
) -> Result<Answer<'a>, Unanswered> {
    let (isolate, origins, request) = (edge.isolate, &edge.config.origins, edge.request);
    let body = if request.is_read() { None } else { request.js.body() };

    let mut candidates: Vec<usize> = (0..origins.len()).collect();
    loop {
        let picked = isolate.turns.borrow_mut().pick(&candidates).ok_or(Unanswered::NoOrigin)?;
        let origin = &origins[picked];
        let fields = presented(edge, purpose);
        let url = format!("{}{path_and_query}", origin.url);
        let controller = AbortController::new().map_err(|_| Unanswered::NotForwardable)?;
        let outgoing =
            outgoing(&url, &request.method, &fields, body.as_ref(), &controller).map_err(|error| {
                worker::console_warn!("request {} not forwarded: {}", request.id, js::message(&error));
                Unanswered::NotForwardable
            })?;

        // Anew for each attempt, as is the fence: the view may have moved on.
        let (request_time, fence) = (js::now(), isolate.control.fence());
        let waiting = Waiting::begin(&isolate.in_flight, picked, request_time);
        let outcome = within(RESPONSE_DEADLINE, send(&outgoing)).await;
        drop(waiting);
        match outcome {
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
                return Ok(Answer {
                    origin,
                    status,
                    fields: js::read_fields(&response.headers()),
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
                if !request.is_safe() || body.is_some() {
                    return Err(Unanswered::NoOrigin);
                }
                candidates.retain(|candidate| *candidate != picked);
            }
            None => {
                worker::console_warn!(
                    "request {}: origin {} gave no answer within {} s",
                    request.id,
                    origin.id,
                    RESPONSE_DEADLINE.as_secs()
                );
                controller.abort();
                return Err(Unanswered::Timeout);
            }
        }
    }
}

/// The fields of the request as an origin gets it.
pub(super) fn presented(edge: &Edge<'_>, purpose: Purpose<'_>) -> Fields {
    let request = edge.request;
    let via = Via {
        client_address: request.fields.get("cf-connecting-ip"),
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
    body: Option<&web_sys::ReadableStream>,
    controller: &AbortController,
) -> Result<Request, JsValue> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers(&js::write_fields(fields)?.into());
    init.set_body_opt_readable_stream(body);
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
    in_flight: &'a RefCell<InFlight>,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn begin(in_flight: &'a RefCell<InFlight>, origin: usize, now: Timestamp) -> Self {
        let ticket = in_flight.borrow_mut().begin(origin, now);
        Self { in_flight, ticket }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.in_flight.borrow_mut().end(self.ticket);
    }
}
