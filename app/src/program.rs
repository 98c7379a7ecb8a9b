//! The programs that take pages over in the browser. They are several, so that whoever opens
//! the shop need not load the Lab first. Each has a share of the pages, and a link from a page
//! of one to a page of another is the browser's.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route};
use leptos_router::hooks::{use_location, use_navigate};
use leptos_router::path;

use crate::effect::effect;
use crate::pages::cart::CartPage;
use crate::pages::lab::LabPage;
use crate::pages::last_list::LastList;
use crate::pages::list::ListPage;
use crate::pages::login::LoginPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::ops::OpsPage;
use crate::pages::orders::OrdersPage;
use crate::pages::product::ProductPage;
use crate::pages::reports::ReportsPage;
use crate::pages::toolkit::ToolkitPage;
use crate::remembered::Remembered;
use crate::{lookout, paths};

/// A program: a binary of this crate, by the name it has in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Products and the cart, whose changes are on their way while the reader goes on; and the page
    /// for what there is not.
    Shop,
    /// What is somebody's own: orders and reports, and logging in.
    Account,
    /// The Lab.
    Lab,
    /// The Toolkit.
    Toolkit,
    /// Ops.
    Ops,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Shop, Self::Account, Self::Lab, Self::Toolkit, Self::Ops];

    /// Its binary's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Account => "account",
            Self::Lab => "lab",
            Self::Toolkit => "toolkit",
            Self::Ops => "ops",
        }
    }

    /// Which has the page at `path`, a path or a route, with or without a query.
    pub fn of(path: &str) -> Self {
        let end = path.find(['?', '#']).unwrap_or(path.len());
        match path[..end].trim_end_matches('/') {
            paths::ORDERS | paths::REPORTS | paths::LOGIN => Self::Account,
            paths::LAB => Self::Lab,
            paths::TOOLKIT => Self::Toolkit,
            paths::OPS => Self::Ops,
            _ => Self::Shop,
        }
    }

    /// The `rel` of a link from a page of this program to `path`: whether the router leaves it to
    /// the browser.
    pub fn rel(self, path: &str) -> Option<&'static str> {
        (Self::of(path) != self).then_some("external")
    }
}

/// The `rel` of a link to `path` from the page that is being shown.
pub fn rel(path: &str) -> Option<&'static str> {
    expect_context::<Program>().rel(path)
}

/// Leads to a path: by the router or, where another program has the page, by the browser. Nobody is led
/// away from a page that they have gone to meanwhile.
pub fn lead() -> impl Fn(&str) + Copy {
    let program = expect_context::<Program>();
    let navigate = StoredValue::new_local(use_navigate());
    move |to| {
        navigate.try_with_value(|navigate| match program.rel(to) {
            // Refused only to documents that are shown no more.
            Some(_) => drop(window().location().assign(to)),
            None => navigate(to, Default::default()),
        });
    }
}

/// The routes of the shop.
pub fn shop() -> AnyView {
    provide_context(StoredValue::new(Remembered::default()));
    provide_context(LastList::begin());
    view! {
        <FlatRoutes fallback=|| view! { <Elsewhere /> }>
            <Route path=path!("/") view=ListPage />
            <Route path=path!("/products/:id") view=ProductPage />
            <Route path=path!("/cart") view=CartPage />
        </FlatRoutes>
    }
    .into_any()
}

/// The routes of what is somebody's own.
pub fn account() -> AnyView {
    view! {
        <FlatRoutes fallback=|| view! { <Elsewhere /> }>
            <Route path=path!("/orders") view=OrdersPage />
            <Route path=path!("/reports") view=ReportsPage />
            <Route path=path!("/login") view=LoginPage />
        </FlatRoutes>
    }
    .into_any()
}

/// The route of the Lab.
pub fn lab() -> AnyView {
    view! {
        <FlatRoutes fallback=|| view! { <Elsewhere /> }>
            <Route path=path!("/lab") view=LabPage />
        </FlatRoutes>
    }
    .into_any()
}

/// The route of the Toolkit.
pub fn toolkit() -> AnyView {
    view! {
        <FlatRoutes fallback=|| view! { <Elsewhere /> }>
            <Route path=path!("/toolkit") view=ToolkitPage />
        </FlatRoutes>
    }
    .into_any()
}

/// The route of Ops.
pub fn ops() -> AnyView {
    view! {
        <FlatRoutes fallback=|| view! { <Elsewhere /> }>
            <Route path=path!("/ops") view=OpsPage />
        </FlatRoutes>
    }
    .into_any()
}

/// Where the router has been led to a path that this program has no page at: it is another
/// program's, which the browser loads, or nobody's.
#[component]
fn Elsewhere() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    if rel(&path).is_none() {
        return view! { <NotFoundPage /> }.into_any();
    }
    // The router names the path in the address bar once it has shown what is there.
    effect(|| set_timeout(lookout::reload, std::time::Duration::ZERO));
    view! { <p class="aside" role="status">"A moment…"</p> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_a_page_of_one_program() {
        for (path, program) in [
            ("/", Program::Shop),
            ("/products/{id}", Program::Shop),
            ("/labs", Program::Shop),
            ("/cart", Program::Shop),
            ("/login?next=/lab", Program::Account),
            ("/orders?placed=1", Program::Account),
            ("/lab", Program::Lab),
            ("/lab/", Program::Lab),
            ("/lab#cache", Program::Lab),
            ("/ops?x=1", Program::Ops),
            ("/toolkit", Program::Toolkit),
        ] {
            assert_eq!(Program::of(path), program, "{path}");
        }
    }

    #[test]
    fn a_link_to_another_programs_page_is_the_browsers() {
        assert_eq!(Program::Shop.rel("/lab"), Some("external"));
        assert_eq!(Program::Lab.rel("/login?next=/lab"), Some("external"));
        assert_eq!(Program::Shop.rel("/cart"), None);
        assert_eq!(Program::Ops.rel("/ops"), None);
    }
}
