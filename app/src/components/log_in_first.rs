//! What is shown of a page that is somebody's own, to nobody in particular.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::query::next_search;
use crate::{paths, program};

/// Leads to where one logs in, and back.
#[component]
pub fn LogInFirst(
    /// Whose it is: `Your cart`.
    what: &'static str,
) -> impl IntoView {
    let location = use_location();
    let href = move || format!("{}{}", paths::LOGIN, next_search(&location.pathname.get()));
    view! {
        <div class="notice">
            <h1>{what}</h1>
            <p>"It is kept with your account. Log in, or make an account: an address and a password will do."</p>
            <a class="button" href=href rel=program::rel(paths::LOGIN)>
                "Log in"
            </a>
        </div>
    }
}
