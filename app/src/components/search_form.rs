//! The search box and the order of a list.

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;
use tidewall_api::product::{NAME_CHARS_MAX, ProductSort};

use crate::paths;
use crate::query::ProductQuery;

/// The search box and the order of a list: a plain GET form, which leads to the
/// same URL before the app is there; after that it navigates within it.
#[component]
pub fn SearchForm(
    /// What the list shows.
    #[prop(into)]
    shown: Signal<ProductQuery>,
) -> impl IntoView {
    let words = NodeRef::<html::Input>::new();
    let order = NodeRef::<html::Select>::new();
    let navigate = use_navigate();

    // A URL that is gone to, by whatever way, fills the form in.
    Effect::new(move |filled: Option<()>| {
        let query = shown.get();
        if let (Some(words), Some(order)) = (words.get_untracked(), order.get_untracked()) {
            let q = query.q.unwrap_or_default();
            // What was typed before the app was there stays.
            if filled.is_some() || !q.is_empty() {
                words.set_value(&q);
            }
            order.set_value(query.sort.as_str());
        }
    });

    let go = move || {
        let (Some(words), Some(order)) = (words.get_untracked(), order.get_untracked()) else { return };
        let q = words.value().trim().to_owned();
        let next = ProductQuery {
            category: shown.get_untracked().category,
            q: (!q.is_empty()).then_some(q),
            page: 1,
            sort: ProductSort::parse(&order.value()).unwrap_or_default(),
        };
        navigate(&next.href(), Default::default());
    };
    let submit = {
        let go = go.clone();
        move |event: leptos::ev::SubmitEvent| {
            event.prevent_default();
            go();
        }
    };
    view! {
        <form class="search" role="search" action=paths::LIST method="get" on:submit=submit>
            <label class="search-words">
                <span class="visually-hidden">"Search products"</span>
                <input
                    class="field"
                    type="search"
                    name="q"
                    placeholder="Search products"
                    maxlength=NAME_CHARS_MAX.to_string()
                    enterkeyhint="search"
                    autocomplete="off"
                    node_ref=words
                />
            </label>
            <input
                type="hidden"
                name="category"
                value=move || shown.get().category.unwrap_or_default()
            />
            <button class="button" type="submit">
                "Search"
            </button>
            <label class="search-order">
                <span>"Sort by"</span>
                <select class="field" name="sort" node_ref=order on:change=move |_| go()>
                    {ProductSort::ALL
                        .map(|sort| view! { <option value=sort.as_str()>{label(sort)}</option> })
                        .collect_view()}
                </select>
            </label>
        </form>
    }
}

fn label(sort: ProductSort) -> &'static str {
    match sort {
        ProductSort::Id => "Catalogue order",
        ProductSort::Name => "Name",
        ProductSort::Price => "Price, low to high",
        ProductSort::PriceDesc => "Price, high to low",
        ProductSort::Newest => "Newest",
    }
}
