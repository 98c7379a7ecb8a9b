//! The edge's own interface, `/_tidewall/*`.

use wasm_bindgen::JsValue;

use crate::authorization::bears;
use crate::fields::Fields;
use crate::problems;
use crate::status::{OriginState, OriginStatus, Status};
use crate::worker::reply::{Body, Reply};
use crate::worker::{Edge, js};

/// What may be asked of the status.
const ALLOW: &str = "GET, HEAD";

/// The edge's state, for the bearer of the purge token. Without a token it isn't there.
pub(super) fn status(edge: &Edge<'_>) -> Result<Reply, JsValue> {
    let request = edge.request;
    let Some(token) = &edge.config.purge_token else {
        return Ok(Reply::problem(problems::not_found(), &request.id));
    };
    if !bears(request.fields.get("authorization"), token) {
        let mut reply = Reply::problem(problems::unauthorized(), &request.id);
        reply.fields.set("www-authenticate", "Bearer");
        return Ok(reply);
    }
    if !request.is_read() {
        let mut reply = Reply::problem(problems::method_not_allowed(ALLOW), &request.id);
        reply.fields.set("allow", ALLOW);
        return Ok(reply);
    }

    let mut in_flight = edge.isolate.in_flight.borrow_mut();
    let now = js::now();
    let origins = edge.config.origins.iter().enumerate().map(|(index, origin)| OriginStatus {
        id: &origin.id,
        url: &origin.url,
        state: OriginState::Up,
        in_flight: in_flight.count(index, now),
    });
    let status = Status { seq: 0, origins: origins.collect(), cache: &edge.isolate.counters.borrow() };
    let body = serde_json::to_string(&status).map_err(|error| error.to_string())?;
    let mut fields = Fields::default();
    fields.set("content-type", "application/json");
    fields.set("cache-control", "no-store");
    Ok(Reply { status: 200, fields, body: Body::Text(body) })
}
