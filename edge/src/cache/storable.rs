//! May a response be stored? RFC 9111, section 3, and this cache's own caution:
//! only what a response plainly allows is stored, and nothing that may be private.

use std::time::Duration;

use crate::cache::directives::Policy;
use crate::cache::flight::Outcome;
use crate::cache::freshness::{self, Lifetime};
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::terms::Terms;
use crate::cache::vary::{self, Unhandled};
use crate::cache::{age, groups, validation};
use crate::fields::Fields;
use crate::forward::DECODABLE;
use crate::time::Timestamp;

/// Largest body that is stored. Larger ones are rare among the answers of an API,
/// and a fill holds its body in the isolate's memory of 128 MB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Longest wait for the end of a body that is to be stored, from the arrival of its
/// head. It is what a client loses on a slow answer before it gets the first byte, so it
/// is short; the answers of an API, which are what is stored, are there long before.
pub const BODY_WAIT_MAX: Duration = Duration::from_secs(1);

/// Media types whose bodies are made while they are read, and may never end.
const STREAMS: [&str; 2] = ["text/event-stream", "multipart/x-mixed-replace"];

/// Final status codes that this cache understands (RFC 9111, section 3). Errors of
/// the server are left out even where they claim freshness: a failure that passes
/// must not outlive itself.
const STATUSES: [u16; 15] = [200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501];

/// One exchange with an origin.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// What the client wants.
    pub asked: RequestDirectives,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storable {
    /// On which terms it may be used.
    pub terms: Terms,
    /// Its age at the response time.
    pub initial_age: Duration,
    /// The request fields that select it among its variants.
    pub selecting: Vec<String>,
    /// Its cache groups.
    pub groups: Vec<String>,
    /// Fields that are not stored with it: those that `no-cache` and `private` name
    /// (RFC 9111, section 3.1).
    pub omitted: Vec<String>,
}

/// Why a response isn't stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unstored {
    /// The method was not GET.
    Method,
    /// The client asked for `no-store`.
    RequestNoStore,
    /// It is a part of the whole, or what was asked for was one.
    Partial,
    /// Its status is none that is stored.
    Status,
    /// It says `no-store`.
    NoStore,
    /// It says `private`.
    Private,
    /// It says `no-cache`, and has no validator by which it could ever be used.
    NoCache,
    /// It sets a cookie.
    SetCookie,
    /// The request had an `Authorization`, and the response isn't `public`.
    Authorization,
    /// The request had a private field, and the response isn't `public`.
    PrivateField,
    /// The request had a private cookie, and the response isn't `public`.
    PrivateCookie,
    /// The request had some other cookie, and the response doesn't plainly say that
    /// it may be stored.
    Cookie,
    /// It has variants that this cache doesn't tell apart.
    Vary(Unhandled),
    /// Its cache groups can't be read, so nobody could take it back.
    Groups,
    /// The edge has never heard from the control log, so it can't tell how old it is.
    NoView,
    /// It was invalidated while it was on its way.
    Invalidated,
    /// It is the answer to a write that another may have crossed.
    Crossed,
    /// It is a stream: by its type, or because it says that it isn't to be held up.
    Stream,
    /// It has a content coding that the runtime doesn't undo.
    Encoding,
    /// It has a content coding that must not be undone.
    NoTransform,
    /// It doesn't say how long it is fresh, nor when it last changed.
    NoFreshness,
    /// It arrived stale, and has no validator by which it could be used.
    Stale,
    /// Its body is longer than [`BODY_BYTES_MAX`].
    TooLarge,
    /// Its body takes longer than [`BODY_WAIT_MAX`].
    Slow,
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
            Self::PrivateField => "private-field",
            Self::PrivateCookie => "private-cookie",
            Self::Cookie => "cookie",
            Self::Vary(unhandled) => unhandled.as_str(),
            Self::Groups => "groups",
            Self::NoView => "no-view",
            Self::Invalidated => "invalidated",
            Self::Crossed => "crossed",
            Self::Stream => "stream",
            Self::Encoding => "encoding",
            Self::NoTransform => "no-transform",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
            Self::TooLarge => "too-large",
            Self::Slow => "slow",
        }
    }

    /// What it means to others who wait for the same: whether they are to ask one by one,
    /// as the next answer may be better, or each for itself.
    pub fn outcome(self, status: u16) -> Outcome {
        use Unstored::{Crossed, Invalidated, Method, NoView, Partial, RequestNoStore};
        // These a single request can bring about, by what it says or how often it comes.
        let is_of_one = matches!(status, 400 | 405..=408 | 411..=417 | 421 | 422 | 425..=431);
        match self {
            Invalidated | NoView | Crossed | Method | RequestNoStore | Partial => Outcome::Failed,
            _ if is_of_one || status >= 500 => Outcome::Failed,
            _ => Outcome::Unstorable,
        }
    }

    /// Whether a response that isn't stored takes the place of what was stored before
    /// all the same: it is the answer to the question, and the reason lies in it and
    /// not in who asked, nor in the moment.
    pub fn supersedes(self, status: u16) -> bool {
        use Unstored::{
            Authorization, Cookie, Crossed, Invalidated, Method, NoView, PrivateCookie, PrivateField,
            RequestNoStore, Slow,
        };
        let is_answer = matches!(status, 200..=205 | 300..=303 | 307 | 308 | 404 | 410);
        let is_askers =
            matches!(self, Method | RequestNoStore | Authorization | PrivateField | PrivateCookie | Cookie);
        let is_moments = matches!(self, Slow | NoView | Invalidated | Crossed);
        is_answer && !is_askers && !is_moments
    }
}

/// The one decision on storing. A body may still turn out too large or too slow.
pub fn storable(exchange: &Exchange<'_>) -> Result<Storable, Unstored> {
    let Exchange { asked, response, privacy, status, .. } = *exchange;
    let policy = Policy::of(response);
    let directives = &policy.directives;
    let shared = directives.public || directives.s_maxage.is_some();
    // Statuses in `STATUSES` are understood (RFC 9111, section 5.2.2.3).
    let no_store = directives.no_store && !directives.must_understand;
    let selecting = vary::selecting(response);

    let reasons = [
        (exchange.method != "GET", Unstored::Method),
        (asked.no_store, Unstored::RequestNoStore),
        (status == 206 || response.contains("content-range"), Unstored::Partial),
        (!STATUSES.contains(&status), Unstored::Status),
        (no_store, Unstored::NoStore),
        (directives.private.is_response(), Unstored::Private),
        (response.contains("set-cookie"), Unstored::SetCookie),
        (privacy == Privacy::Authorization && !shared, Unstored::Authorization),
        (privacy == Privacy::PrivateField && !shared, Unstored::PrivateField),
        (privacy == Privacy::PrivateCookie && !shared, Unstored::PrivateCookie),
        (is_stream(response), Unstored::Stream),
        (!is_decodable(response), Unstored::Encoding),
        (directives.no_transform && is_coded(response), Unstored::NoTransform),
    ];
    if let Some((_, reason)) = reasons.into_iter().find(|(holds, _)| *holds) {
        return Err(reason);
    }
    let selecting = selecting.map_err(Unstored::Vary)?;
    let groups = groups::of_response(response).map_err(|_| Unstored::Groups)?;

    let lifetime = freshness::lifetime(&policy, status, response, exchange.response_time);
    let is_no_cache = directives.no_cache.is_response();
    let lifetime = match lifetime {
        Some(lifetime) => lifetime,
        None if is_no_cache => Lifetime::Explicit(Duration::ZERO),
        None => return Err(Unstored::NoFreshness),
    };
    let terms = Terms::new(directives, lifetime);
    let initial_age = age::initial_age(response, exchange.request_time, exchange.response_time);
    let can_be_validated = validation::conditions(response).is_some();
    if initial_age >= terms.useful_until_age(can_be_validated) {
        return Err(if is_no_cache { Unstored::NoCache } else { Unstored::Stale });
    }
    let is_plainly_allowed = shared || (!terms.heuristic && !is_no_cache && initial_age < terms.lifetime());
    if privacy == Privacy::Cookie && !is_plainly_allowed {
        return Err(Unstored::Cookie);
    }
    if content_length(response).is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Unstored::TooLarge);
    }
    let omitted = [directives.no_cache.fields(), directives.private.fields()].concat();
    Ok(Storable { terms, initial_age, selecting, groups, omitted })
}

/// The body's length as announced; with a content coding, that of the coded form. One that is
/// beyond what can be counted is as long as can be: not one that isn't told.
pub fn content_length(message: &Fields) -> Option<usize> {
    let length = message.get("content-length")?.trim();
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| length.parse().unwrap_or(usize::MAX))
}

/// Whether the body is to be handed on as it comes, not held until it ends: by its
/// type, or by nginx's `X-Accel-Buffering`, with which servers say so to a proxy.
fn is_stream(response: &Fields) -> bool {
    let content_type = response.get("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    STREAMS.iter().any(|stream| media_type.eq_ignore_ascii_case(stream))
        || response.get("x-accel-buffering").is_some_and(|value| value.trim().eq_ignore_ascii_case("no"))
}

/// Whether the body can be had without its content coding: the runtime undoes
/// these two by itself when a body is read.
fn is_decodable(response: &Fields) -> bool {
    match response.get("content-encoding").map(str::trim) {
        None | Some("") => true,
        Some(coding) => {
            let is = |known: &str| coding.eq_ignore_ascii_case(known);
            is("identity") || DECODABLE.into_iter().any(is)
        }
    }
}

/// Whether the body has a content coding.
pub fn is_coded(response: &Fields) -> bool {
    let coding = response.get("content-encoding").map(str::trim).unwrap_or_default();
    !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::privacy::PrivateNames;
    use crate::cache::request::ClientCacheControl;
    use crate::cache::terms::Reuse;
    use crate::fields::closes_quotes;

    const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

    fn private() -> PrivateNames {
        PrivateNames { fields: vec!["x-api-key".to_owned()], cookies: vec!["session".to_owned()] }
    }

    /// The decision in words, for messages written as `head line, then fields`.
    fn decide(request: &str, response: &str) -> String {
        let (method, request) = head(request);
        let (status, response) = head(response);
        let exchange = Exchange {
            method,
            asked: RequestDirectives::of(&request, ClientCacheControl::Obey),
            privacy: Privacy::of(&request, &private()),
            status: status.parse().unwrap(),
            response: &response,
            request_time: NOW,
            response_time: NOW,
        };
        match storable(&exchange) {
            Ok(Storable { terms, selecting, omitted, .. }) => {
                let mut words = format!("{} s", terms.lifetime().as_secs());
                if terms.heuristic {
                    words.push_str(", guessed");
                }
                if terms.shared {
                    words.push_str(", shared");
                }
                for name in selecting {
                    words.push_str(&format!(", by {name}"));
                }
                for name in omitted {
                    words.push_str(&format!(", less {name}"));
                }
                if terms.reuse == Reuse::Validated {
                    words.push_str(", asked each time");
                }
                words
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
    fn without_freshness_nothing_is_stored() {
        check("GET", "200", "no-freshness");
        check("GET", "200\nETag: \"a\"", "no-freshness");
        check("GET", "200\nCache-Control: public", "no-freshness");
        check("GET", "302\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", "no-freshness");
    }

    #[test]
    fn freshness_may_be_guessed() {
        check("GET", "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", "60 s, guessed");
        check("GET", "404\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", "60 s, guessed");
        let targeted = "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nCDN-Cache-Control";
        check("GET", &format!("{targeted}: public"), "no-freshness");
        check("GET", &format!("{targeted}: no-cache"), "0 s, asked each time");
    }

    #[test]
    fn a_guess_is_not_good_enough_for_someone_with_a_cookie() {
        let modified = "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT";
        check("GET\nCookie: theme=dark", modified, "cookie");
        check(
            "GET\nCookie: theme=dark",
            &format!("{modified}\nCache-Control: public"),
            "60 s, guessed, shared",
        );
        check("GET\nCookie: theme=dark", "200\nCache-Control: no-cache\nETag: \"a\"", "cookie");
        check("GET\nCookie: theme=dark", "200\nCache-Control: max-age=0\nETag: \"a\"", "cookie");
    }

    #[test]
    fn what_arrives_stale_is_stored_only_where_it_can_be_used() {
        check("GET", "200\nCache-Control: max-age=0", "stale");
        check("GET", "200\nCache-Control: max-age=60\nAge: 60", "stale");
        check("GET", "200\nExpires: 0", "stale");
        check("GET", "200\nCache-Control: max-age=0\nETag: \"a\"", "0 s");
        check("GET", "200\nExpires: 0\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT", "0 s");
        check("GET", "200\nCache-Control: max-age=60, stale-if-error=9\nAge: 60", "60 s");
        check("GET", "200\nCache-Control: no-cache\nETag: \"a\"", "0 s, asked each time");
        check("GET", "200\nCache-Control: no-cache, stale-if-error=9", "no-cache");
    }

    #[test]
    fn fields_that_are_named_are_not_stored_with_the_rest() {
        check("GET", "200\nCache-Control: max-age=60, private=\"X-User\"", "60 s, less x-user");
        check("GET", "200\nCache-Control: max-age=60, no-cache=\"X-A, X-B\"", "60 s, less x-a, less x-b");
        // Without these it would be another response.
        let named = "200\nETag: \"a\"\nVary: Origin\nCache-Control: max-age=60";
        check("GET", &format!("{named}, private=\"Vary\""), "private");
        check("GET", &format!("{named}, private=\"X-User, etag\""), "private");
        check("GET", &format!("{named}, no-cache=\"Vary\""), "60 s, by origin, asked each time");
        check("GET", "200\nCache-Control: max-age=60, no-cache=\"Vary\"", "no-cache");
        // Not even so: whoever is given a cookie is known to the origin.
        check(
            "GET",
            "200\nCache-Control: max-age=60, no-cache=\"Set-Cookie\"\nSet-Cookie: a=1",
            "set-cookie",
        );
    }

    #[test]
    fn must_understand_goes_before_no_store_where_the_status_is_understood() {
        check("GET", "200\nCache-Control: max-age=60, must-understand, no-store", "60 s");
        check("GET", "299\nCache-Control: max-age=60, must-understand, no-store", "status");
        check("GET", "299\nCache-Control: max-age=60", "status");
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
        check("GET", "200\nCache-Control: max-age=60, private=\"\"", "private");
        check("GET", "200\nCache-Control: max-age=60, no-cache", "no-cache");
        check("GET", "206\nCache-Control: max-age=60", "partial");
        check("GET", "200\nCache-Control: max-age=60\nContent-Range: bytes 0-1/2", "partial");
        check("GET", "200\nCache-Control: max-age=60\nCDN-Cache-Control: no-store", "no-store");
        check("GET", "200\nCache-Control: public, max-age=60\nSet-Cookie: a=1", "set-cookie");
    }

    #[test]
    fn an_answer_to_a_private_request_must_say_that_it_is_for_everyone() {
        for (field, reason) in [
            ("Authorization: Bearer x", "authorization"),
            ("X-Api-Key: k", "private-field"),
            ("Cookie: session=1", "private-cookie"),
        ] {
            let request = format!("GET\n{field}");
            check(&request, "200\nCache-Control: max-age=60", reason);
            check(&request, "200\nCache-Control: must-revalidate, max-age=60", reason);
            check(&request, "200\nCache-Control: public, max-age=60", "60 s, shared");
            check(&request, "200\nCDN-Cache-Control: s-maxage=60", "60 s, shared");
            check(&request, "200\nCache-Control: public\nCDN-Cache-Control: max-age=60", reason);
            check(&request, "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", reason);
        }
        check("GET\nCookie: theme=dark", "200\nCache-Control: max-age=60", "60 s");
    }

    #[test]
    fn variants_and_unknown_codings_are_not_stored() {
        check("GET", "200\nCache-Control: max-age=60\nVary: Accept-Encoding", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nVary: Accept-Language", "60 s, by accept-language");
        check("GET", "200\nCache-Control: max-age=60\nVary: *", "vary-any");
        check("GET", "200\nCache-Control: max-age=60\nVary: Accept-Encoding, Cookie", "vary-cookie");
        // Whatever else it says: one response per person is nothing to share.
        for request in ["GET", "GET\nCookie: theme=dark", "GET\nAuthorization: x"] {
            let public = "200\nCache-Control: public, s-maxage=60\nVary";
            check(request, &format!("{public}: Cookie"), "vary-cookie");
            check(request, &format!("{public}: Authorization, Origin"), "vary-authorization");
        }
        check("GET", "200\nCache-Control: max-age=60\nVary: X-Forwarded-Host", "vary-rewritten");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: gzip", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: zstd", "encoding");
        check("GET", "200\nCache-Control: max-age=60\nContent-Encoding: gzip, br", "encoding");
        check("GET", "200\nCache-Control: max-age=60, no-transform\nContent-Encoding: br", "no-transform");
        check(
            "GET",
            "200\nCache-Control: no-transform\nCDN-Cache-Control: max-age=60\nContent-Encoding: br",
            "no-transform",
        );
        check("GET", "200\nCache-Control: max-age=60, no-transform", "60 s");
    }

    #[test]
    fn a_stream_is_not_stored_whatever_it_says() {
        for says in ["no-cache\nETag: \"a\"", "max-age=60", "public, s-maxage=60"] {
            let response = format!("200\nCache-Control: {says}");
            for stream in ["text/event-stream", "Text/Event-Stream ; charset=utf-8"] {
                check("GET", &format!("{response}\nContent-Type: {stream}"), "stream");
            }
            let mixed = "multipart/x-mixed-replace;boundary=\"b\"";
            check("GET", &format!("{response}\nContent-Type: {mixed}"), "stream");
            check("GET", &format!("{response}\nX-Accel-Buffering: No"), "stream");
        }
        let unasked = "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT\nContent-Type: text/event-stream";
        check("GET", unasked, "stream");
        check("GET", "200\nCache-Control: max-age=60\nX-Accel-Buffering: yes", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nContent-Type: text/event-streams", "60 s");
        check("GET\nAuthorization: x", &format!("{unasked}\nCache-Control: max-age=60"), "authorization");
    }

    #[test]
    fn a_body_beyond_the_bound_is_not_stored() {
        check("GET", "200\nCache-Control: max-age=60\nContent-Length: 1048576", "60 s");
        check("GET", "200\nCache-Control: max-age=60\nContent-Length: 1048577", "too-large");
    }

    #[test]
    fn only_an_answer_that_is_to_blame_takes_the_place_of_what_was_stored() {
        assert!(Unstored::NoStore.supersedes(200) && Unstored::Private.supersedes(404));
        for askers in [Unstored::Authorization, Unstored::PrivateField, Unstored::RequestNoStore] {
            assert!(!askers.supersedes(200), "{askers:?}");
        }
        assert!(Unstored::Stream.supersedes(200) && Unstored::TooLarge.supersedes(200));
        // The moment is to blame.
        assert!(!Unstored::Slow.supersedes(200));
        for status in [206, 304, 401, 403, 429, 500, 503] {
            assert!(!Unstored::Status.supersedes(status), "{status}");
        }
    }

    proptest! {
        #[test]
        fn what_is_private_is_never_stored(
            before in "[a-zA-Z0-9=,\\\\ \"-]{0,16}",
            after in "[a-zA-Z0-9=,\\\\ \"-]{0,16}",
            request in "(GET|GET\nAuthorization: x|GET\nX-Api-Key: k|GET\nCookie: session=1)",
            forbids in "(private|Private|no-store|NO-STORE)",
        ) {
            // A quotation that ends behind the directive would hold it as its text.
            prop_assume!(closes_quotes(&before));
            let response = format!("200\nCache-Control: public, max-age=60, {before},{forbids},{after}");
            prop_assert!(matches!(decide(&request, &response).as_str(), "private" | "no-store"));
            let targeted = "200\nCache-Control: public, max-age=60\nCDN-Cache-Control: max-age=60, private";
            prop_assert_eq!(decide(&request, targeted), "private");
        }

        #[test]
        fn no_response_whatever_makes_deciding_panic(
            status: u16,
            bytes: Vec<u8>,
            name in "(cache-control|cdn-cache-control|expires|date|age|vary|last-modified|etag|content-length)",
            now_ms: u64,
        ) {
            let mut response = Fields::default();
            response.set("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
            response.set(&name, String::from_utf8_lossy(&bytes));
            let now = Timestamp::from_millis(now_ms);
            let _ = storable(&Exchange {
                method: "GET",
                asked: RequestDirectives::default(),
                privacy: Privacy::Anonymous,
                status,
                response: &response,
                request_time: now,
                response_time: now,
            });
        }

        #[test]
        fn a_length_is_digits_and_one_beyond_measure_is_as_long_as_can_be(
            sign in "(\\+|-|)", digits in "[0-9]{1,30}",
        ) {
            let length = content_length(&Fields::from_lines(&format!("content-length\n{sign}{digits}")));
            let expected = digits.parse::<u128>().map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
            prop_assert_eq!(length, sign.is_empty().then_some(expected));
        }
    }
}
