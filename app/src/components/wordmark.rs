//! The shop's name as it is drawn.

use leptos::prelude::*;

/// The shop's name as it is drawn: a tide against a wall.
#[component]
pub fn Wordmark() -> impl IntoView {
    view! {
        <svg class="wordmark-sign" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
            <rect width="32" height="32" rx="8" fill="currentColor" />
            <path
                d="M5 13c3.7 0 3.7-3 7.3-3s3.7 3 7.3 3 3.7-3 7.4-3M5 19c3.7 0 3.7-3 7.3-3s3.7 3 7.3 3 3.7-3 7.4-3M5 25c3.7 0 3.7-3 7.3-3s3.7 3 7.3 3 3.7-3 7.4-3"
                class="wordmark-tide"
            />
        </svg>
        <span class="wordmark-name">"Tidewall"</span>
    }
}
