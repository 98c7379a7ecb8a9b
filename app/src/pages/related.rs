//! Others of the same kind.

use leptos::prelude::*;
use tidewall_api::product::Product;

use crate::client;
use crate::components::card::{CardSkeleton, ProductCard};
use crate::loader::{Loaded, Loader};
use crate::query::ProductQuery;

/// How many are shown.
const SHOWN: usize = 4;

/// A few other products of a category. They are an offer: where they can't be had, nothing is said.
#[component]
pub fn Related(
    /// The product that is shown already.
    product: i64,
    /// Its category.
    category: String,
) -> impl IntoView {
    let query = ProductQuery::in_category(&category);
    let list = Loader::new(
        move || query.clone(),
        |_| None,
        |query, signal| async move { client::get_products(&query, &signal).await },
    );
    let others = move || match list.get() {
        Loaded::Pending => (0..SHOWN).map(|_| view! { <CardSkeleton /> }).collect_view().into_any(),
        Loaded::Failed(_) => ().into_any(),
        Loaded::Ready(page) => {
            let others = page.items.into_iter().filter(|item| item.id != product).take(SHOWN);
            others
                .map(|other: Product| view! { <ProductCard product=other lazy=true /> })
                .collect_view()
                .into_any()
        }
    };
    view! {
        <section class="related" aria-labelledby="related">
            <h2 id="related">"More like this"</h2>
            <ul class="grid">{others}</ul>
        </section>
    }
}
