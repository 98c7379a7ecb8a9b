//! The frame around every page.

use leptos::html;
use leptos::prelude::*;
use leptos_router::components::Router;
use leptos_router::hooks::use_location;

use crate::account::Account;
use crate::basket::Basket;
use crate::components::update_notice::UpdateNotice;
use crate::components::wordmark::Wordmark;
use crate::effect::effect;
use crate::leaving::{Returned, hold_back_until_settled};
use crate::lookout::{self, Lookout};
use crate::program::{self, Program};
use crate::site_nav::SiteNav;
use crate::{address, paths, scroll};

/// The whole of the body.
#[component]
pub fn App(
    /// Whose page it is.
    program: Program,
    /// That program's pages.
    routes: fn() -> AnyView,
) -> impl IntoView {
    provide_context(program);
    provide_context(Lookout::begin());
    let account = Account::begin();
    provide_context(account);
    let basket = Basket::begin(account);
    provide_context(basket);
    provide_context(Returned::begin(account));
    hold_back_until_settled(basket);
    effect(scroll::restore_on_return);
    view! {
        <Router>
            <Frame routes />
        </Router>
    }
}

#[component]
fn Frame(routes: fn() -> AnyView) -> impl IntoView {
    address::keep_true();
    let main = NodeRef::<html::Main>::new();
    let location = use_location();
    // Whoever follows a link goes on reading at the page's start, not where the
    // link was. A form keeps the focus: its reader is not done with it.
    Effect::new(move |arrived: Option<()>| {
        // Read, not tracked: a memo that nobody reads does not follow its source.
        location.pathname.with(|_| ());
        location.search.with(|_| ());
        if arrived.is_some() && !focus_is_in_form() {
            focus(main);
        }
    });
    let lookout = expect_context::<Lookout>();
    let on_dismiss = move |()| {
        lookout.decline();
        // The button that has the focus goes.
        focus(main);
    };
    view! {
        // Left to the browser, which also moves the focus.
        <a class="skip" href="#main" rel="external">
            "Skip to the content"
        </a>
        <header class="header">
            <div class="header-inner">
                <a class="wordmark" href=paths::LIST rel=program::rel(paths::LIST)>
                    <Wordmark />
                    <span class="wordmark-shop">"shop"</span>
                </a>
                <SiteNav />
            </div>
        </header>
        <main id="main" tabindex="-1" node_ref=main>
            <noscript>
                <p class="banner">"This shop fills its pages with JavaScript. Switch it on to see the products."</p>
            </noscript>
            <p class="banner banner-unstarted" role="alert">
                "The shop could not start. Reload the page; if that does not help, your browser may be too old."
            </p>
            {routes()}
        </main>
        <footer class="footer">
            <div class="footer-inner">
                <p>"Tidewall shop is a demonstration. Nothing here is sold or shipped."</p>
                <p>"Prices in US dollars."</p>
                <p>
                    <a class="inline" href=paths::TOOLKIT rel=program::rel(paths::TOOLKIT)>
                        "What it is built with, and when to add what"
                    </a>
                </p>
            </div>
        </footer>
        <UpdateNotice
            shown=Signal::derive(move || lookout.offers())
            on_reload=|()| lookout::reload()
            on_dismiss=on_dismiss
        />
    }
}

fn focus(main: NodeRef<html::Main>) {
    if let Some(main) = main.get_untracked() {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        // Fails on no element that is in the document.
        let _ = main.focus_with_options(&options);
    }
}

fn focus_is_in_form() -> bool {
    let focused = document().active_element();
    focused.is_some_and(|element| matches!(element.closest("form"), Ok(Some(_))))
}
