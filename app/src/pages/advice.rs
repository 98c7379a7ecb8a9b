//! What the advisor says of the system that serves the page.

use leptos::prelude::*;
use tidewall_api::advice::{Advice, Report, Verdict};

use crate::account::Account;
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::pages::toolkit::{capitalized, rounded};

/// The report, when staff ask for it.
#[component]
pub fn OwnAdvice() -> impl IntoView {
    let account = expect_context::<Account>();
    let report = RwSignal::new(None::<Report>);
    let failed = RwSignal::new(None::<ClientError>);
    let is_looking = RwSignal::new(false);
    let ask = move |_| {
        is_looking.set(true);
        failed.set(None);
        leptos::task::spawn_local(async move {
            let asked = client::get_advice().await;
            let (found, error) = match asked {
                Ok(found) => (Some(found), None),
                Err(error) => (None, Some(error)),
            };
            if is_looking.try_set(false).is_none() {
                report.set(found);
                failed.set(error);
            }
        });
    };
    view! {
        <h2 id="advice">"This very system"</h2>
        <p class="aside">
            "The advisor looks at the database, the origins and the edge that serve this page, twice, some seconds apart. For your own: "
            <code>"tidewall advise --database-url …"</code>
        </p>
        <Show
            when=move || account.user().is_some_and(|user| user.staff)
            fallback=|| view! { <p class="hint">"Staff can ask for it here."</p> }
        >
            <button class="button" type="button" disabled=move || is_looking.get() on:click=ask>
                {move || if is_looking.get() { "It looks…" } else { "Ask the advisor" }}
            </button>
        </Show>
        <Alert error=failed />
        <div aria-live="polite">{move || report.get().map(table)}</div>
    }
}

fn table(report: Report) -> impl IntoView {
    let row = |advice: Advice| {
        let figures: Vec<_> = advice
            .evidence
            .iter()
            .map(|figure| format!("{}: {} {}", figure.what, rounded(figure.value), figure.unit))
            .collect();
        view! {
            <tr>
                <th scope="row">{capitalized(advice.tool.as_str())}</th>
                <td>{words(advice.verdict)}</td>
                <td>{advice.reason} <span class="hint">{figures.join("; ")}</span></td>
            </tr>
        }
    };
    view! {
        <div class="table-wrap" role="region" aria-labelledby="advice" tabindex="0">
            <table>
                <caption>{format!("Stage {}: {}", report.stage, report.stage_reason)}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Tool"</th>
                        <th scope="col">"Verdict"</th>
                        <th scope="col">"Why"</th>
                    </tr>
                </thead>
                <tbody>{report.tools.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

const fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::AddNow => "Add it now",
        Verdict::NotYet => "Not yet",
        Verdict::InPlace => "In place",
        Verdict::Unknown => "Can't be said",
    }
}
