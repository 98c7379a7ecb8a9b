//! What is shown where there is nothing.

use leptos::prelude::*;

use crate::paths;

/// What is shown where there is nothing.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    Effect::new(|_| super::set_title("Page not found"));
    view! {
        <div class="notice">
            <h1>"Page not found"</h1>
            <p>"There is nothing at this address. It may have been mistyped, or the page has moved."</p>
            <a class="button" href=paths::LIST>
                "See all products"
            </a>
        </div>
    }
}
