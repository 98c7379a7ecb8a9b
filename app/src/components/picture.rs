//! A product's picture.

use leptos::either::Either;
use leptos::prelude::*;

/// A product's picture, square whatever its file is; the plain place of one
/// where there is none.
#[component]
pub fn Picture(
    /// Its path on the site, or nothing.
    path: String,
    /// What it shows, unless text beside it says so.
    alt: String,
    /// Far down the page: loaded when it comes near the window.
    #[prop(optional)]
    lazy: bool,
) -> impl IntoView {
    if path.is_empty() {
        return Either::Left(view! { <div class="picture"></div> });
    }
    Either::Right(view! {
        <img
            class="picture"
            src=path
            alt=alt
            width="480"
            height="480"
            loading=if lazy { "lazy" } else { "eager" }
            decoding="async"
        />
    })
}
