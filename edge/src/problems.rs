//! The edge's own errors, as problem details (RFC 9457). Anything that could tell
//! how the edge is built goes to its log instead.

use std::collections::BTreeMap;

use tidewall_api::problem::Problem;
pub use tidewall_api::problem::{method_not_allowed, not_found, range_not_satisfiable};

/// The purge token is missing or wrong.
pub fn unauthorized() -> Problem {
    let detail = "Send the purge token as `Authorization: Bearer <token>`.";
    Problem::new(401, "unauthorized", "Unauthorized", detail)
}

/// Too many requests of this client were refused.
pub fn too_many_refused() -> Problem {
    let detail = "Too many requests without the right token came from this address. Try again in a second.";
    Problem::new(429, "rate-limited", "Too many requests", detail)
}

/// Too many purges came.
pub fn too_many_purges() -> Problem {
    let detail = "Too many purges came at once. Try again soon, and name more in each.";
    Problem::new(429, "rate-limited", "Too many requests", detail)
}

/// The address that is asked for is none.
pub fn bad_target() -> Problem {
    let detail = "The host or the path of the request can't be part of an address.";
    Problem::new(400, "bad-target", "Bad request", detail)
}

/// A body that is longer than it may be.
pub fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("The body is longer than {bytes_max} bytes.");
    Problem::new(413, "too-large", "Content too large", detail)
}

/// A body whose end doesn't come.
pub fn slow_request() -> Problem {
    let detail = "The body did not arrive in time. Send the request again.";
    Problem::new(408, "request-timeout", "Request timeout", detail)
}

/// A body that is no JSON.
pub fn bad_json(error: &str) -> Problem {
    Problem::new(400, "bad-json", "Bad JSON", format!("The body can't be read as JSON: {error}."))
}

/// A body with something in it that can't be meant.
pub fn invalid(errors: BTreeMap<String, String>) -> Problem {
    let detail = "The body has fields that can't be used; `errors` names them.";
    Problem { errors, ..Problem::new(422, "invalid", "Invalid body", detail) }
}

/// A query with something in it that can't be meant.
pub fn invalid_query(errors: BTreeMap<String, String>) -> Problem {
    let detail = "The query has parameters that can't be used; `errors` names them.";
    Problem { errors, ..Problem::new(422, "invalid", "Invalid query", detail) }
}

/// The control log can't be written.
pub fn not_logged() -> Problem {
    let detail = "The control log is out of reach, so nothing is sure to be purged. Try again soon.";
    Problem::new(503, "not-logged", "Service unavailable", detail)
}

/// The request can't be sent to an origin in this form.
pub fn not_forwardable() -> Problem {
    let detail = "The edge can't forward a request with this method or these fields.";
    Problem::new(501, "not-forwardable", "Not implemented", detail)
}

/// The edge failed.
pub fn internal() -> Problem {
    let detail = "The edge could not answer; its log says why. Trying again may help.";
    Problem::new(500, "internal", "Internal error", detail)
}

/// Whether an asset of an earlier build is kept can't be found out.
pub fn asset_out_of_reach() -> Problem {
    let detail = "This file is of an earlier version of the site, which is out of reach. Try again soon.";
    Problem::new(503, "asset-out-of-reach", "Service unavailable", detail)
}

/// An origin broke off its answer.
pub fn bad_gateway() -> Problem {
    let detail = "The server broke off its answer. Trying again may help.";
    Problem::new(502, "bad-gateway", "Bad gateway", detail)
}

/// An origin's answer is none that could be handed on.
pub fn bad_answer() -> Problem {
    let detail = "The server's answer has a status that can't be handed on.";
    Problem::new(502, "bad-gateway", "Bad gateway", detail)
}

/// No origin could be reached.
pub fn no_origin(is_safe: bool) -> Problem {
    let detail = if is_safe {
        "No server can be reached. Try again soon."
    } else {
        "The server could not be reached, or the connection broke; it may have carried out the request all the same."
    };
    Problem::new(503, "no-origin", "Service unavailable", detail)
}

/// The client wanted a stored answer or none.
pub fn not_cached() -> Problem {
    let detail = "There is no stored answer that may be used, and the request asks for no other.";
    Problem::new(504, "not-cached", "Not cached", detail)
}

/// An origin didn't answer in time.
pub fn origin_timeout() -> Problem {
    let detail = "The server took too long to answer. Try again later.";
    Problem::new(504, "origin-timeout", "Gateway timeout", detail)
}
