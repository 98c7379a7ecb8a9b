//! A product in a list.

use leptos::prelude::*;
use tidewall_api::format;
use tidewall_api::product::Product;

use crate::components::picture::Picture;
use crate::paths;
use crate::query::ProductQuery;
use crate::stock::Stock;

/// A product in a list. All of it leads to the product's page, but for its
/// category, which leads to what else is in it.
#[component]
pub fn ProductCard(
    /// What to show.
    product: Product,
    /// Far down the list: its picture is loaded when it comes near the window.
    lazy: bool,
) -> impl IntoView {
    let stock = Stock::of(product.stock);
    let category = ProductQuery::in_category(&product.category).href();
    view! {
        <li class="card">
            <Picture path=product.image alt=String::new() lazy=lazy />
            <div class="card-text">
                <h2 class="card-name">
                    <a href=paths::product(product.id)>{product.name}</a>
                </h2>
                <p class="card-category">
                    <a href=category>{product.category}</a>
                </p>
                <p class="card-foot">
                    <span class="price">{format::price(product.price_cents)}</span>
                    <span class=stock.class()>{stock.text()}</span>
                </p>
            </div>
        </li>
    }
}

/// The place of a card whose product is on its way.
#[component]
pub fn CardSkeleton() -> impl IntoView {
    view! {
        <li class="card">
            <div class="picture skeleton" data-early="image"></div>
            <div class="card-text">
                <p class="card-name">
                    <span class="skeleton bar" data-early="name"></span>
                </p>
                <p class="card-category">
                    <span class="skeleton bar bar-short"></span>
                </p>
                <p class="card-foot">
                    <span class="skeleton bar bar-short"></span>
                </p>
            </div>
        </li>
    }
}
