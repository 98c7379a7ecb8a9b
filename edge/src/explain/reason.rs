//! Why, and what to change: for each reason that the cache's decisions name, what it
//! means in a sentence, and one sentence of advice.
//!
//! The matches name every reason: one without advice doesn't compile.

use serde::{Deserialize, Serialize};

use crate::cache::status::Forward;
use crate::cache::storable::Unstored;
use crate::cache::vary::Unhandled;
use crate::control::servable::Fenced;
use crate::control::view::Invalidated;

/// A reason in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Its name, as `Cache-Status` has it.
    pub name: String,
    /// What it means.
    pub why: String,
    /// What would change it.
    pub advice: Advice,
}

/// What to do about a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Whose it is to change.
    pub of: Side,
    /// What is to be changed: a header field, or a name in wrangler.toml.
    pub change: String,
    /// How, in one sentence.
    pub sentence: String,
}

/// Where something is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// In what the origin answers.
    Response,
    /// In what the client sends.
    Request,
    /// In the edge's own settings.
    Setting,
}

/// A row of the table.
struct Row(&'static str, Side, &'static str, &'static str);

impl Row {
    fn named(self, name: &str) -> Reason {
        let Self(why, of, change, sentence) = self;
        let advice = Advice { of, change: change.to_owned(), sentence: sentence.to_owned() };
        Reason { name: name.to_owned(), why: why.to_owned(), advice }
    }
}

/// Why an answer isn't stored.
pub fn unstored(reason: Unstored) -> Reason {
    row_of_unstored(reason).named(reason.as_str())
}

/// Why a request goes to an origin.
pub fn forward(reason: Forward) -> Reason {
    row_of_forward(reason).named(reason.detail().unwrap_or(reason.as_str()))
}

/// Why nothing is answered from the store: the client takes nothing else, and there is nothing.
pub fn only_if_cached() -> Reason {
    Row(
        "the request asks for a stored answer or none, and there is none that may be used: it is a 504",
        Side::Request,
        "Cache-Control",
        "Leave `only-if-cached` out of the request's `Cache-Control`, so that an origin is asked.",
    )
    .named("only-if-cached")
}

fn row_of_unstored(reason: Unstored) -> Row {
    use Side::{Request, Response, Setting};
    match reason {
        Unstored::Method => Row(
            "only answers to GET are stored",
            Response,
            "Cache-Group-Invalidation",
            "Read with GET; what changes something names what is out of date in `Cache-Group-Invalidation: \"group\"`.",
        ),
        Unstored::RequestNoStore => Row(
            "the request says `no-store`",
            Request,
            "Cache-Control",
            "Leave `no-store` out of the request's `Cache-Control`, or have the edge ignore it with `CLIENT_CACHE_CONTROL = \"ignore\"` in wrangler.toml.",
        ),
        Unstored::Partial => Row(
            "it is a part of the whole, or a part was asked for",
            Response,
            "Content-Range",
            "Ask once without `Range`, and answer that with a 200 that has no `Content-Range`: parts are cut out of the stored whole.",
        ),
        Unstored::Status => Row(
            "its status is none that is stored: what fails for a moment must not last",
            Response,
            "CDN-Cache-Control",
            "Answer with 200, 203, 204, 300-303, 307, 308, 404, 405, 410, 414, 451 or 501; `CDN-Cache-Control: max-age=300, stale-if-error=3600` on good answers bridges the bad ones.",
        ),
        Unstored::NoStore => Row(
            "it says `no-store`",
            Response,
            "CDN-Cache-Control",
            "Send `CDN-Cache-Control: max-age=300`, which goes before `Cache-Control`; for browsers `Cache-Control: no-cache` with an `ETag` does instead of `no-store`.",
        ),
        Unstored::Private => Row(
            "it says `private`",
            Response,
            "CDN-Cache-Control",
            "If it is the same for everyone, send `CDN-Cache-Control: max-age=300`, which goes before the `private` of `Cache-Control`; else it is right as it is.",
        ),
        Unstored::NoCache => Row(
            "it says `no-cache`, and has no validator by which it could be asked about",
            Response,
            "ETag",
            "Send an `ETag` (or `Last-Modified`), or a lifetime instead of `no-cache`: `CDN-Cache-Control: max-age=300`.",
        ),
        Unstored::SetCookie => Row(
            "it sets a cookie",
            Response,
            "Set-Cookie",
            "Leave `Set-Cookie` out of this answer; set the cookie where somebody signs in, or where it changes.",
        ),
        Unstored::Authorization => Row(
            "the request has `Authorization`, and the answer isn't for everyone",
            Response,
            "CDN-Cache-Control",
            "If everyone may see it, send `CDN-Cache-Control: public, max-age=300`; else it is right as it is.",
        ),
        Unstored::PrivateField => Row(
            "the request has one of the `PRIVATE_FIELDS`, and the answer isn't for everyone",
            Response,
            "CDN-Cache-Control",
            "If everyone may see it, send `CDN-Cache-Control: public, max-age=300`; if the field makes nobody known, take it out of `PRIVATE_FIELDS`.",
        ),
        Unstored::PrivateCookie => Row(
            "the request has one of the `PRIVATE_COOKIES`, and the answer isn't for everyone",
            Response,
            "CDN-Cache-Control",
            "If everyone may see it, send `CDN-Cache-Control: public, max-age=300`; if the cookie makes nobody known, take it out of `PRIVATE_COOKIES`.",
        ),
        Unstored::Cookie => Row(
            "the request has a cookie, and the answer doesn't plainly say that it may be stored",
            Response,
            "CDN-Cache-Control",
            "Name a lifetime, `CDN-Cache-Control: max-age=300`: beside a cookie none is guessed, and `no-cache` isn't enough.",
        ),
        Unstored::Vary(unhandled) => row_of_vary(unhandled),
        Unstored::Groups => Row(
            "its `Cache-Groups` can't be read, so nobody could take it back",
            Response,
            "Cache-Groups",
            "Write `Cache-Groups: \"one\", \"another\"`: strings in quotes, at most 128 of at most 256 bytes.",
        ),
        Unstored::NoView => Row(
            "the edge has not heard from its control log, so it can't tell what is out of date",
            Setting,
            "CONTROL",
            "See that `CONTROL` is bound under `durable_objects` in wrangler.toml; no header changes this.",
        ),
        Unstored::Invalidated => Row(
            "it was invalidated on its way, or read at a replica that is behind what was invalidated",
            Response,
            "Tidewall-LSN",
            "Read at the position that the request's `Tidewall-Bookmark` asks for, and send `Tidewall-LSN: <position>` or `Tidewall-LSN: primary`; what was only on its way is stored the next time.",
        ),
        Unstored::Crossed => Row(
            "it is the answer to a write that another may have crossed",
            Response,
            "Content-Location",
            "Nothing is wrong: the next GET stores the state; without `Content-Location` the write's answer isn't taken for it.",
        ),
        Unstored::Stream => Row(
            "it is a stream, by its `Content-Type` or because it says that it isn't to be held up",
            Response,
            "X-Accel-Buffering",
            "If it has an end, leave `X-Accel-Buffering: no` out, and send another `Content-Type` than `text/event-stream`.",
        ),
        Unstored::Encoding => Row(
            "it has a content coding that the edge can't undo",
            Response,
            "Content-Encoding",
            "Send `Content-Encoding: gzip` or `br`, or none: the edge codes for each client.",
        ),
        Unstored::NoTransform => Row(
            "it has a content coding, and says that it must not be undone",
            Response,
            "Cache-Control",
            "Leave `no-transform` out of `Cache-Control`, or send it without a `Content-Encoding`.",
        ),
        Unstored::NoFreshness => Row(
            "it doesn't say how long it is fresh, nor when it last changed",
            Response,
            "CDN-Cache-Control",
            "Send `CDN-Cache-Control: max-age=300`.",
        ),
        Unstored::Stale => Row(
            "it arrived stale, and has no validator by which it could be asked about",
            Response,
            "CDN-Cache-Control",
            "Send a `max-age` above the answer's own `Age`, `CDN-Cache-Control: max-age=300`, or an `ETag`.",
        ),
        Unstored::TooLarge => Row(
            "its body is longer than 1 MiB",
            Response,
            "Content-Length",
            "Answer in pages until `Content-Length` is at most 1048576; files belong to the site's assets.",
        ),
        Unstored::Slow => Row(
            "its body wasn't all there a second after its head",
            Response,
            "Content-Length",
            "Make the body before its head is sent, as an answer with a `Content-Length` is; a stream says `X-Accel-Buffering: no`.",
        ),
    }
}

fn row_of_vary(unhandled: Unhandled) -> Row {
    use Side::Response;
    match unhandled {
        Unhandled::Any => Row(
            "it says `Vary: *`, that it depends on more than the request",
            Response,
            "Vary",
            "Name in `Vary` the request fields that it depends on, such as `Vary: Accept-Language`, or leave it out.",
        ),
        Unhandled::Cookie => Row(
            "it varies by `Cookie`, which is as good as one variant for each person",
            Response,
            "Vary",
            "Take `Cookie` out of `Vary` where the answer is the same for everyone; else say `Cache-Control: private`.",
        ),
        Unhandled::Authorization => Row(
            "it varies by `Authorization`, which is one variant for each person",
            Response,
            "Vary",
            "Take `Authorization` out of `Vary` where the answer is the same for everyone; else say `Cache-Control: private`.",
        ),
        Unhandled::UserAgent => Row(
            "it varies by `User-Agent`, of which there are thousands",
            Response,
            "Vary",
            "Vary by a field with few values, such as `Vary: Sec-CH-UA-Mobile`, or by none.",
        ),
        Unhandled::Rewritten => Row(
            "it varies by a field that the edge drops or writes itself",
            Response,
            "Vary",
            "Take fields such as `X-Forwarded-Host`, `Via` or `Range` out of `Vary`: what clients say in them doesn't reach the origin.",
        ),
        Unhandled::Fields => Row(
            "it varies by more than eight fields, or by what is no field's name",
            Response,
            "Vary",
            "Name at most eight request fields in `Vary`, as in `Vary: Accept, Accept-Language`.",
        ),
    }
}

fn row_of_forward(reason: Forward) -> Row {
    use Side::{Request, Response};
    match reason {
        Forward::Bypass => Row(
            "the cache isn't used for such requests",
            Request,
            "If-Match",
            "Leave `If-Match`, `If-Unmodified-Since` and `Upgrade` out of the request, and see that `CACHE` is bound under `kv_namespaces` in wrangler.toml.",
        ),
        Forward::Method => Row(
            "its method asks the origin itself",
            Response,
            "Cache-Group-Invalidation",
            "Read with GET; what changes something names what is out of date in `Cache-Group-Invalidation: \"group\"`.",
        ),
        Forward::UriMiss => Row(
            "nothing is stored for it",
            Response,
            "CDN-Cache-Control",
            "Nothing is wrong if a fresh answer would be stored; what ends too soon needs a longer `CDN-Cache-Control: max-age=300`.",
        ),
        Forward::VaryMiss => Row(
            "other variants are stored for it, and not the one that these request fields select",
            Response,
            "Vary",
            "Nothing is wrong if a fresh answer would be stored; if variants are asked for once only, name fewer fields in `Vary`.",
        ),
        Forward::Stale => Row(
            "what is stored is stale",
            Response,
            "CDN-Cache-Control",
            "Send a longer `max-age`, or let it be used while it is renewed: `CDN-Cache-Control: max-age=300, stale-while-revalidate=60`.",
        ),
        Forward::NoCache => Row(
            "what is stored says `no-cache`: it is asked about each time",
            Response,
            "CDN-Cache-Control",
            "Send `CDN-Cache-Control: max-age=300`, which goes before the `no-cache` that browsers get.",
        ),
        Forward::Private => Row(
            "the request is one person's, and what is stored isn't said to be for everyone",
            Response,
            "CDN-Cache-Control",
            "If everyone may see it, send `CDN-Cache-Control: public, max-age=300`; else it is right as it is.",
        ),
        Forward::Fenced(fenced) => row_of_fenced(fenced),
        Forward::RequestNoCache => Row(
            "the request says `no-cache`",
            Request,
            "Cache-Control",
            "Leave `no-cache` out of the request's `Cache-Control`, or have the edge ignore it with `CLIENT_CACHE_CONTROL = \"ignore\"` in wrangler.toml.",
        ),
        Forward::RequestMaxAge => Row(
            "the request wants something younger than what is stored",
            Request,
            "Cache-Control",
            "Leave `max-age` out of the request's `Cache-Control`, or have the edge ignore it with `CLIENT_CACHE_CONTROL = \"ignore\"` in wrangler.toml.",
        ),
        Forward::RequestMinFresh => Row(
            "the request wants something that stays fresh for longer",
            Request,
            "Cache-Control",
            "Leave `min-fresh` out of the request's `Cache-Control`, or send a longer `max-age` in the answer's `CDN-Cache-Control`.",
        ),
    }
}

fn row_of_fenced(fenced: Fenced) -> Row {
    use Side::{Response, Setting};
    match fenced {
        Fenced::NoView => Row(
            "the control log is out of reach, so nobody knows what is out of date",
            Setting,
            "CONTROL",
            "See that `CONTROL` is bound under `durable_objects` in wrangler.toml; for how long the edge does without an answer of it is `CONTROL_GRACE_MS`.",
        ),
        Fenced::Invalidated(invalidated) => row_of_invalidated(invalidated),
        Fenced::BehindBookmark => Row(
            "the reader has seen what is stored doesn't show",
            Response,
            "Tidewall-LSN",
            "Nothing is wrong: the reader's `Tidewall-Bookmark` goes before speed; an answer with `Tidewall-LSN: <position>` can show that it is past it.",
        ),
    }
}

fn row_of_invalidated(invalidated: Invalidated) -> Row {
    use Side::{Response, Setting};
    match invalidated {
        Invalidated::BeforeLog => Row(
            "it is of another control log than the one that is there: that one was lost",
            Setting,
            "CONTROL",
            "Nothing to change: the store fills again; the log is lost when the objects of `CONTROL` are deleted.",
        ),
        Invalidated::All => Row(
            "everything was purged after it was read, or an old entry was folded into that",
            Response,
            "Cache-Groups",
            "Send `Cache-Groups: \"group\"` and purge `{\"groups\":[\"group\"]}` instead of `{\"all\":true}`.",
        ),
        Invalidated::Group => Row(
            "one of its groups was invalidated after it was read",
            Response,
            "Cache-Groups",
            "If that happens more often than its content changes, name narrower groups: `Cache-Groups: \"item:42\"` instead of `\"items\"`.",
        ),
        Invalidated::Uri => Row(
            "its URL was written to after it was read",
            Response,
            "Content-Location",
            "If the write leaves it as it is, don't name this URL in the write's `Location` or `Content-Location`, and write to another.",
        ),
        Invalidated::Path => Row(
            "its path was purged after it was read",
            Response,
            "Cache-Groups",
            "Purging a path ends all its queries: send `Cache-Groups: \"group\"` and purge the group to end fewer.",
        ),
        Invalidated::Prefix => Row(
            "the beginning of its path was purged after it was read",
            Response,
            "Cache-Groups",
            "A prefix ends all below it: send `Cache-Groups: \"group\"` and purge the group to end fewer.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARY: [Unhandled; 6] = [
        Unhandled::Any,
        Unhandled::Cookie,
        Unhandled::Authorization,
        Unhandled::UserAgent,
        Unhandled::Rewritten,
        Unhandled::Fields,
    ];
    const INVALIDATED: [Invalidated; 6] = [
        Invalidated::BeforeLog,
        Invalidated::All,
        Invalidated::Group,
        Invalidated::Uri,
        Invalidated::Path,
        Invalidated::Prefix,
    ];

    fn all_unstored() -> Vec<Unstored> {
        use Unstored::*;
        let plain = [
            Method,
            RequestNoStore,
            Partial,
            Status,
            NoStore,
            Private,
            NoCache,
            SetCookie,
            Authorization,
            PrivateField,
            PrivateCookie,
            Cookie,
            Groups,
            NoView,
            Invalidated,
            Crossed,
            Stream,
            Encoding,
            NoTransform,
            NoFreshness,
            Stale,
            TooLarge,
            Slow,
        ];
        plain.into_iter().chain(VARY.map(Vary)).collect()
    }

    fn all_forward() -> Vec<Forward> {
        use Forward::*;
        let plain = [
            Bypass,
            Method,
            UriMiss,
            VaryMiss,
            Stale,
            NoCache,
            Private,
            RequestNoCache,
            RequestMaxAge,
            RequestMinFresh,
        ];
        let fenced = [super::Fenced::NoView, super::Fenced::BehindBookmark];
        let invalidated = INVALIDATED.map(super::Fenced::Invalidated);
        plain.into_iter().chain(fenced.into_iter().chain(invalidated).map(Fenced)).collect()
    }

    fn check(reasons: &[Reason]) {
        let mut names: Vec<&str> = reasons.iter().map(|reason| reason.name.as_str()).collect();
        for Reason { name, why, advice } in reasons {
            let Advice { change, sentence, .. } = advice;
            assert!(sentence.contains(&format!("`{change}")), "{name}: {change} is not in {sentence}");
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{name}: {sentence}");
            assert!(!why.is_empty() && !why.ends_with('.'), "{name}: {why}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), reasons.len(), "two reasons have one name: {names:?}");
    }

    #[test]
    fn every_reason_has_a_name_of_its_own_and_advice_that_names_what_to_change() {
        check(&all_unstored().into_iter().map(unstored).collect::<Vec<_>>());
        check(&all_forward().into_iter().map(forward).collect::<Vec<_>>());
        check(&[only_if_cached()]);
    }

    #[test]
    fn advice_names_the_field_and_its_value() {
        let check = |reason: Reason, of, change: &str, value: &str| {
            assert_eq!((reason.advice.of, reason.advice.change.as_str()), (of, change), "{}", reason.name);
            assert!(reason.advice.sentence.contains(value), "{}", reason.advice.sentence);
        };
        use Side::{Request, Response, Setting};
        check(unstored(Unstored::NoFreshness), Response, "CDN-Cache-Control", "max-age=300");
        check(unstored(Unstored::SetCookie), Response, "Set-Cookie", "Leave `Set-Cookie` out");
        check(unstored(Unstored::Authorization), Response, "CDN-Cache-Control", "public, max-age=300");
        check(unstored(Unstored::Vary(Unhandled::UserAgent)), Response, "Vary", "Sec-CH-UA-Mobile");
        check(forward(Forward::RequestNoCache), Request, "Cache-Control", "no-cache");
        check(forward(Forward::Stale), Response, "CDN-Cache-Control", "stale-while-revalidate=60");
        check(forward(Forward::Fenced(Fenced::NoView)), Setting, "CONTROL", "durable_objects");
        check(
            forward(Forward::Fenced(Fenced::Invalidated(Invalidated::Group))),
            Response,
            "Cache-Groups",
            "\"item:42\"",
        );
    }
}
