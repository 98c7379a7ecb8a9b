//! A line of an access log: in the Common or the Combined Log Format of Apache, which nginx and most
//! servers write as well, or as a JSON object.
//!
//! A duration is no part of those formats. Where one is added, it stands behind the rest: in seconds
//! with a point (nginx, `$request_time`), or in whole microseconds (Apache, `%D`).

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::amount::amount;

/// A request, as far as a log tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) at: Option<f64>,
    /// Who asked.
    pub(super) client: Option<String>,
    /// Somebody is logged in: the answer may be theirs alone.
    pub(super) is_personal: bool,
    pub(super) method: String,
    /// With its query.
    pub(super) target: String,
    pub(super) status: u16,
    pub(super) bytes: Option<f64>,
    pub(super) ms: Option<f64>,
    /// A cache before the server answered.
    pub(super) is_cached: bool,
}

/// Longer lines are no access log's.
pub(super) const LINE_MAX: usize = 64 * 1024;

/// Reads a line. `None`: it is none.
pub(super) fn read(line: &str) -> Option<Entry> {
    let line = line.trim();
    if line.len() > LINE_MAX {
        return None;
    }
    if line.starts_with('{') { json(line) } else { common(line) }
}

/// `host ident user [time] "method target version" status bytes`, and what is behind.
fn common(line: &str) -> Option<Entry> {
    let (before, rest) = line.split_once('[')?;
    let mut before = before.split_whitespace();
    let (client, user) = (before.next()?, before.nth(1));
    let (at, rest) = rest.split_once(']')?;
    let (request, rest) = quoted(rest.trim_start())?;
    let mut request = request.split(' ');
    let (method, target) = (request.next()?, request.next()?);
    let mut fields = fields(rest);
    let status = fields.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    // A dash is an answer without a body.
    let bytes =
        fields.next().and_then(|bytes| if bytes == "-" { Some(0.0) } else { amount(bytes.parse().ok()?) });
    // A referrer and an agent, in quotes, are passed over.
    let more: Vec<_> = fields.collect();
    let is_cached = more.iter().any(|field| is_hit(field.rsplit('=').next().unwrap_or(field)));
    Some(Entry {
        at: clf_time(at),
        client: Some(client.to_owned()),
        is_personal: user.is_some_and(|user| user != "-"),
        method: method.to_owned(),
        target: target.to_owned(),
        status,
        bytes,
        ms: duration(&more).and_then(amount).filter(|_| status != SWITCHING_PROTOCOLS),
        is_cached,
    })
}

/// What comes of it isn't answered but goes on.
const SWITCHING_PROTOCOLS: u16 = 101;

/// As nginx, Varnish and Cloudflare say it, and what Cloudflare says of an answer that it may give
/// again.
fn is_hit(status: &str) -> bool {
    ["HIT", "STALE", "UPDATING", "REVALIDATED"].iter().any(|hit| status.eq_ignore_ascii_case(hit))
}

/// A text in quotes, in which a quote has a backslash before it, and what is behind.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = rest.find(|letter| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    })?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// The fields of a text that are not in quotes.
fn fields(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return None;
            }
            if let Some((_, behind)) = quoted(rest) {
                rest = behind;
                continue;
            }
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (field, behind) = rest.split_at(end);
            rest = behind;
            return Some(field);
        }
    })
}

/// Names of durations in seconds, where a field has one.
const SECONDS: [&str; 5] = ["rt", "request_time", "duration", "time", "urt"];

/// Of the fields behind: one with a name that is known, or the first, if it has a point (seconds) or
/// a unit, or if it is the only one that is a number (microseconds). Others may be anything.
fn duration(fields: &[&str]) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    let with_unit = |text: &str| match text.strip_suffix("ms") {
        Some(ms) => number(ms),
        None => number(text).filter(|_| text.contains('.')).map(|seconds| seconds * 1_000.0),
    };
    let named = fields.iter().filter_map(|field| field.split_once('='));
    let named = named.filter(|(name, _)| SECONDS.contains(name)).find_map(|(_, value)| with_unit(value));
    let mut bare =
        fields.iter().filter(|field| !field.contains('=') && number(field.trim_end_matches("ms")).is_some());
    let first = bare.next();
    let is_only = bare.next().is_none();
    named.or_else(|| with_unit(first?)).or_else(|| number(first?).filter(|_| is_only).map(|us| us / 1_000.0))
}

/// `10/Oct/2000:13:55:36 -0700`
fn clf_time(text: &str) -> Option<f64> {
    const FORMAT: &[BorrowedFormatItem<'_>] = format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    OffsetDateTime::parse(text, FORMAT).ok().map(|at| at.unix_timestamp() as f64)
}

/// Names that programs have for the same.
const CLIENT: &[&str] =
    &["remote_addr", "remote_ip", "client_ip", "clientip", "client", "ip", "remoteAddress", "ClientIP"];
const METHOD: &[&str] = &["method", "request_method", "verb", "http_method", "ClientRequestMethod"];
const TARGET: &[&str] =
    &["request_uri", "uri", "target", "path", "url", "request_path", "ClientRequestURI", "ClientRequestPath"];
const STATUS: &[&str] =
    &["status", "status_code", "statusCode", "response_code", "EdgeResponseStatus", "OriginResponseStatus"];
const BYTES: &[&str] = &[
    "bytes",
    "body_bytes_sent",
    "bytes_sent",
    "size",
    "response_size",
    "content_length",
    "contentLength",
    "EdgeResponseBytes",
];
const USER: &[&str] = &["remote_user", "user", "user_id", "userId", "auth_user", "username"];
const CACHE: &[&str] =
    &["cache_status", "upstream_cache_status", "x_cache", "cache", "cacheStatus", "CacheCacheStatus"];
const AT: &[&str] = &["time", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec"];
/// Durations whose names tell their unit, or are of one program, with how many milliseconds a unit has.
const TIME: &[(&str, f64)] = &[
    ("request_time", 1_000.0),
    ("duration_ms", 1.0),
    ("latency_ms", 1.0),
    ("elapsed_ms", 1.0),
    ("responseTime", 1.0),
    ("response_time_ms", 1.0),
    ("duration_s", 1_000.0),
    ("duration_us", 0.001),
    ("OriginResponseDurationMs", 1.0),
];
/// Caddy's name of its log, and of a duration in seconds. Others mean milliseconds, or less.
const CADDY: (&str, &str) = ("http.log.access", "duration");

fn json(line: &str) -> Option<Entry> {
    let Value::Object(object) = serde_json::from_str(line).ok()? else { return None };
    // Some put what belongs to the request and the response into objects of their own.
    let inner = |name| object.get(name).and_then(Value::as_object);
    let places: Vec<&Map<String, Value>> =
        [Some(&object), inner("request"), inner("req"), inner("response"), inner("res"), inner("http")]
            .into_iter()
            .flatten()
            .collect();
    let find =
        |names: &[&str]| names.iter().find_map(|name| places.iter().find_map(|place| place.get(*name)));
    let text = |names: &[&str]| find(names).and_then(Value::as_str).map(str::to_owned);
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // `"request": "GET /a HTTP/1.1"`
    let line = object.get("request").and_then(Value::as_str).map(|line| line.split(' ').collect::<Vec<_>>());
    let of_line =
        |place: usize| line.as_ref().and_then(|parts| parts.get(place)).map(|part| (*part).to_owned());
    let status = find(STATUS).and_then(number).filter(|status| (100.0..600.0).contains(status))?;
    let named = |name: &str, unit: f64| find(&[name]).and_then(number).map(|value| value * unit);
    let is_caddy = object.get("logger").and_then(Value::as_str).is_some_and(|name| name.starts_with(CADDY.0));
    let ms = TIME.iter().find_map(|(name, unit)| named(name, *unit));
    let ms = ms.or_else(|| named(CADDY.1, 1_000.0).filter(|_| is_caddy));
    let ms = ms.filter(|_| status != f64::from(SWITCHING_PROTOCOLS));
    Some(Entry {
        at: find(AT).and_then(|at| match at {
            Value::String(text) => OffsetDateTime::parse(text, &Rfc3339)
                .map(|at| at.unix_timestamp() as f64)
                .ok()
                .or_else(|| clf_time(text))
                .or_else(|| text.parse().ok().map(seconds)),
            other => number(other).map(seconds),
        }),
        client: text(CLIENT),
        is_personal: find(USER)
            .is_some_and(|user| !matches!(user, Value::Null) && !matches!(user.as_str(), Some("" | "-"))),
        method: text(METHOD).or_else(|| of_line(0))?,
        target: text(TARGET).or_else(|| of_line(1))?,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 100 and 600")]
        status: status as u16,
        bytes: find(BYTES).and_then(number).and_then(amount),
        ms: ms.and_then(amount),
        is_cached: text(CACHE).is_some_and(|status| is_hit(&status)),
    })
}

/// Since 1970, of seconds, milliseconds, microseconds or nanoseconds.
fn seconds(value: f64) -> f64 {
    match value {
        value if value > 1e17 => value / 1e9,
        value if value > 1e14 => value / 1e6,
        value if value > 1e11 => value / 1e3,
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::advise::amount::AMOUNT_MAX;

    /// Method, target, status, bytes, milliseconds, seconds since 1970.
    type Seen<'a> = (&'a str, &'a str, u16, Option<f64>, Option<f64>, Option<f64>);

    fn check(line: &str, expected: Option<Seen<'_>>) {
        let entry = read(line);
        let found = entry.as_ref().map(|entry| {
            (entry.method.as_str(), entry.target.as_str(), entry.status, entry.bytes, entry.ms, entry.at)
        });
        assert_eq!(found, expected, "{line}");
    }

    const AT: Option<f64> = Some(971_211_336.0);

    /// Nearly a number, or one.
    const NUMBER: &str = "(-|\\+|)([0-9]{1,25}(\\.[0-9]{1,3})?|[0-9]e[0-9]{1,3}|NaN|inf|infinity|\\.5)";

    #[test]
    fn the_common_and_the_combined_format_are_read() {
        check(
            r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326"#,
            Some(("GET", "/a?b=1", 200, Some(2326.0), None, AT)),
        );
        check(
            r#"::1 - - [10/Oct/2000:20:55:36 +0000] "POST /a HTTP/1.1" 404 - "http://x/ \"y\"" "agent 5.0""#,
            Some(("POST", "/a", 404, Some(0.0), None, AT)),
        );
    }

    #[test]
    fn a_duration_behind_them_is_in_seconds_or_in_microseconds() {
        let line = |more: &str| {
            format!(r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x"{more}"#)
        };
        check(&line(" 0.123"), Some(("GET", "/", 200, Some(5.0), Some(123.0), AT)));
        check(&line(" 45000"), Some(("GET", "/", 200, Some(5.0), Some(45.0), AT)));
        check(&line(" rt=0.050"), Some(("GET", "/", 200, Some(5.0), Some(50.0), AT)));
        check(&line(" 45ms"), Some(("GET", "/", 200, Some(5.0), Some(45.0), AT)));
        check(&line(" 0.123 512"), Some(("GET", "/", 200, Some(5.0), Some(123.0), AT)));
    }

    #[test]
    fn numbers_that_may_be_anything_are_no_durations() {
        let line = |more: &str| {
            format!(r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x"{more}"#)
        };
        for more in [" 512 1024", " port=443", " 17 \"backend\" 12", ""] {
            check(&line(more), Some(("GET", "/", 200, Some(5.0), None, AT)));
        }
        check(
            r#"{"method":"GET","path":"/","status":200,"duration":12.3}"#,
            Some(("GET", "/", 200, None, None, None)),
        );
        check(
            r#"{"logger":"http.log.access.log0","request":{"method":"GET","uri":"/"},"status":200,"duration":0.5}"#,
            Some(("GET", "/", 200, None, Some(500.0), None)),
        );
        check(
            r#"{"method":"GET","path":"/ws","status":101,"duration_ms":600000}"#,
            Some(("GET", "/ws", 101, None, None, None)),
        );
    }

    #[test]
    fn json_is_read_by_the_names_that_programs_have() {
        check(
            r#"{"time":"2000-10-10T20:55:36Z","method":"GET","path":"/a","status":200,"bytes":7,"duration_ms":12.5}"#,
            Some(("GET", "/a", 200, Some(7.0), Some(12.5), AT)),
        );
        check(
            r#"{"request":"PUT /b HTTP/1.1","status":"204","request_time":"0.5","msec":"971211336.0"}"#,
            Some(("PUT", "/b", 204, None, Some(500.0), AT)),
        );
        check(
            r#"{"level":30,"time":971211336000,"req":{"method":"GET","url":"/c"},"res":{"statusCode":500},"responseTime":3}"#,
            Some(("GET", "/c", 500, None, Some(3.0), AT)),
        );
    }

    #[test]
    fn what_a_cache_answered_and_what_is_somebodys_own_is_seen() {
        for (line, is_cached, is_personal) in [
            (
                r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 0.001 cache=HIT"#,
                true,
                false,
            ),
            (
                r#"a - anna [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "HIT" 0.001 MISS"#,
                false,
                true,
            ),
            (
                r#"{"method":"GET","uri":"/","status":200,"upstream_cache_status":"STALE","remote_user":"-"}"#,
                true,
                false,
            ),
            (
                r#"{"method":"GET","uri":"/","status":200,"CacheCacheStatus":"dynamic","user_id":7}"#,
                false,
                true,
            ),
        ] {
            let entry = read(line).unwrap();
            assert_eq!((entry.is_cached, entry.is_personal), (is_cached, is_personal), "{line}");
        }
    }

    #[test]
    fn what_is_no_line_of_an_access_log_is_passed_over() {
        for line in [
            "",
            "{}",
            "{\"status\":200}",
            "starting up",
            "a - - [x] \"\" 200 5",
            "[",
            "{\"status\":1e99,\"method\":\"GET\",\"path\":\"/\"}",
        ] {
            check(line, None);
        }
    }

    #[test]
    fn long_lines_are_read_to_their_end() {
        let head = r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 5"#;
        for part in ["\"", "\"a\" ", "\\", "\\\" ", " ", "a ", "[", "{", "\"\\\\\" "] {
            let more = part.repeat(60_000 / part.len());
            assert!(read(&format!("{head} {more}")).is_some(), "{part}");
            let _ = read(&more);
            let _ = read(&format!("{{\"status\":200,\"method\":\"GET\",\"path\":{more}"));
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_fail(line in "\\PC*") {
            let _entry = read(&line);
        }

        #[test]
        fn no_line_that_looks_right_makes_it_fail(
            at in "[0-9A-Za-z:/ +-]{0,40}", request in "\\PC{0,60}", rest in "[0-9a-z\" .=-]{0,60}",
        ) {
            let _entry = read(&format!("a - - [{at}] \"{request}\" {rest}"));
        }

        #[test]
        fn whatever_numbers_a_line_has_they_are_sizes_and_durations(
            bytes in NUMBER, ms in NUMBER, rest in "( [a-z]{0,3}=?| |\"|\\\\|HIT|ms|é){0,6}",
        ) {
            for line in [
                format!(r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 {bytes} "-" "x" {ms}{rest}"#),
                format!(r#"a - - [10/Oct/2000:20:55:36 +0000] "GET / HTTP/1.1" 200 {bytes} rt={ms} {rest}"#),
                format!(r#"{{"method":"GET","uri":"/","status":200,"size":{bytes},"request_time":{ms}}}"#),
                format!(r#"{{"method":"GET","uri":"/","status":"200","size":"{bytes}","duration_us":"{ms}"}}"#),
            ] {
                let entry = read(&line).unwrap_or_default();
                let amounts = [entry.bytes, entry.ms];
                prop_assert!(amounts.iter().flatten().all(|it| (0.0..=AMOUNT_MAX).contains(it)), "{line}");
            }
        }

        #[test]
        fn no_object_whatever_makes_it_fail(
            inner in "(\\{|\\}|\\[|\\]|:|,|\"(status|path|time|request|res|user|cache|GET /)\"|[0-9]{1,20}|null){0,20}",
        ) {
            let _entry = read(&format!("{{{inner}"));
            let _entry = read(&format!(r#"{{"method":"GET","path":"/","status":200,{inner}}}"#));
        }
    }
}
