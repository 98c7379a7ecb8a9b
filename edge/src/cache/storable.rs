//! May a response be stored? RFC 9111, section 3, and this cache's own caution:
//! only what a response plainly allows is stored, and nothing that may be private.

use std::time::Duration;

use crate::cache::directives::{Directives, Policy};
use crate::cache::freshness;
use crate::cache::privacy::Privacy;
use crate::cache::vary;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Largest body that is stored. Larger ones are rare among the answers of an API,
/// and a fill holds its body in the isolate's memory of 128 MB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Final status codes that this cache understands (RFC 9111, section 3). Errors of
/// the server are left out even where they claim freshness: a failure that passes
/// must not outlive itself.
const STATUSES: [u16; 15] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501];

/// One exchange with an origin.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// The client's fields.
    pub request: &'a Fields,
    /// What marks the request as one person's.
    pub privacy: Privacy,
    /// Status of the response.
    pub status: u16,
    /// The origin's fields.
    pub response: &'a Fields,
    /// When the request was sent.
    pub request_time: Timestamp,
    /// When the response's head arrived.
    pub response_time: Timestamp,
}

/// What is to be known about a response that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storable {
    /// Its freshness lifetime.
    pub lifetime: Duration,
    /// Its age at the response time.
    pub initial_age: Duration,
    /// Whether it says that it is for everyone, private requests included.
    pub shared: bool,
}

/// Why a response isn't stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unstored {
    /// The method was not GET.
    Method,
    /// The client asked for `no-store`.
    RequestNoStore,
    /// It is a part of the whole.
    Partial,
    /// Its status is none that is stored.
    Status,
    /// It says `no-store`.
    NoStore,
    /// It says `private`.
    Private,
    /// It says `no-cache`, so it could never be used unasked.
    NoCache,
    /// It sets a cookie.
    SetCookie,
    /// The request had an `Authorization`, and the response isn't `public`.
    Authorization,
    /// The request had a private cookie, and the response isn't `public`.
    PrivateCookie,
    /// It has variants that this cache doesn't tell apart.
    Vary,
    /// It has a content coding that the runtime doesn't undo.
    Encoding,
    /// It doesn't say how long it is fresh.
    NoFreshness,
    /// It arrived stale.
    Stale,
    /// Its body is longer than [`BODY_BYTES_MAX`].
    TooLarge,
}

impl Unstored {
    /// The reason's name, a token fit for `Cache-Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestNoStore => "request-no-store",
            Self::Partial => "partial",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::NoCache => "no-cache",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::PrivateCookie => "private-cookie",
            Self::Vary => "vary",
            Self::Encoding => "encoding",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
            Self::TooLarge => "too-large",
        }
    }
}

/// The one decision on storing. A body without `Content-Length` may still turn out
/// too large.
pub fn storable(exchange: &Exchange<'_>) -> Result<Storable, Unstored> {
    let Exchange { request, response, .. } = exchange;
    let policy = Policy::of(response);
    let Directives { no_store, no_cache, private, .. } = policy.directives;
    let shared = policy.directives.public || policy.directives.s_maxage.is_some();
    let asked = Directives::cache_control(request.get("cache-control").unwrap_or_default());

    let reasons = [
        (exchange.method != "GET", Unstored::Method),
        (asked.no_store, Unstored::RequestNoStore),
        (exchange.status == 206, Unstored::Partial),
        (!STATUSES.contains(&exchange.status), Unstored::Status),
        (no_store, Unstored::NoStore),
        (private, Unstored::Private),
        (no_cache, Unstored::NoCache),
        (response.contains("set-cookie"), Unstored::SetCookie),
        (exchange.privacy == Privacy::Authorization && !shared, Unstored::Authorization),
        (exchange.privacy == Privacy::PrivateCookie && !shared, Unstored::PrivateCookie),
        (!vary::has_one_variant(response), Unstored::Vary),
        (!is_decodable(response), Unstored::Encoding),
    ];
    if let Some((_, reason)) = reasons.into_iter().find(|(holds, _)| *holds) {
        return Err(reason);
    }

    let lifetime =
        freshness::lifetime(&policy, response, exchange.response_time).ok_or(Unstored::NoFreshness)?;
    let initial_age = freshness::initial_age(response, exchange.request_time, exchange.response_time);
    if initial_age >= lifetime {
        return Err(Unstored::Stale);
    }
    if content_length(response).is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Unstored::TooLarge);
    }
    Ok(Storable { lifetime, initial_age, shared })
}

/// The body's length as announced; with a content coding, that of the coded form.
pub fn content_length(response: &Fields) -> Option<usize> {
    response.get("content-length")?.trim().parse().ok()
}

/// Whether the body can be had without its content coding: the runtime undoes
/// these two by itself when a body is read.
fn is_decodable(response: &Fields) -> bool {
    match response.get("content-encoding").map(str::trim) {
        None | Some("") => true,
        Some(coding) => ["gzip", "br", "identity"].iter().any(|known| coding.eq_ignore_ascii_case(known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    /// The decision in words, for messages written as `head line, then fields`.
    fn decide(request: &str, response: &str) -> String {
        let (method, request) = head(request);
        let (status, response) = head(response);
        let exchange = Exchange {
            method,
            request: &request,
            privacy: Privacy::of(&request, &["session".to_owned()]),
            status: status.parse().unwrap(),
            response: &response,
            request_time: NOW,
            response_time: NOW,
        };
        match storable(&exchange) {
            Ok(Storable { lifetime, shared, .. }) => {
                format!("{} s{}", lifetime.as_secs(), if shared { ", shared" } else { "" })
            }
            Err(reason) => reason.as_str().to_owned(),
        }
    }

    fn head(message: &str) -> (&str, Fields) {
        let (first, fields) = message.split_once('\n').unwrap_or((message, ""));
        let mut parsed = Fields::default();
        for line in fields.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            parsed.set(&name.to_ascii_lowercase(), value);
        }
        (first, parsed)
    }

    fn check(request: &str, response: &str, expected: &str) {
        assert_eq!(decide(request, response), expected, "{request} -> {response}");
    }

    #[test]
    fn explicit_freshness_is_stored() {
        check("GET", "200\nCache-Control: max-age=60", "60 s");
        check("GET", "200\nCache-Control: s-maxage=60", "60 s, shared");
        check("GET", "200\nCache-Control: no-cache\nCDN-Cache-Control: public, max-age=300", "300 s, shared");
        check("GET", "200\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", "60 s");
        check("GET", "404\nCache-Control: max-age=5", "5 s");
        check("GET", "204\nCache-Control: max-age=5", "5 s");
    }

    #[test]
    fn without_explicit_freshness_nothing_is_stored() {
        check("GET", "200", "no-freshness");
        check("GET", "200\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT", "no-freshness");
        check("GET", "200\nCache-Control: public", "no-freshness");
    }

    #[test]
    fn what_arrives_stale_is_not_stored() {
        check("GET", "200\nCache-Control: max-age=0", "stale");
        check("GET", "200\nCache-Control: max-age=60\nAge: 60", "stale");
        check("GET", "200\nExpires: 0", "stale");
    }

    #[test]
    fn only_gets_are_stored() {
        for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            check(method, "200\nCache-Control: max-age=60", "method");
        }
    }

    #[test]
    fn errors_of_the_server_and_parts_are_not_stored() {
        for status in [500, 502, 503, 504, 429, 401, 403, 304] {
            check("GET", &format!("{status}\nCache-Control: max-age=60"), "status");
        }
        check("GET", "206\nCache-Control: max-age=60", "partial");
    }

    #[test]
    fn prohibitions_of_either_side_hold() {
        check("GET\nCache-Control: no-store", "200\nCache-Control: max-age=60", "request-no-store");
        check("GET", "200\nCache-Control: max-age=60, No-Store", "no-store");
        check("GET", "200\nCache-Control: max-age=60, private", "private");
        check("GET", "200\nCache-Control: max-age=60, private=\"x\"", "private");
        check("GET", "200\nCache-Control: max-age=60, no-cache", "no-cache");
        check("GET", "200\nCache-Control: max-age=60\nCDN-Cache-Control: no-store", "no-store");
        check("GET", "200\nCache-Control: public, max-age=60\nSet-Cookie: a=1", "set-cookie");
    }

    #[test]
    fn an_answer_to_a_private_request_must_say_that_it_is_for_everyone() {
        for (field, reason) in
            [("Authorization: Bearer x", "authorization"), ("Cookie: session=1", "private-cookie")]
        {
            let request = format!("GET\n{field}");
            check(&request, "200\nCache-Control: max-age=60", reason);
            check(&request, "200\nCache-Control: must-revalidate, max-age=60", reason);
            check(&request, "200\nCache-Control: public, max-age=60", "60 s, shared");
            check(&request, "200\nCDN-Cache-Control: s-maxage=60", "60 s, shared");
            check(&request, "200\nCache-Control: public\nCDN-Cache-Control: max-age=60", reason);
        }
        check("GET\nCookie: theme=dark", "200\nCache-Control: max-age=60", "60 s");
    }

    #[test]
    fn variants_and_unknown_codings_are_not_stored() {
        check("GET", "200\nCache-Control: max-age=60\nVary: Accept-Encoding", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nVary: Accept-Language", "vary");
        check("GET", "200\nCache-Control: max-age=60\nVary: *", "vary");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: gzip", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: zstd", "encoding");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: gzip, br", "encoding");
    }

    #[test]
    fn a_body_beyond_the_bound_is_not_stored() {
        check("GET", "200\nCache-Control: max-age=60\nContent-Length: 1048576", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nContent-Length: 1048577", "too-large");
    }
}
