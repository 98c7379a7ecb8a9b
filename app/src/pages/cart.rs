//! The reader's cart.

use js_sys::{Date, Math};
use leptos::prelude::*;
use tidewall_api::cart::{Cart, CartItem, QUANTITY_MAX};

use super::set_title;
use crate::account::{Account, Who};
use crate::basket::Basket;
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::components::failure::Failure;
use crate::components::log_in_first::LogInFirst;
use crate::components::money::Money;
use crate::components::picture::Picture;
use crate::effect::effect;
use crate::{paths, program};

/// The reader's cart.
#[component]
pub fn CartPage() -> impl IntoView {
    effect(|| set_title("Cart"));
    let account = expect_context::<Account>();
    let basket = expect_context::<Basket>();
    // What is shown stays where it is while it becomes known who reads.
    let is_guest = Memo::new(move |_| account.who() == Who::Guest);
    let has_cart = Memo::new(move |_| basket.cart().is_some());
    effect(move || basket.forget_failure());
    view! {
        {move || match (is_guest.get(), has_cart.get()) {
            (true, _) => view! { <LogInFirst what="Your cart" /> }.into_any(),
            (false, true) => view! { <Lines /> }.into_any(),
            (false, false) => unknown(basket).into_any(),
        }}
    }
}

#[component]
fn Lines() -> impl IntoView {
    let basket = expect_context::<Basket>();
    let ordering = RwSignal::new(false);
    let refused = RwSignal::new(None::<ClientError>);
    let failed = Signal::derive(move || refused.get().or_else(|| basket.failed()));
    let lead = program::lead();
    // One name for one order, however often the button is pressed; with something else in the cart it is
    // another order.
    let key = StoredValue::new(None::<(Cart, String)>);
    let order = move |_| {
        ordering.set(true);
        refused.set(None);
        let Some(cart) = basket.cart_untracked() else { return };
        let name = match key.get_value().filter(|(of, _)| *of == cart) {
            Some((_, name)) => name,
            None => new_key(),
        };
        key.set_value(Some((cart, name.clone())));
        leptos::task::spawn_local(async move {
            let placed = client::place_order(&name).await;
            ordering.set(false);
            match placed {
                Ok(order) => {
                    basket.clear();
                    lead(&format!("{}?placed={}", paths::ORDERS, order.id));
                }
                Err(error) => {
                    // What was refused for good is another order the next time; of what may have been
                    // done the answer is had by the same name.
                    if error.is_final() {
                        key.set_value(None);
                    }
                    basket.fetch();
                    refused.set(Some(error));
                }
            }
        });
    };
    // Which they are; how many of each a line shows by itself, and stays.
    let products = Memo::new(move |_| {
        let items = basket.cart().map(|cart| cart.items).unwrap_or_default();
        items.iter().map(|item| item.product.id).collect::<Vec<_>>()
    });
    let lines = move || {
        let items = products.get().into_iter().filter_map(|id| untrack(|| basket.of(id)));
        items.map(|item| view! { <Line item=item /> }.into_any()).collect_view()
    };
    let empty = move || basket.cart().is_some_and(|cart| cart.items.is_empty());
    view! {
        <h1>"Your cart"</h1>
        <Alert error=failed />
        <Show
            when=move || !empty()
            fallback=|| {
                view! {
                    <div class="notice">
                        <p>"There is nothing in it."</p>
                        <a class="button" href=paths::LIST>
                            "See all products"
                        </a>
                    </div>
                }
            }
        >
            <ul class="lines">
                {lines}
            </ul>
            <div class="sum">
                <p>
                    "Total " {move || basket.cart().map(|Cart { total_cents, .. }| view! { <Money cents=total_cents /> }.into_any())}
                </p>
                <button
                    class="button"
                    type="button"
                    disabled=move || ordering.get() || !basket.is_settled()
                    on:click=order
                >
                    {move || if ordering.get() { "Ordering…" } else { "Place the order" }}
                </button>
            </div>
        </Show>
    }
}

#[component]
fn Line(item: CartItem) -> impl IntoView {
    let basket = expect_context::<Basket>();
    let CartItem { product, quantity } = item;
    let id = product.id;
    let now = Memo::new(move |_| basket.of(id).map(|item| (item.quantity, item.product.price_cents)));
    let most = product.stock.min(MOST_OFFERED).max(quantity).clamp(1, QUANTITY_MAX);
    let (quantity_now, cents_now) = (
        move || now.get().map_or(quantity, |(quantity, _)| quantity),
        move || now.get().map(|(_, cents)| view! { <Money cents=cents /> }.into_any()),
    );
    let name = product.name.clone();
    let changed = {
        let product = product.clone();
        move |event| {
            if let Ok(quantity) = event_target_value(&event).parse() {
                basket.put(&product, quantity);
            }
        }
    };
    let removed = {
        let product = product.clone();
        move |_| basket.put(&product, 0)
    };
    view! {
        <li class="line">
            <Picture path=product.image alt=String::new() />
            <div class="line-text">
                <a href=paths::product(product.id)>{product.name}</a>
                {cents_now}
            </div>
            <label>
                <span class="visually-hidden">"Pieces of " {name.clone()}</span>
                <select class="field" prop:value=move || quantity_now().to_string() on:change=changed>
                    {(1..=most)
                        .map(|pieces| {
                            view! {
                                <option value=pieces selected={pieces == quantity}>
                                    {pieces}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </label>
            <button class="link" type="button" on:click=removed>
                "Remove"
                <span class="visually-hidden">" " {name}</span>
            </button>
        </li>
    }
}

/// Pieces that can be chosen, unless there are more in the cart already.
const MOST_OFFERED: i32 = 12;

/// What is shown as long as it isn't known what is in it.
fn unknown(basket: Basket) -> impl IntoView {
    move || match basket.failed() {
        Some(error) => view! {
            <Failure
                error=error
                on_retry=move |()| {
                    basket.forget_failure();
                    basket.fetch();
                }
            />
        }
        .into_any(),
        None => skeleton().into_any(),
    }
}

/// A name that no other order has.
fn new_key() -> String {
    format!("cart-{}-{}", Date::now() as u64, (Math::random() * 1e15) as u64)
}

fn skeleton() -> impl IntoView {
    view! {
        <h1>"Your cart"</h1>
        <ul class="lines" aria-hidden="true">
            {(0..3)
                .map(|_| {
                    view! {
                        <li class="line">
                            <div class="picture skeleton" data-early="image"></div>
                            <div class="line-text">
                                <span class="skeleton bar" data-early="name"></span>
                                <span class="skeleton bar bar-short"></span>
                            </div>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
