//! The edge's own errors, as problem details (RFC 9457). Anything that could tell
//! how the edge is built goes to its log instead.

use tidewall_api::problem::Problem;

/// Nobody answers the path.
pub fn not_found() -> Problem {
    Problem::new(404, "not-found", "Not found", "There is nothing at this address.")
}

/// The path is there, but not for this method.
pub fn method_not_allowed(allow: &str) -> Problem {
    let detail = format!("This address answers {allow} only.");
    Problem::new(405, "method-not-allowed", "Method not allowed", detail)
}

/// The purge token is missing or wrong.
pub fn unauthorized() -> Problem {
    let detail = "Send the purge token as `Authorization: Bearer <token>`.";
    Problem::new(401, "unauthorized", "Unauthorized", detail)
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

/// An origin broke off its answer.
pub fn bad_gateway() -> Problem {
    let detail = "The server broke off its answer. Trying again may help.";
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

/// The client asked for bytes that a stored answer doesn't have.
pub fn range_not_satisfiable(length: usize) -> Problem {
    let detail = format!("The range lies beyond the end: there are {length} bytes.");
    Problem::new(416, "range-not-satisfiable", "Range not satisfiable", detail)
}

/// An origin didn't answer in time.
pub fn origin_timeout() -> Problem {
    let detail = "The server took too long to answer. Try again later.";
    Problem::new(504, "origin-timeout", "Gateway timeout", detail)
}
