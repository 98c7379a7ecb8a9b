//! The ways through the shop, at the head of every page.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::account::{Account, Who};
use crate::basket::Basket;
use crate::effect::effect;
use crate::{client, paths, program};

/// The ways through the shop, and who reads.
#[component]
pub fn SiteNav() -> impl IntoView {
    let account = expect_context::<Account>();
    let basket = expect_context::<Basket>();
    let location = use_location();
    // The shell is the same for all; which page is shown is known once it is mounted.
    let shown = RwSignal::new(String::new());
    effect(move || shown.set(location.pathname.get()));
    let current = move |path: &'static str| move || (shown.get() == path).then_some("page");
    let pieces = move || Some(basket.pieces()).filter(|pieces| *pieces > 0);
    view! {
        <nav class="site-nav" aria-label="Shop">
            <a href=paths::LAB rel=program::rel(paths::LAB) aria-current=current(paths::LAB)>
                "Lab"
            </a>
            <a href=paths::ORDERS rel=program::rel(paths::ORDERS) aria-current=current(paths::ORDERS)>
                "Orders"
            </a>
            <a href=paths::REPORTS rel=program::rel(paths::REPORTS) aria-current=current(paths::REPORTS)>
                "Reports"
            </a>
            {move || {
                account
                    .user()
                    .is_some_and(|user| user.staff)
                    .then(|| {
                        view! {
                            <a href=paths::OPS rel=program::rel(paths::OPS) aria-current=current(paths::OPS)>
                                "Ops"
                            </a>
                        }
                            .into_any()
                    })
            }}
            <a href=paths::CART rel=program::rel(paths::CART) aria-current=current(paths::CART)>
                "Cart"
                {move || {
                    pieces()
                        .map(|pieces| {
                            view! {
                                <span class="count">
                                    {pieces} <span class="visually-hidden">" pieces"</span>
                                </span>
                            }
                                .into_any()
                        })
                }}
            </a>
            {move || match account.who() {
                Who::Known(user) => view! { <LoggedIn email=user.email /> }.into_any(),
                Who::Unknown | Who::Guest => {
                    view! {
                        <a href=paths::LOGIN rel=program::rel(paths::LOGIN) aria-current=current(paths::LOGIN)>
                            "Log in"
                        </a>
                    }
                        .into_any()
                }
            }}
        </nav>
    }
}

#[component]
fn LoggedIn(email: String) -> impl IntoView {
    let account = expect_context::<Account>();
    let failed = RwSignal::new(false);
    let leave = move |_| {
        failed.set(false);
        leptos::task::spawn_local(async move {
            match client::log_out().await {
                Err(error) if !error.is_logged_out() => {
                    // The session goes on: nobody is to believe otherwise.
                    let _gone = failed.try_set(true);
                }
                Ok(()) | Err(_) => {
                    // In a new document, which knows nothing of theirs. Refused only to one that is shown
                    // no more.
                    let _ = window().location().assign(paths::LIST);
                    account.left();
                }
            }
        });
    };
    view! {
        <button class="link" type="button" title=email on:click=leave>
            "Log out"
        </button>
        <span role="alert">{move || failed.get().then_some("You are still logged in. Try again.")}</span>
    }
}
