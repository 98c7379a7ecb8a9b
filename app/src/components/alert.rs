//! Why something that was asked for was not done.

use leptos::prelude::*;

use crate::client::ClientError;

/// Says why, aloud. Its place is there before, or it would not be read out.
#[component]
pub fn Alert(
    /// Why.
    #[prop(into)]
    error: Signal<Option<ClientError>>,
) -> impl IntoView {
    let fields = |error: &ClientError| match error {
        ClientError::Problem(problem) => problem.errors.values().cloned().collect(),
        _ => Vec::new(),
    };
    view! {
        <div role="alert">
            {move || {
                error
                    .get()
                    .map(|error| {
                        view! {
                            <div class="alert">
                                <p>{error.to_string()}</p>
                                {fields(&error).into_iter().map(|why| view! { <p>{why}</p> }).collect_view()}
                            </div>
                        }
                            .into_any()
                    })
            }}
        </div>
    }
}
