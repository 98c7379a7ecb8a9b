//! The filters of a list, each a link that takes it away.

use leptos::prelude::*;

use crate::query::ProductQuery;

/// The filters of a list, each a link that takes it away. Its place stays when there are none.
#[component]
pub fn Chips(
    /// What the list shows.
    #[prop(into)]
    shown: Signal<ProductQuery>,
) -> impl IntoView {
    let category = move || {
        let query = shown.get();
        query.category.clone().map(|category| {
            let without = ProductQuery { category: None, page: 1, ..query };
            view! { <Chip label="Category" class="chip chip-category" value=category href=without.href() /> }
        })
    };
    let words = move || {
        let query = shown.get();
        query.q.clone().map(|words| {
            let without = ProductQuery { q: None, page: 1, ..query };
            view! { <Chip label="Search" class="chip" value=words href=without.href() /> }
        })
    };
    view! { <div class="chips">{category} {words}</div> }
}

#[component]
fn Chip(label: &'static str, class: &'static str, value: String, href: String) -> impl IntoView {
    view! {
        <a class=class href=href>
            <span class="visually-hidden">"Remove the filter "</span>
            <span class="chip-label">{label}</span>
            <span class="chip-value">{value}</span>
            <span aria-hidden="true">"×"</span>
        </a>
    }
}
