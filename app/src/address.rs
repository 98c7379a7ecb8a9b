//! Keeps the address bar true to the page.
//!
//! leptos_router 0.8 records the history itself and adds no entry for a URL
//! that its record ends with. A jump over several entries (a long press on
//! "back") leaves that record behind, and the next link to the page that was
//! jumped away from changes the page alone: a reload would show another one.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsValue;
use leptos_router::hooks::use_location;

use crate::effect::effect;

/// Adds the history entry that the router has left out.
pub fn keep_true() {
    let location = use_location();
    let routed = Memo::new(move |_| {
        let path = location.pathname.get();
        location.search.with(|search| if search.is_empty() { path } else { format!("{path}?{search}") })
    });
    effect(move || {
        routed.with(|_| ());
        // The router adds its own entry before the next frame.
        request_animation_frame(move || {
            let routed = routed.get_untracked();
            if shown().is_some_and(|shown| shown != routed)
                && let Ok(history) = window().history()
            {
                // Browsers refuse it to a page that does so hundreds of times a
                // minute; then the address stays as it is.
                let _ = history.push_state_with_url(&JsValue::NULL, "", Some(&routed));
            }
        });
    });
}

/// Path and query in the address bar.
fn shown() -> Option<String> {
    let location = window().location();
    Some(format!("{}{}", location.pathname().ok()?, location.search().ok()?))
}
