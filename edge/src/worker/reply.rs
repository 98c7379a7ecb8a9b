//! What the client gets.

use js_sys::{Reflect, Uint8Array};
use tidewall_api::headers::{CACHE_STATUS, X_REQUEST_ID};
use tidewall_api::problem::{CONTENT_TYPE, Problem};
use tidewall_api::range::{Part, content_range};
use wasm_bindgen::JsValue;
use web_sys::{ReadableStream, Response, ResponseInit};

use crate::cache::precondition::{self, From};
use crate::cache::range;
use crate::fields::Fields;
use crate::problems;
use crate::timing::Timings;
use crate::worker::incoming::Incoming;
use crate::worker::js;

/// Statuses whose responses have no body, as the Fetch Standard lists them; with
/// one the runtime refuses to make the response.
pub(super) const NULL_BODY_STATUSES: [u16; 5] = [101, 103, 204, 205, 304];

/// An answer before it is a JavaScript object.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) body: Body,
}

/// Its body.
pub(super) enum Body {
    Empty,
    Text(String),
    Bytes(Uint8Array),
    /// Handed on by the runtime without a look at it.
    Stream(ReadableStream),
    /// Likewise, as it has the content coding already that its fields tell.
    Encoded(ReadableStream),
    /// The whole response is handed on: it changes the protocol.
    Upgrade(Response),
}

impl Reply {
    /// An error of the edge's own. None may be kept by anybody.
    pub(super) fn problem(mut problem: Problem, request_id: &str) -> Self {
        problem.request_id = Some(request_id.to_owned());
        let mut fields = Fields::default();
        fields.set("content-type", CONTENT_TYPE);
        fields.set("cache-control", "no-store");
        // A problem is strings and numbers, which can always be written.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.status, fields, body: Body::Text(body) }
    }

    /// As much of the answer as the client asks for: nothing where it has it already
    /// (RFC 9110, section 13), or a part where all of it is at hand (section 14).
    pub(super) fn evaluated(self, request: &Incoming, from: From) -> Self {
        if precondition::is_not_modified(&request.fields, self.status, &self.fields, from) {
            self.body.discard();
            return Self { status: 304, fields: precondition::not_modified(self.fields), body: Body::Empty };
        }
        let Body::Bytes(bytes) = &self.body else { return self };
        if self.status != 200 || request.method != "GET" {
            return self;
        }
        let length = u64::from(bytes.length());
        match range::part(&request.fields, &self.fields, length) {
            Part::Whole => self,
            Part::Bytes(part) => {
                // Within the body, whose length is one of JavaScript's.
                let body = bytes.subarray(part.start as u32, part.end as u32);
                let mut fields = self.fields;
                // Of the whole's bytes (RFC 9530, section 2).
                fields.remove("content-digest");
                fields.set("content-range", content_range(Some(&part), length));
                fields.set("content-length", (part.end - part.start).to_string());
                Self { status: 206, fields, body: Body::Bytes(body) }
            }
            Part::Unsatisfiable => {
                let mut reply = Self::problem(problems::range_not_satisfiable(length), &request.id);
                reply.fields.set("content-range", content_range(None, length));
                if let Some(status) = self.fields.get(CACHE_STATUS) {
                    reply.fields.set(CACHE_STATUS, status);
                }
                reply
            }
        }
    }

    /// Makes the response. The runtime may refuse, for instance a status beyond 599.
    pub(super) fn into_response(
        mut self,
        request: &Incoming,
        timings: &Timings,
    ) -> Result<Response, JsValue> {
        if let Body::Upgrade(response) = self.body {
            return Ok(response);
        }
        self.fields.set(X_REQUEST_ID, &*request.id);
        timings.append_to(&mut self.fields);
        let has_no_body = NULL_BODY_STATUSES.contains(&self.status);
        if has_no_body {
            // RFC 9110, section 8.6: not even a length of zero.
            self.fields.remove("content-length");
        }
        if has_no_body || request.is_head() {
            self.body.discard();
            self.body = Body::Empty;
        }

        let init = ResponseInit::new();
        init.set_status(self.status);
        init.set_headers(&js::write_fields(&self.fields)?.into());
        match &self.body {
            Body::Text(text) => Response::new_with_opt_str_and_init(Some(text), &init),
            Body::Bytes(bytes) => Response::new_with_opt_js_u8_array_and_init(Some(bytes), &init),
            Body::Stream(stream) => Response::new_with_opt_readable_stream_and_init(Some(stream), &init),
            Body::Encoded(stream) => {
                // Else the runtime would encode it once more. Its type here knows nothing of it.
                Reflect::set(&init, &"encodeBody".into(), &"manual".into())?;
                Response::new_with_opt_readable_stream_and_init(Some(stream), &init)
            }
            Body::Empty | Body::Upgrade(_) => Response::new_with_opt_str_and_init(None, &init),
        }
    }
}

impl Body {
    /// The body of an origin's response.
    pub(super) fn of(response: &Response) -> Self {
        response.body().map_or(Self::Empty, Self::Stream)
    }

    /// Tells the origin to stop sending what nobody will read.
    pub(super) fn discard(&self) {
        if let Self::Stream(stream) | Self::Encoded(stream) = self {
            // Whether that works makes no difference to the answer.
            let _ = stream.cancel();
        }
    }
}
