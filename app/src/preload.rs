//! The script in every page's head that asks for the page's first API answers
//! while the wasm is on its way: what the page shows, and, where somebody is logged
//! in, who that is and what is in their cart. Pictures and names of what comes are
//! shown in the skeleton's places (`data-early`) until the app puts the real ones
//! there. It must name the very URLs that the app will ask for, or an answer is
//! loaded twice: what [`crate::query`] and [`crate::paths`] say in Rust,
//! `preload.js` says again in JavaScript, and `tests/node.rs` holds them to each
//! other.
//!
//! It fetches rather than have a `<link>` do it: a link can't send the version
//! of the shapes that the app reads, and nobody gets its answer who sends more
//! than it did (Fetch, section 5.6).

use js_sys::futures::JsFuture;
use js_sys::{Function, Promise, Reflect};
use leptos::prelude::window;
use leptos::wasm_bindgen::{JsCast, JsValue};
use tidewall_api::api_version::API_VERSION;
use tidewall_api::headers::TIDEWALL_API_VERSION;
use tidewall_api::product::{PAGE_MAX, ProductSort};

use crate::account::MARK;
use crate::pages::list::EAGER_PICTURES;

/// Under this name of the window the script hands its answer over.
const TAKE: &str = "takePreloaded";

/// An answer is of use for so long after it has come, in milliseconds: who asks later wants what is so
/// then.
const FRESH_MS: u32 = 10_000;

/// The script's text, the same on every page.
pub fn script() -> String {
    let sorts: Vec<&str> = ProductSort::ALL.into_iter().map(ProductSort::as_str).collect();
    let script = include_str!("preload.js").trim_end();
    let fields = format!("{{ {TIDEWALL_API_VERSION:?}: \"{API_VERSION}\" }}");
    format!("({script})({PAGE_MAX}, {sorts:?}, {fields}, {MARK:?}, {EAGER_PICTURES}, {FRESH_MS});")
}

/// The answer to a GET of `path` that the script has asked for; `None` where it has not, or got none.
/// Only who asks first gets one: later it is not the newest any more.
pub async fn take(path: &str) -> Option<web_sys::Response> {
    let take: Function = Reflect::get(&window(), &TAKE.into()).ok()?.dyn_into().ok()?;
    let answer: Promise = take.call1(&JsValue::UNDEFINED, &path.into()).ok()?.dyn_into().ok()?;
    JsFuture::from(answer).await.ok().map(JsCast::unchecked_into)
}

/// Nobody takes what was asked for before: by now another session asks, or one that has been renewed.
pub fn forget() {
    // Fails on no property that can be set.
    let _ = Reflect::set(&window(), &TAKE.into(), &JsValue::UNDEFINED);
}
