//! The offer of a newer version of the page.

use leptos::prelude::*;

/// Says that there is a newer version, aloud once whoever reads aloud has nothing else to
/// say, and leaves it to the reader. It takes no focus, and no place from the content.
#[component]
pub fn UpdateNotice(
    /// Whether there is one.
    #[prop(into)]
    shown: Signal<bool>,
    /// The reader wants it.
    #[prop(into)]
    on_reload: Callback<()>,
    /// The reader doesn't want it now.
    #[prop(into)]
    on_dismiss: Callback<()>,
) -> impl IntoView {
    // The paragraph is there before its text: what comes with it isn't read aloud.
    view! {
        <div class="update" class:update-shown=move || shown.get()>
            <p role="status">{move || shown.get().then_some("There is a newer version of the shop.")}</p>
            {move || {
                shown
                    .get()
                    .then(|| {
                        view! {
                            <button class="button" type="button" on:click=move |_| on_reload.run(())>
                                "Reload"
                            </button>
                            <button
                                class="button button-quiet"
                                type="button"
                                on:click=move |_| on_dismiss.run(())
                            >
                                "Not now"
                            </button>
                        }
                            .into_any()
                    })
            }}
        </div>
    }
}
