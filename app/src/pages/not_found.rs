//! What is shown where there is nothing.

use leptos::prelude::*;

use crate::effect::effect;
use crate::{paths, program};

/// What is shown where there is nothing.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    effect(|| super::set_title("Page not found"));
    view! {
        <div class="notice">
            <h1>"Page not found"</h1>
            <p>"There is nothing at this address. It may have been mistyped, or the page has moved."</p>
            <a class="button" href=paths::LIST rel=program::rel(paths::LIST)>
                "See all products"
            </a>
        </div>
    }
}
