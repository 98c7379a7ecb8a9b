//! The reader's orders.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use tidewall_api::order::{Order, OrderPage, OrderStatus};

use super::set_title;
use crate::account::{Account, Who};
use crate::client;
use crate::components::failure::Failure;
use crate::components::log_in_first::LogInFirst;
use crate::components::money::Money;
use crate::effect::effect;
use crate::loader::{Loaded, Loader};
use crate::page_window::page_count;
use crate::{paths, program};

/// The reader's orders, the newest first.
#[component]
pub fn OrdersPage() -> impl IntoView {
    effect(|| set_title("Orders"));
    let account = expect_context::<Account>();
    view! {
        {move || match account.who() {
            Who::Guest => view! { <LogInFirst what="Your orders" /> }.into_any(),
            Who::Known(_) => view! { <Orders /> }.into_any(),
            Who::Unknown => view! { <Frame>{skeleton()}</Frame> }.into_any(),
        }}
    }
}

#[component]
fn Frame(children: Children) -> impl IntoView {
    view! {
        <h1>"Your orders"</h1>
        {children()}
    }
}

#[component]
fn Orders() -> impl IntoView {
    let query = use_query_map();
    let number = move |name: &str| query.with(|query| query.get_str(name).and_then(|text| text.parse().ok()));
    let page = Memo::new(move |_| number("page").unwrap_or(1_u32).max(1));
    let placed =
        Memo::new(move |_| query.with(|query| query.get_str("placed").and_then(|id| id.parse::<i64>().ok())));
    let orders = Loader::new(
        move || page.get(),
        |_| None,
        |page, signal| async move { client::get_orders(page, &signal).await },
    );
    view! {
        <Frame>
            <p role="status">
                {move || placed.get().map(|id| format!("Thank you. Your order {id} is placed."))}
            </p>
            {move || match orders.get() {
                Loaded::Pending => skeleton().into_any(),
                Loaded::Ready(page) if page.items.is_empty() => nothing().into_any(),
                Loaded::Ready(page) => list(page).into_any(),
                Loaded::Failed(error) => {
                    view! { <Failure error=error on_retry=move |()| orders.retry() /> }.into_any()
                }
            }}
        </Frame>
    }
}

fn list(page: OrderPage) -> impl IntoView {
    let last = page_count(page.total, page.per_page);
    let step = |label: &'static str, rel: &'static str, to: u32| {
        (1..=last).contains(&to).then(|| {
            view! {
                <a class="pager-step" rel=rel href=format!("{}?page={to}", paths::ORDERS)>
                    {label}
                </a>
            }
        })
    };
    let (newer, older) = (page.page.saturating_sub(1), page.page.saturating_add(1));
    view! {
        <ul class="orders">{page.items.into_iter().map(|order| view! { <One order=order /> }).collect_view()}</ul>
        <nav class="pager" aria-label="Pages">
            {step("Newer", "prev", newer)}
            {step("Older", "next", older)}
        </nav>
    }
}

#[component]
fn One(order: Order) -> impl IntoView {
    let Order { id, status, items, total_cents, created_at } = order;
    // RFC 3339, of which people want the day and the minute.
    let (day, minute) =
        (created_at.get(..10).unwrap_or_default(), created_at.get(11..16).unwrap_or_default());
    let when = format!("{day} {minute} UTC");
    view! {
        <li class="order">
            <div class="order-head">
                <h2>"Order " {id}</h2>
                <p>{label(status)}</p>
                <p>
                    <time datetime=created_at.clone()>{when}</time>
                </p>
                <p>
                    <Money cents=total_cents />
                </p>
            </div>
            <ul class="order-items">
                {items
                    .into_iter()
                    .map(|item| {
                        let name = match item.product_id {
                            Some(id) => view! { <a href=paths::product(id) rel=program::rel(paths::PRODUCT)>{item.name}</a> }.into_any(),
                            None => item.name.into_any(),
                        };
                        view! { <li>{item.quantity} " × " {name} " " <Money cents=item.price_cents /></li> }
                    })
                    .collect_view()}
            </ul>
        </li>
    }
}

fn label(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Placed => "Placed",
        OrderStatus::Shipped => "On its way",
        OrderStatus::Delivered => "Delivered",
        OrderStatus::Cancelled => "Cancelled",
    }
}

fn nothing() -> impl IntoView {
    view! {
        <div class="notice">
            <p>"You have ordered nothing by now."</p>
            <a class="button" href=paths::LIST rel=program::rel(paths::LIST)>
                "See all products"
            </a>
        </div>
    }
}

fn skeleton() -> impl IntoView {
    view! {
        <ul class="orders" aria-hidden="true">
            {(0..3)
                .map(|_| {
                    view! {
                        <li class="order">
                            <span class="skeleton bar"></span>
                            <span class="skeleton bar bar-short"></span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
