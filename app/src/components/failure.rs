//! What is shown where an answer should be.

use leptos::prelude::*;

use crate::client::ClientError;

/// Says what went wrong and offers to ask again.
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
    view! {
        <div class="notice" role="alert">
            <h2>{error.title().to_owned()}</h2>
            <p>{error.to_string()}</p>
            {reference.map(|id| view! { <p class="notice-reference">"Reference: " {id}</p> })}
            <button class="button" type="button" on:click=move |_| on_retry.run(())>
                "Try again"
            </button>
        </div>
    }
}
