//! The script in every page's head that asks for the page's first API answer
//! while the wasm is on its way. It must name the very URL that the app will
//! fetch, or the answer is loaded twice: what [`crate::query`] and
//! [`crate::paths`] say in Rust, `preload.js` says again in JavaScript, and
//! `tests/node.rs` holds them to each other.

use tidewall_api::product::{PAGE_MAX, ProductSort};

/// The script's text, the same on every page.
pub fn script() -> String {
    let sorts: Vec<&str> = ProductSort::ALL.into_iter().map(ProductSort::as_str).collect();
    format!("({})({PAGE_MAX}, {sorts:?});", include_str!("preload.js").trim_end())
}
