//! Links to the pages of a list.

use leptos::either::Either;
use leptos::prelude::*;

use crate::page_window::{Place, page_window};
use crate::query::ProductQuery;
use tidewall_api::format;

/// Links to the pages of a list. Nothing when there is but one.
#[component]
pub fn Pager(
    /// The list, on the page that is shown.
    query: ProductQuery,
    /// Its last page.
    last: u32,
) -> impl IntoView {
    (last > 1).then(|| {
        let current = query.page;
        let step = |label: &'static str, rel: &'static str, to: u32| {
            if (1..=last).contains(&to) {
                Either::Left(
                    view! { <a class="pager-step" rel=rel href=query.on_page(to).href()>{label}</a> },
                )
            } else {
                Either::Right(view! { <span class="pager-step" aria-hidden="true">{label}</span> })
            }
        };
        let place = |place| match place {
            Place::Gap => Either::Left(view! { <li aria-hidden="true">"…"</li> }),
            Place::Page(page) => {
                let number = format::count(u64::from(page));
                Either::Right(view! {
                    <li>
                        <a
                            href=query.on_page(page).href()
                            aria-label=format!("Page {number}")
                            aria-current=(page == current).then_some("page")
                        >
                            {number.clone()}
                        </a>
                    </li>
                })
            }
        };
        view! {
            <nav class="pager" aria-label="Pages">
                {step("Previous", "prev", current.saturating_sub(1))}
                <ol>{page_window(current, last).into_iter().map(place).collect_view()}</ol>
                {step("Next", "next", current.saturating_add(1))}
            </nav>
        }
    })
}
