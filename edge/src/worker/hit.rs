//! A hit from memory or the Cache API, answered without a promise of Rust's, and with as
//! few crossings between JavaScript and Wasm as there can be, for each costs more than
//! what is decided.
//!
//! - One crossing reads method, URL and the fields of a request that matter here.
//! - The decisions are those of every request: [`route`], [`Judge::usable`].
//! - One crossing answers; from memory with fields that are kept ready beside the
//!   response, of which those that tell its age are written anew once a second.
//! - What isn't in memory JavaScript looks for in the Cache API, and asks again with what
//!   it has found: all is decided anew, for the wait may have changed it.
//!
//! Whatever isn't a fresh response, whole, that nobody has to be asked about, is none: then
//! the request goes the way of all others, as if it had not been here.

use std::cell::Cell;
use std::time::Duration;

use js_sys::{Array, Uint8Array};
use tidewall_api::headers::{CACHE_CONTROL, CACHE_STATUS, TIDEWALL_BOOKMARK, X_REQUEST_ID};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{Headers, Request, Response, ResponseInit};

use crate::balance::sticky::TW_ORIGIN;
use crate::cache::key::{cache_api_url, cache_key, canonical_query};
use crate::cache::level::Level;
use crate::cache::privacy::Privacy;
use crate::cache::removals::Mark;
use crate::cache::request::RequestDirectives;
use crate::cache::status::CacheStatus;
use crate::cache::target::{Target, normal_escapes};
use crate::cache::usable::{Basis, Situation, Usable};
use crate::config::Config;
use crate::control::bookmark;
use crate::cookies;
use crate::fields::Fields;
use crate::judge::Judge;
use crate::request_id;
use crate::route::{Route, Site, route};
use crate::time::Timestamp;
use crate::timing::Timings;
use crate::worker::control_log::Standing;
use crate::worker::isolate::Isolate;
use crate::worker::js;
use crate::worker::reply::NULL_BODY_STATUSES;
use crate::worker::store::{READ_DEADLINE, Stored};

/// Fields of a request that say whether it may be answered from the store; those that
/// are configured as private as well.
const JUDGED: [&str; 5] = ["authorization", CACHE_CONTROL, "cookie", TIDEWALL_BOOKMARK, X_REQUEST_ID];

/// Fields of a request that wants something else than the whole response.
const ELSEWHERE: [&str; 6] =
    ["if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range", "upgrade"];

#[wasm_bindgen(inline_js = r#"
export function told(request, judged, elsewhere) {
  const { method, headers } = request;
  if (method !== "GET" && method !== "HEAD") return undefined;
  for (const name of elsewhere) {
    if (headers.has(name)) return undefined;
  }
  // No field holds a line break.
  let lines = `${method}\n${request.url}`;
  for (const name of judged) {
    const value = headers.get(name);
    if (value !== null) lines += `\n${name}\n${value}`;
  }
  return lines;
}

export function renew(headers, age, status) {
  headers.set("age", age);
  headers.set("cache-status", status);
}

export function look(url, mark, waitMax) {
  return { url, mark, waitMax };
}

export function respond(init, body, id) {
  // The response gets fields of its own.
  init.headers.set("x-request-id", id ?? crypto.randomUUID());
  return new Response(body, init);
}
"#)]
extern "C" {
    /// What a request says, by lines; `None` where it is none of these.
    #[wasm_bindgen(catch)]
    fn told(request: &Request, judged: &Array, elsewhere: &Array) -> Result<Option<String>, JsValue>;

    #[wasm_bindgen(catch)]
    fn renew(headers: &Headers, age: &str, status: &str) -> Result<(), JsValue>;

    /// Asks JavaScript to look for what lies under this URL, for so many milliseconds.
    fn look(url: &str, mark: f64, wait_max: u32) -> JsValue;

    #[wasm_bindgen(catch)]
    fn respond(init: &ResponseInit, body: Option<&Uint8Array>, id: Option<&str>)
    -> Result<Response, JsValue>;
}

/// The names, as JavaScript has them.
pub(super) struct Names {
    judged: Array,
    elsewhere: Array,
}

impl Names {
    pub(super) fn of(config: &Config) -> Self {
        let array = |names: &mut dyn Iterator<Item = &str>| names.map(JsValue::from).collect();
        let private = config.private.fields.iter().map(String::as_str);
        Self {
            judged: array(&mut JUDGED.into_iter().chain(private)),
            elsewhere: array(&mut ELSEWHERE.into_iter()),
        }
    }
}

/// A stored response's status and fields, ready to be sent.
pub(super) struct Prepared {
    init: ResponseInit,
    headers: Headers,
    /// The age, and the seconds left, that the fields tell now.
    tells: Cell<(u64, i64)>,
}

/// The answer to a request that is a hit from memory; else, where it may be one from
/// nearby, what to look for there: the URL of the Cache API, and the `mark` for
/// [`hit_nearby`].
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "exported to JavaScript")]
pub fn hit(request: &Request) -> JsValue {
    asked(request, |asked| {
        let stored = &asked.isolate.stored;
        if stored.has_variants(&asked.key, asked.now) {
            return None;
        }
        let Some(stored) = stored.response(&asked.key, asked.now) else {
            let mark = stored.look_nearby(asked.now)?;
            let wait_max = READ_DEADLINE.as_millis() as u32;
            return Some(look(&cache_api_url(&asked.key), mark.to_f64(), wait_max));
        };
        let prepared = prepared(&stored, asked.fresh(&stored)?, asked.now)?;
        asked.answer(&prepared.init, &stored, Level::Memory).map(JsValue::from)
    })
    .unwrap_or(JsValue::UNDEFINED)
}

/// The answer to a request, if it is a hit with the `value` that the Cache API had under
/// the URL that [`hit`] said with this `mark`, after so many milliseconds.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "exported to JavaScript")]
pub fn hit_nearby(request: &Request, value: &Uint8Array, mark: f64, took_ms: f64) -> Option<Response> {
    asked(request, |asked| {
        let stored = Stored::decode(value)?;
        let found = asked.fresh(&stored)?;
        asked.isolate.stored.promote(&asked.key, &stored, Mark::from_f64(mark));
        let took = Duration::try_from_secs_f64(took_ms / 1_000.0).unwrap_or_default();
        let init = init(&stored, found, Level::CacheApi, took, asked.now)?.0;
        asked.answer(&init, &stored, Level::CacheApi)
    })
}

/// The Cache API has let a request wait in vain.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "exported to JavaScript")]
pub fn slow_nearby() {
    if let Some(isolate) = Isolate::begun() {
        isolate.stored.was_slow(Level::CacheApi, js::now());
    }
}

/// A request that may be answered here.
struct Asked<'a> {
    isolate: &'a Isolate,
    method: &'a str,
    target: &'a Target<'a>,
    /// Of its URL.
    key: String,
    /// Those that say whether it may be answered from the store.
    fields: Fields,
    standing: Standing,
    now: Timestamp,
}

/// Answers a request, if it may be answered here.
fn asked<T>(request: &Request, answer: impl FnOnce(&Asked<'_>) -> Option<T>) -> Option<T> {
    let isolate = &*Isolate::begun().filter(|isolate| isolate.has_store)?;
    let config = isolate.config.as_ref().ok()?;
    let names = isolate.names.get_or_init(|| Names::of(config));
    let lines = told(request, &names.judged, &names.elsewhere).ok()??;
    let (method, lines) = lines.split_once('\n')?;
    let (url, lines) = lines.split_once('\n').unwrap_or((lines, ""));
    let mut fields = Fields::from_lines(lines);
    let brought = bookmark::take(&mut fields);
    // Which origin a browser was sent to makes no difference here, nor anybody known.
    cookies::take(&mut fields, TW_ORIGIN);
    // It is taken as it came: what is in memory lies under URLs as they are written after they
    // were parsed, and one of those is its own.
    let url = normal_escapes(url);
    let target = &Target::parse(&url)?;
    let site = match isolate.site.get() {
        Some(index) => Site::Built(index),
        None if isolate.has_no_site.get() => Site::Absent,
        None => return None,
    };
    if route(target.path, site, &config.origin_paths) != Route::Origin {
        return None;
    }
    let now = js::now();
    let standing = isolate.control.standing(config.control, brought, now)?;
    let key = cache_key(target, &canonical_query(target.query, &config.tracking_parameters));
    answer(&Asked { isolate, method, target, key, fields, standing, now })
}

impl Asked<'_> {
    /// How a stored response may be used, if that is because it is fresh.
    fn fresh(&self, stored: &Stored) -> Option<Usable> {
        let config = self.isolate.config.as_ref().ok()?;
        let asked = RequestDirectives::of(&self.fields, config.client_cache_control);
        let privacy = Privacy::of(&self.fields, &config.private);
        let (key, path, now) = (&*self.key, self.target.path, self.now);
        let Standing { has_view: is_view_current, demand } = self.standing;
        let found = self.isolate.control.with(|view| {
            Judge { key, path, asked, privacy, view, is_view_current, demand, now }
                .usable(&stored.envelope, Situation::Lookup)
                .ok()
        })?;
        let has_body = !NULL_BODY_STATUSES.contains(&stored.envelope.status);
        (has_body && found.basis == Basis::Fresh).then_some(found)
    }

    /// Answers with a stored response, beside this status and these fields.
    fn answer(&self, init: &ResponseInit, stored: &Stored, level: Level) -> Option<Response> {
        let body = (self.method != "HEAD").then_some(&stored.body);
        let id = request_id::sane(self.fields.get(X_REQUEST_ID));
        let response = respond(init, body, id).ok()?;
        self.isolate.counters.borrow_mut().hit(level);
        Some(response)
    }
}

/// What is kept ready, as it is to be told now.
fn prepared(stored: &Stored, found: Usable, now: Timestamp) -> Option<&Prepared> {
    let tells = (stored.envelope.age(now).as_secs(), found.ttl_s());
    if let Some(prepared) = stored.prepared.get() {
        if prepared.tells.get() != tells {
            let mut fields = Fields::default();
            if let Some(upstream) = stored.to_client().get(CACHE_STATUS) {
                fields.set(CACHE_STATUS, upstream);
            }
            CacheStatus::Hit(found).append_to(&mut fields);
            renew(&prepared.headers, &tells.0.to_string(), fields.get(CACHE_STATUS)?).ok()?;
            prepared.tells.set(tells);
        }
        return Some(prepared);
    }
    let (init, headers) = init(stored, found, Level::Memory, Duration::ZERO, now)?;
    Some(stored.prepared.get_or_init(|| Prepared { init, headers, tells: Cell::new(tells) }))
}

/// Status and fields of a stored response, as they are to be told now.
fn init(
    stored: &Stored,
    found: Usable,
    level: Level,
    took: Duration,
    now: Timestamp,
) -> Option<(ResponseInit, Headers)> {
    let mut fields = stored.to_client().clone();
    fields.set("age", stored.envelope.age(now).as_secs().to_string());
    CacheStatus::Hit(found).append_to(&mut fields);
    let mut timings = Timings::default();
    timings.record(level.as_str(), took);
    timings.append_to(&mut fields);
    let headers = js::write_fields(&fields).ok()?;
    let init = ResponseInit::new();
    init.set_status(stored.envelope.status);
    init.set_headers(&headers);
    Some((init, headers))
}
