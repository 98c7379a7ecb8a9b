//! The frame around every page, and which path shows which page.

use leptos::html;
use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::account::Account;
use crate::basket::Basket;
use crate::components::update_notice::UpdateNotice;
use crate::components::wordmark::Wordmark;
use crate::lookout::{self, Lookout};
use crate::pages::LastList;
use crate::pages::cart::CartPage;
use crate::pages::lab::LabPage;
use crate::pages::list::ListPage;
use crate::pages::login::LoginPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::ops::OpsPage;
use crate::pages::orders::OrdersPage;
use crate::pages::product::ProductPage;
use crate::pages::reports::ReportsPage;
use crate::pages::toolkit::ToolkitPage;
use crate::remembered::Remembered;
use crate::site_nav::SiteNav;
use crate::{address, paths, scroll};

/// The whole of the body.
#[component]
pub fn App() -> impl IntoView {
    provide_context(StoredValue::new(Remembered::default()));
    provide_context(Lookout::begin());
    let account = Account::begin();
    provide_context(account);
    provide_context(Basket::begin(account));
    provide_context(LastList(RwSignal::new(paths::LIST.to_owned())));
    Effect::new(|_| scroll::restore_on_return());
    view! {
        <Router>
            <Frame />
        </Router>
    }
}

#[component]
fn Frame() -> impl IntoView {
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
                <a class="wordmark" href=paths::LIST>
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
            <FlatRoutes fallback=NotFoundPage>
                <Route path=path!("/") view=ListPage />
                <Route path=path!("/products/:id") view=ProductPage />
                <Route path=path!("/cart") view=CartPage />
                <Route path=path!("/orders") view=OrdersPage />
                <Route path=path!("/reports") view=ReportsPage />
                <Route path=path!("/login") view=LoginPage />
                <Route path=path!("/toolkit") view=ToolkitPage />
                <Route path=path!("/lab") view=LabPage />
                <Route path=path!("/ops") view=OpsPage />
            </FlatRoutes>
        </main>
        <footer class="footer">
            <div class="footer-inner">
                <p>"Tidewall shop is a demonstration. Nothing here is sold or shipped."</p>
                <p>"Prices in US dollars."</p>
                <p>
                    <a class="inline" href=paths::TOOLKIT>
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
