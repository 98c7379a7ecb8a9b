//! RFC 9111 by its sections, through all the decisions in a row: an answer to a first
//! request, and what it is worth to a second one some time later.

use std::time::Duration;

use crate::cache::envelope::Envelope;
use crate::cache::privacy::{Privacy, PrivateNames};
use crate::cache::request::{ClientCacheControl, RequestDirectives};
use crate::cache::storable::{Exchange, storable};
use crate::cache::terms::millis;
use crate::cache::usable::{Situation, Usable, is_for, usable};
use crate::cache::validation::{self, Verdict};
use crate::cache::vary::variant_key;
use crate::control::bookmark::NOTHING;
use crate::control::log::Known;
use crate::control::position::{Position, ReadAt};
use crate::control::view::Validity;
use crate::fields::Fields;
use crate::forward::{self, Purpose, Via};
use crate::time::Timestamp;

/// When the first answer came: Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);
const VIA: Via<'_> = Via {
    client_address: None,
    is_behind_cloudflare: false,
    host: "a.example",
    scheme: "https",
    request_id: "id-1",
    bookmark: NOTHING,
    is_read: true,
};

/// A first line, and fields in lower case.
fn message(text: &str) -> (&str, Fields) {
    let (first, lines) = text.split_once('\n').unwrap_or((text, ""));
    let mut fields = Fields::default();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
        fields.push(&name.to_ascii_lowercase(), value);
    }
    (first, fields)
}

fn privacy(request: &Fields) -> Privacy {
    Privacy::of(request, &PrivateNames { fields: vec!["x-api-key".into()], cookies: vec!["session".into()] })
}

fn asked(request: &Fields) -> RequestDirectives {
    RequestDirectives::of(request, ClientCacheControl::Obey)
}

/// What is stored of an answer, and by which fields it is selected; or why it isn't.
fn store(request: &str, response: &str) -> Result<(Envelope, Vec<String>), &'static str> {
    let ((method, request), (status, response)) = (message(request), message(response));
    let status = status.parse().unwrap();
    let decision = storable(&Exchange {
        method,
        asked: asked(&request),
        privacy: privacy(&request),
        status,
        response: &response,
        request_time: NOW,
        response_time: NOW,
    })
    .map_err(|reason| reason.as_str())?;
    let mut fields = forward::to_store(&response);
    fields.retain(|name| !decision.omitted.iter().any(|omitted| omitted == name));
    let envelope = Envelope {
        status,
        fields,
        request_time: NOW,
        response_time: NOW,
        initial_age_ms: millis(decision.initial_age),
        terms: decision.terms,
        position: Position { fence: Known { first: 1, head: 1 }, read_at: ReadAt::Unknown },
        groups: decision.groups,
        is_decoded: false,
        body_bytes: 0,
    };
    Ok((envelope, decision.selecting))
}

fn variant(selecting: &[String], request: &str) -> String {
    variant_key(
        "https://a.example/",
        selecting,
        &forward::to_origin(&message(request).1, &VIA, Purpose::Fill),
    )
}

fn decide(first: &str, response: &str, after_s: u64, second: &str, situation: Situation) -> String {
    let (envelope, selecting) = match store(first, response) {
        Ok(stored) => stored,
        Err(reason) => return format!("not stored: {reason}"),
    };
    if variant(&selecting, first) != variant(&selecting, second) {
        return "another variant".to_owned();
    }
    let request = message(second).1;
    let now = NOW.after(Duration::from_secs(after_s));
    match usable(&envelope, &asked(&request), privacy(&request), situation, Validity::Valid, now) {
        Ok(Usable { basis, .. }) => basis.as_str().unwrap_or("fresh").to_owned(),
        Err(why) => {
            let conditions = validation::conditions(&envelope.fields)
                .filter(|_| is_for(&envelope, privacy(&request)))
                .map(|conditions| conditions.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
            let what = conditions.map_or_else(|| "all".to_owned(), |names| names.join(" "));
            format!("{}: asked for {what}", why.detail().unwrap_or(why.as_str()))
        }
    }
}

fn check(first: &str, response: &str, after_s: u64, second: &str, expected: &str) {
    let found = decide(first, response, after_s, second, Situation::Lookup);
    assert_eq!(found, expected, "{first} -> {response} | after {after_s} s: {second}");
}

/// The same where the origin fails to answer the second request.
fn check_failing(response: &str, after_s: u64, second: &str, expected: &str) {
    let found = decide("GET", response, after_s, second, Situation::OriginFailed);
    assert_eq!(found, expected, "{response} | after {after_s} s, failing: {second}");
}

#[test]
fn section_3_a_response_is_stored_where_nothing_is_against_it_and_something_for_it() {
    check("GET", "200\nCache-Control: max-age=60", 0, "GET", "fresh");
    check("GET", "200\nCache-Control: s-maxage=60", 0, "GET", "fresh");
    check("GET", "200\nExpires: Sun, 06 Nov 1994 08:50:37 GMT", 59, "GET", "fresh");
    check("GET", "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 59, "GET", "fresh");
    check("GET", "200", 0, "GET", "not stored: no-freshness");
    check("POST", "200\nCache-Control: max-age=60", 0, "GET", "not stored: method");
    check("GET", "103\nCache-Control: max-age=60", 0, "GET", "not stored: status");
    check("GET", "299\nCache-Control: max-age=60", 0, "GET", "not stored: status");
    check("GET", "200\nCache-Control: max-age=60, no-store", 0, "GET", "not stored: no-store");
    check("GET", "200\nCache-Control: max-age=60, private", 0, "GET", "not stored: private");
}

#[test]
fn section_3_1_fields_of_the_connection_and_those_that_are_named_are_not_stored() {
    let check = |response: &str, expected: &str| {
        let (envelope, _) = store("GET", response).unwrap();
        let names: Vec<_> = envelope.fields.iter().map(|(name, _)| name).collect();
        assert_eq!(names.join(" "), expected, "{response}");
    };
    let rest = "Cache-Control: max-age=60\nX-A: 1";
    check(&format!("200\nConnection: X-Hop, close\nX-Hop: 1\nKeep-Alive: 5\n{rest}"), "cache-control x-a");
    check(
        &format!("200\nTransfer-Encoding: chunked\nTrailer: X-T\nUpgrade: h2c\n{rest}"),
        "cache-control x-a",
    );
    check(&format!("200\nProxy-Authenticate: Basic\nTE: trailers\n{rest}"), "cache-control x-a");
    check("200\nCache-Control: max-age=60, private=\"X-A\", no-cache=X-B\nX-A: 1\nX-B: 1", "cache-control");
    check("200\nCDN-Cache-Control: max-age=60, private=\"X-A, X-B\"\nX-B: 1", "cdn-cache-control");
}

#[test]
fn section_3_2_a_304_updates_all_but_what_describes_the_body() {
    let stored = message("200\nETag: \"a\"\nCache-Control: max-age=1\nX-A: 1\nContent-Length: 5").1;
    let answer = message("304\nETag: \"a\"\nCache-Control: max-age=9\nContent-Length: 0\nAge: 4\nX-B: 1").1;
    let Verdict::Renewed(fields) = validation::not_modified(&stored, &answer) else { panic!("not renewed") };
    let expected = "x\nX-A: 1\nContent-Length: 5\nETag: \"a\"\nCache-Control: max-age=9\nX-B: 1";
    assert_eq!(fields, message(expected).1);
}

#[test]
fn sections_3_3_and_3_4_parts_are_neither_stored_nor_put_together() {
    check(
        "GET",
        "206\nCache-Control: max-age=60\nContent-Range: bytes 0-1/9",
        0,
        "GET",
        "not stored: partial",
    );
    check("GET\nRange: bytes=0-1", "206\nCache-Control: max-age=60", 0, "GET", "not stored: partial");
    // All of it, though only a part was wanted.
    check("GET\nRange: bytes=0-1", "200\nCache-Control: max-age=60", 0, "GET", "fresh");
}

#[test]
fn section_3_5_what_a_known_person_was_answered_is_shared_only_by_permission() {
    for (known, reason) in [
        ("GET\nAuthorization: Basic x", "authorization"),
        ("GET\nX-Api-Key: k", "private-field"),
        ("GET\nCookie: a=1; session=2", "private-cookie"),
    ] {
        check(known, "200\nCache-Control: max-age=60", 0, "GET", &format!("not stored: {reason}"));
        check("GET", "200\nCache-Control: max-age=60", 0, known, "private-request: asked for all");
        check(
            "GET",
            "200\nCache-Control: max-age=60\nETag: \"a\"",
            0,
            known,
            "private-request: asked for all",
        );
        for permission in ["public, max-age=60", "s-maxage=60"] {
            check(known, &format!("200\nCache-Control: {permission}"), 0, "GET", "fresh");
            check("GET", &format!("200\nCache-Control: {permission}"), 0, known, "fresh");
        }
    }
}

#[test]
fn section_4_1_a_variant_answers_requests_whose_nominated_fields_mean_the_same() {
    let by = |names: &str| format!("200\nCache-Control: max-age=60\nVary: {names}");
    let english = "GET\nAccept-Language: en, de;q=0.5";
    check(english, &by("Accept-Language"), 0, "GET\nAccept-Language: EN,de; q=0.50", "fresh");
    check(english, &by("Accept-Language"), 0, "GET\nAccept-Language: de;q=0.5, en", "fresh");
    check(english, &by("Accept-Language"), 0, "GET\nAccept-Language: de", "another variant");
    check(english, &by("Accept-Language"), 0, "GET", "another variant");
    check("GET", &by("Accept-Language"), 0, "GET", "fresh");
    check(english, &by("accept-encoding"), 0, "GET\nAccept-Language: de\nAccept-Encoding: br", "fresh");
    check("GET\nOrigin: https://x", &by("Origin, Accept"), 0, "GET\nOrigin: https://y", "another variant");
    check("GET", &by("*"), 0, "GET", "not stored: vary-any");
    check("GET", &by("Cookie"), 0, "GET", "not stored: vary-cookie");
    check("GET", &by("X-Forwarded-Host"), 0, "GET", "not stored: vary-rewritten");
}

#[test]
fn section_4_2_1_the_lifetime_is_the_first_of_four() {
    let expires = "Expires: Sun, 06 Nov 1994 08:50:07 GMT\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT";
    let check = |cache_control: &str, lifetime_s: u64| {
        let response = format!("200\n{expires}\nCache-Control: {cache_control}");
        check("GET", &response, lifetime_s - 1, "GET", "fresh");
        check("GET", &response, lifetime_s, "GET", "stale: asked for if-modified-since");
    };
    check("max-age=10, s-maxage=20", 20);
    check("max-age=10", 10);
    check("max-age=10, max-age=99", 10);
    check("public", 30);
}

#[test]
fn section_4_2_2_a_guess_is_made_where_nothing_is_said() {
    let modified = "200\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT";
    check("GET", modified, 59, "GET", "fresh");
    check("GET", modified, 60, "GET", "stale: asked for if-modified-since");
    check("GET", modified, 0, "GET\nCookie: theme=dark", "private-request: asked for all");
    check("GET", "302\nLast-Modified: Sun, 06 Nov 1994 08:39:37 GMT", 0, "GET", "not stored: no-freshness");
    check("GET", &format!("{modified}\nCDN-Cache-Control: public"), 0, "GET", "not stored: no-freshness");
}

#[test]
fn section_4_2_3_age_is_counted_from_where_it_was_made() {
    check("GET", "200\nCache-Control: max-age=60\nAge: 50", 9, "GET", "fresh");
    check("GET", "200\nCache-Control: max-age=60\nAge: 50", 10, "GET", "stale: asked for all");
    let date = "Date: Sun, 06 Nov 1994 08:48:47 GMT";
    check("GET", &format!("200\nCache-Control: max-age=60\n{date}"), 9, "GET", "fresh");
    check(
        "GET",
        &format!("200\nCache-Control: max-age=60\n{date}\nAge: 55"),
        5,
        "GET",
        "stale: asked for all",
    );
    check("GET", "200\nCache-Control: max-age=60\nAge: 60", 0, "GET", "not stored: stale");
}

#[test]
fn section_4_2_4_what_is_stale_is_used_by_permission_alone() {
    let granted = "200\nCache-Control: max-age=10, stale-while-revalidate=5, stale-if-error=20";
    check("GET", granted, 14, "GET", "stale-while-revalidate");
    check("GET", granted, 15, "GET", "stale: asked for all");
    check_failing(granted, 29, "GET", "stale-if-error");
    check_failing(granted, 30, "GET", "stale: asked for all");
    for forbids in ["no-cache", "must-revalidate", "proxy-revalidate"] {
        let response = format!("{granted}, {forbids}\nETag: \"a\"");
        let found = decide("GET", &response, 12, "GET\nCache-Control: max-stale", Situation::Lookup);
        assert!(found.ends_with("asked for if-none-match"), "{response}: {found}");
        check_failing(&response, 12, "GET\nCache-Control: stale-if-error=99", &found);
    }
    check(
        "GET",
        "200\nCache-Control: s-maxage=10",
        12,
        "GET\nCache-Control: max-stale",
        "stale: asked for all",
    );
}

#[test]
fn section_4_3_1_every_validator_is_a_condition() {
    let stale = "stale: asked for";
    let (tag, modified) = ("ETag: W/\"a\"", "Last-Modified: Sun, 06 Nov 1994 08:39:37 GMT");
    let response = "200\nCache-Control: max-age=1";
    check("GET", &format!("{response}\n{tag}"), 1, "GET", &format!("{stale} if-none-match"));
    check("GET", &format!("{response}\n{modified}"), 1, "GET", &format!("{stale} if-modified-since"));
    let both = format!("{response}\n{modified}\n{tag}");
    check("GET", &both, 1, "GET", &format!("{stale} if-none-match if-modified-since"));
    check("GET", &format!("{response}\nETag: a"), 1, "GET", &format!("{stale} all"));
}

#[test]
fn section_5_2_1_a_client_may_limit_what_it_is_given() {
    let response = "200\nCache-Control: max-age=60\nETag: \"a\"";
    let check = |wish: &str, after_s: u64, expected: &str| {
        check("GET", response, after_s, &format!("GET\nCache-Control: {wish}"), expected);
    };
    // 5.2.1.1
    check("max-age=30", 30, "fresh");
    check("max-age=30", 31, "request-max-age: asked for if-none-match");
    // 5.2.1.2
    check("max-stale", 9_999, "max-stale");
    check("max-stale=5", 65, "max-stale");
    check("max-stale=5", 66, "stale: asked for if-none-match");
    // 5.2.1.3
    check("min-fresh=20", 40, "fresh");
    check("min-fresh=20", 41, "request-min-fresh: asked for if-none-match");
    // 5.2.1.4
    check("no-cache", 0, "request-no-cache: asked for if-none-match");
    // 5.2.1.5: of storing, not of using.
    check("no-store", 0, "fresh");
    // 5.2.1.6: what is stored has no content coding that could be changed.
    check("no-transform", 0, "fresh");
    // 5.2.1.7: it makes no difference to what may be used.
    check("only-if-cached", 59, "fresh");
    check("only-if-cached, max-stale", 61, "max-stale");
    // 5.2.3
    check("x-extension=\"no-cache\"", 0, "fresh");
}

#[test]
fn section_5_2_1_2_nobody_is_given_stale_what_was_never_fresh() {
    for response in ["max-age=0", "max-age=x", "s-maxage=0"] {
        let response = format!("200\nCache-Control: {response}\nETag: \"a\"");
        check("GET", &response, 1, "GET\nCache-Control: max-stale", "stale: asked for if-none-match");
    }
}

#[test]
fn section_5_2_1_5_a_client_may_want_nothing_stored() {
    let wish = "GET\nCache-Control: no-store";
    check(wish, "200\nCache-Control: max-age=60", 0, "GET", "not stored: request-no-store");
}

#[test]
fn section_5_2_2_a_response_says_what_may_be_done_with_it() {
    let check = |says: &str, after_s: u64, expected: &str| {
        check("GET", &format!("200\nETag: \"a\"\nCache-Control: {says}"), after_s, "GET", expected);
    };
    let stale = "stale: asked for if-none-match";
    // 5.2.2.1
    check("max-age=10", 9, "fresh");
    check("max-age=\"10\"", 9, "fresh");
    check("max-age=10", 10, stale);
    check("max-age=ten", 0, stale);
    // 5.2.2.2
    check("max-age=10, must-revalidate, stale-while-revalidate=60", 9, "fresh");
    check("max-age=10, must-revalidate, stale-while-revalidate=60", 10, stale);
    // 5.2.2.3
    check("max-age=10, must-understand, no-store", 9, "fresh");
    check("must-understand, no-store", 0, "not stored: no-freshness");
    // 5.2.2.4
    check("max-age=10, no-cache", 0, "no-cache: asked for if-none-match");
    check("no-cache", 0, "no-cache: asked for if-none-match");
    check("max-age=10, no-cache=\"X-A\"", 9, "fresh");
    check("max-age=10, no-cache=\"X-A, Vary\"", 0, "no-cache: asked for if-none-match");
    // 5.2.2.5
    check("max-age=10, no-store", 0, "not stored: no-store");
    // 5.2.2.6
    check("max-age=10, no-transform", 9, "fresh");
    // 5.2.2.7
    check("max-age=10, private", 0, "not stored: private");
    check("max-age=10, private=\"X-A\"", 9, "fresh");
    check("max-age=10, private=\"X-A, ETag\"", 0, "not stored: private");
    // 5.2.2.8
    check("max-age=10, proxy-revalidate, stale-while-revalidate=60", 10, stale);
    // 5.2.2.9: a permission, but no lifetime.
    check("public", 0, "not stored: no-freshness");
    // 5.2.2.10
    check("max-age=10, s-maxage=20", 19, "fresh");
    check("max-age=10, s-maxage=0", 0, stale);
    // 5.2.3
    check("max-age=10, x-extension, x-other=\"no-store, private\"", 9, "fresh");
}

#[test]
fn section_5_2_2_4_without_a_validator_no_cache_leaves_nothing_to_use() {
    check("GET", "200\nCache-Control: max-age=10, no-cache", 0, "GET", "not stored: no-cache");
}

#[test]
fn section_5_2_2_6_a_coding_that_must_stay_keeps_a_response_out() {
    let response = "200\nCache-Control: max-age=10, no-transform\nContent-Encoding: gzip";
    check("GET", response, 0, "GET", "not stored: no-transform");
}

#[test]
fn section_5_3_an_expires_that_is_no_date_has_passed() {
    check("GET", "200\nExpires: 0\nETag: \"a\"", 0, "GET", "stale: asked for if-none-match");
    check("GET", "200\nExpires: 0", 0, "GET", "not stored: stale");
}

#[test]
fn section_5_4_pragma_says_nothing() {
    check("GET\nPragma: no-cache", "200\nCache-Control: max-age=60\nPragma: no-cache", 9, "GET", "fresh");
    check("GET", "200\nCache-Control: max-age=60", 9, "GET\nPragma: no-cache", "fresh");
}
