//! The script in every page's head that asks for the page's first API answer
//! while the wasm is on its way. It must name the very URL that the app will
//! ask for, or the answer is loaded twice: what [`crate::query`] and
//! [`crate::paths`] say in Rust, `preload.js` says again in JavaScript, and
//! `tests/node.rs` holds them to each other.
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

/// Under this name of the window the script hands its answer over.
const TAKE: &str = "takePreloaded";

/// The script's text, the same on every page.
pub fn script() -> String {
    let sorts: Vec<&str> = ProductSort::ALL.into_iter().map(ProductSort::as_str).collect();
    let script = include_str!("preload.js").trim_end();
    format!("({script})({PAGE_MAX}, {sorts:?}, {{ {TIDEWALL_API_VERSION:?}: \"{API_VERSION}\" }});")
}

/// The answer to `path` that the script has asked for, if it has, or why there is none. Only
/// who asks first gets one: later it is not the newest any more.
pub async fn take(path: &str) -> Option<Result<web_sys::Response, JsValue>> {
    let take: Function = Reflect::get(&window(), &TAKE.into()).ok()?.dyn_into().ok()?;
    let answer: Promise = take.call1(&JsValue::UNDEFINED, &path.into()).ok()?.dyn_into().ok()?;
    Some(JsFuture::from(answer).await.map(JsCast::unchecked_into))
}
