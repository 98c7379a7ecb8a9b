//! The pages: the demo shop, prerendered at build time and hydrated in the
//! browser:
//!
//! - natively, `prerender` writes one complete HTML document per
//!   route. Pages over data are shells: everything but the data, with
//!   skeletons of the data's size, the same for every query and product.
//! - for wasm32, `hydrate` takes such a shell over, reads the URL, and fills it. There is one
//!   such program for each group of pages ([`program`]).
//!
//! Data and wasm travel together: a script in the head ([`preload`]) asks for
//! the page's first API answers before the wasm is there, and the app's own
//! requests for the same URLs receive them.
//!
//! The map:
//!
//! - pure, tested natively by tables: [`query`] and [`paths`] (the app's URLs),
//!   [`stock`], [`tools`], [`page_window`], [`remembered`], [`bookmarks`] (what the reader has seen),
//!   [`skew`] and [`builds`] (what a page makes of a deploy)
//! - the rim: [`client`] (HTTP), [`loader`] (one answer's life on a page),
//!   [`account`] (who reads), [`basket`] (their cart), [`leaving`] (links out of the document, and the way back), [`lookout`] (which build is served), [`scroll`] and [`address`] (the history), `prerender` and `document`
//! - what is seen: [`app`] (the frame), [`program`] (which path shows which page), [`site_nav`], [`pages`], [`components`], [`lab`] (experiments)
//!
//! Invariant: until it is mounted a view may depend on nothing but its route.
//! What depends on the query, the parameter or an answer lives in a signal that
//! an effect sets, so the first render in the browser is the shell.

// Where components are not erased, a view is one type, as deep as its markup.
#![recursion_limit = "256"]

#[macro_use]
#[allow(dead_code, reason = "names are looked up where the pages are rendered, which is not in the browser")]
mod public {
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

pub mod account;
pub mod address;
pub mod app;
pub mod basket;
pub mod bookmarks;
pub mod builds;
pub mod client;
pub mod components;
#[cfg(not(target_arch = "wasm32"))]
pub mod document;
pub mod effect;
pub mod lab;
pub mod leaving;
pub mod loader;
pub mod lookout;
pub mod page_window;
pub mod pages;
pub mod paths;
pub mod preload;
#[cfg(not(target_arch = "wasm32"))]
pub mod prerender;
pub mod program;
pub mod query;
pub mod remembered;
pub mod scroll;
pub mod site_nav;
pub mod skew;
pub mod stock;
pub mod tools;

#[cfg(not(target_arch = "wasm32"))]
pub use prerender::{Page, PrerenderError, Script, Scripts, prerender};

/// Takes the prerendered page over, which is `program`'s, with the pages that `routes` has.
#[cfg(target_arch = "wasm32")]
pub fn hydrate(program: program::Program, routes: fn() -> leptos::prelude::AnyView) {
    use leptos::prelude::IntoView;

    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(move || app::App(app::AppProps { program, routes }).into_view());
}
