//! What something costs.

use leptos::prelude::*;
use tidewall_api::format;

/// What something costs.
#[component]
pub fn Money(
    /// In cents.
    cents: i64,
) -> impl IntoView {
    view! { <span class="price">{format::price(cents)}</span> }
}
