//! One product.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use tidewall_api::format;
use tidewall_api::problem::Problem;
use tidewall_api::product::Product;

use super::{LastList, set_title};
use crate::client::{self, ClientError};
use crate::components::failure::Failure;
use crate::components::picture::Picture;
use crate::loader::{Loaded, Loader};
use crate::paths;
use crate::query::ProductQuery;
use crate::remembered::Remembered;
use crate::stock::Stock;

/// One product.
#[component]
pub fn ProductPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get_str("id").and_then(paths::product_id));
    let remembered = expect_context::<StoredValue<Remembered>>();
    let product = Loader::new(
        move || id.get(),
        move |id| remembered.with_value(|lists| lists.product((*id)?).cloned()),
        move |id, signal| async move {
            match id {
                Some(id) => client::get_product(id, &signal).await,
                None => Err(no_such_product()),
            }
        },
    );
    Effect::new(move |_| {
        product.with(|product| match product {
            Loaded::Pending => {}
            Loaded::Ready(product) => set_title(&product.name),
            Loaded::Failed(error) if error.is_not_found() => set_title("Product not found"),
            Loaded::Failed(error) => set_title(error.title()),
        });
    });

    let LastList(last_list) = expect_context();
    let content = move || match product.get() {
        Loaded::Pending => skeleton().into_any(),
        Loaded::Ready(product) => details(product).into_any(),
        Loaded::Failed(error) if error.is_not_found() => not_found().into_any(),
        Loaded::Failed(error) => {
            view! { <Failure error=error on_retry=move |()| product.retry() /> }.into_any()
        }
    };
    view! {
        <p class="back">
            <a href=move || last_list.get()>
                <span aria-hidden="true">"← "</span>
                "Back to the list"
            </a>
        </p>
        <div class="product-place" aria-busy=move || product.busy().to_string()>
            {content}
        </div>
    }
}

fn no_such_product() -> ClientError {
    let problem = Problem::new(404, "not-found", "Not found", "There is no product at this address.");
    ClientError::Problem(Box::new(problem))
}

fn details(product: Product) -> impl IntoView {
    let stock = Stock::of(product.stock);
    let category = ProductQuery::in_category(&product.category).href();
    view! {
        <article class="product">
            <Picture path=product.image alt=product.name.clone() />
            <div class="product-text">
                <p class="product-category">
                    <a href=category>{product.category}</a>
                </p>
                <h1>{product.name}</h1>
                <p class="product-price">
                    <span class="price">{format::price(product.price_cents)}</span>
                    <span class=stock.class()>{stock.text()}</span>
                </p>
                <p class="product-description">{product.description}</p>
                <p class="product-number">"Catalogue number " {product.id}</p>
            </div>
        </article>
    }
}

fn skeleton() -> impl IntoView {
    view! {
        <div class="product">
            <div class="picture skeleton"></div>
            <div class="product-text">
                <p class="product-category">
                    <span class="skeleton bar bar-short"></span>
                </p>
                <h1>
                    <span class="visually-hidden">"Loading the product…"</span>
                    <span class="skeleton bar"></span>
                </h1>
                <p class="product-price">
                    <span class="skeleton bar bar-short"></span>
                </p>
                <p class="product-description">
                    <span class="skeleton bar"></span>
                    <span class="skeleton bar"></span>
                    <span class="skeleton bar bar-short"></span>
                </p>
            </div>
        </div>
    }
}

fn not_found() -> impl IntoView {
    view! {
        <div class="notice">
            <h1>"Product not found"</h1>
            <p>"There is no product at this address. It may have been taken out of the shop."</p>
            <a class="button" href=paths::LIST>
                "See all products"
            </a>
        </div>
    }
}
