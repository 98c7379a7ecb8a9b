//! One product.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use tidewall_api::format;
use tidewall_api::problem::Problem;
use tidewall_api::product::Product;

use super::edit::EditProduct;
use super::last_list::LastList;
use super::related::Related;
use super::set_title;
use crate::account::{Account, Who};
use crate::basket::Basket;
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::components::failure::Failure;
use crate::components::picture::Picture;
use crate::effect::effect;
use crate::loader::{Loaded, Loader};
use crate::query::{ProductQuery, next_search};
use crate::remembered::Remembered;
use crate::stock::Stock;
use crate::{paths, program};

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
    effect(move || {
        product.with(|product| match product {
            Loaded::Pending => {}
            Loaded::Ready(product) => set_title(&product.name),
            Loaded::Failed(error) if error.is_not_found() => set_title("Product not found"),
            Loaded::Failed(error) => set_title(error.title()),
        });
    });

    let last_list = expect_context::<LastList>();
    // Who has gone on to another product meanwhile is shown that.
    let show = Callback::new(move |changed: Product| {
        if id.try_get_untracked().flatten() == Some(changed.id) {
            product.replace(changed);
        }
    });
    // What is around a product stays where it is while that changes.
    let shown = Memo::new(move |_| {
        product.with(|product| match product {
            Loaded::Ready(product) => Some((product.id, product.category.clone())),
            Loaded::Pending | Loaded::Failed(_) => None,
        })
    });
    let shown_id = Memo::new(move |_| shown.get().map(|(id, _)| id));
    let account = expect_context::<Account>();
    let is_staff = Memo::new(move |_| account.user().is_some_and(|user| user.staff));
    let edit = move || {
        shown_id.get().filter(|_| is_staff.get())?;
        let Loaded::Ready(product) = product.get_untracked() else { return None };
        Some(view! { <EditProduct product=product show=show /> }.into_any())
    };
    let related = move || {
        shown.get().map(|(id, category)| view! { <Related product=id category=category /> }.into_any())
    };
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
            <a href=move || last_list.path()>
                <span aria-hidden="true">"← "</span>
                "Back to the list"
            </a>
        </p>
        <div class="product-place" aria-busy=move || product.busy().to_string()>
            {content}
        </div>
        {edit}
        {related}
    }
}

fn no_such_product() -> ClientError {
    let problem = Problem::new(404, "not-found", "Not found", "There is no product at this address.");
    ClientError::Problem(Box::new(problem))
}

fn details(product: Product) -> impl IntoView {
    let of_cart = product.clone();
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
                <AddToCart product=of_cart />
                <p class="product-description">{product.description}</p>
                <p class="product-number">"Catalogue number " {product.id}</p>
            </div>
        </article>
    }
}

/// Puts the product into the cart; whoever is nobody in particular logs in first, and comes back.
#[component]
fn AddToCart(product: Product) -> impl IntoView {
    let account = expect_context::<Account>();
    let basket = expect_context::<Basket>();
    let (id, is_out) = (product.id, product.stock <= 0);
    let failed = Signal::derive(move || basket.failed());
    let pieces = move || basket.of(id).map(|item| item.quantity);
    effect(move || basket.forget_failure());
    // Made anew when that changes alone, and not when a name comes to who reads.
    let is_guest = Memo::new(move |_| account.who() == Who::Guest);
    view! {
        <div class="buy">
            {move || match is_guest.get() {
                true => {
                    let href = format!("{}{}", paths::LOGIN, next_search(&paths::product(id)));
                    view! {
                        <a class="button" href=href rel=program::rel(paths::LOGIN)>
                            "Log in to buy"
                        </a>
                    }
                        .into_any()
                }
                false => {
                    let product = product.clone();
                    view! {
                        <button
                            class="button"
                            type="button"
                            disabled=move || is_out || basket.cart().is_none()
                            on:click=move |_| basket.add(&product)
                        >
                            "Add to cart"
                        </button>
                    }
                        .into_any()
                }
            }}
            <p role="status">
                {move || {
                    pieces()
                        .map(|pieces| view! { {pieces} " in your " <a class="inline" href=paths::CART>"cart"</a> }.into_any())
                }}
            </p>
        </div>
        <Alert error=failed />
    }
}

fn skeleton() -> impl IntoView {
    view! {
        <div class="product">
            <div class="picture skeleton" data-early="image"></div>
            <div class="product-text">
                <p class="product-category">
                    <span class="skeleton bar bar-short"></span>
                </p>
                <h1>
                    <span class="visually-hidden">"Loading the product…"</span>
                    <span class="skeleton bar" data-early="name"></span>
                </h1>
                <p class="product-price">
                    <span class="skeleton bar bar-short"></span>
                </p>
                <div class="buy"></div>
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
