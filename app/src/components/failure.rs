//! What is shown where an answer should be.

use leptos::prelude::*;

use crate::client::ClientError;
use crate::lookout;

/// Says what went wrong and offers to ask again, or to reload where that is of no use.
#[component]
pub fn Failure(
    /// What went wrong.
    error: ClientError,
    /// Asks again.
    #[prop(into)]
    on_retry: Callback<()>,
) -> impl IntoView {
    let reference = match &error {
        ClientError::Problem(problem) => problem.request_id.clone(),
        _ => None,
    };
    let reloads = error.wants_reload();
    view! {
        <div class="notice" role="alert">
            <h2>{error.title().to_owned()}</h2>
            <p>{error.to_string()}</p>
            {reference.map(|id| view! { <p class="notice-reference">"Reference: " {id}</p> })}
            <button class="button" type="button" on:click=move |_| if reloads { lookout::reload() } else { on_retry.run(()) }>
                {if reloads { "Reload" } else { "Try again" }}
            </button>
        </div>
    }
}
