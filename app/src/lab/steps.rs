//! How a statement was run.

use leptos::prelude::*;
use tidewall_api::format;
use tidewall_api::lab::Step;

/// The plans of both ways, beside each other.
#[component]
pub fn Steps(
    /// Without, and with.
    steps: RwSignal<[Vec<Step>; 2]>,
) -> impl IntoView {
    let column = move |way: usize, title: &'static str| {
        let rows = move || steps.with(|steps| steps.get(way).into_iter().flatten().map(row).collect_view());
        view! {
            <div>
                <h3>{title}</h3>
                <ol class="plan">{rows}</ol>
            </div>
        }
    };
    let is_known = move || steps.with(|steps| steps.iter().any(|steps| !steps.is_empty()));
    view! {
        <Show when=is_known>
            <div class="lab-pair">{column(0, "Plan without")} {column(1, "Plan with")}</div>
        </Show>
    }
}

fn row(step: &Step) -> impl IntoView + use<> {
    let rows = format::count(step.rows.round() as u64);
    let removed =
        (step.removed > 0.0).then(|| format!(", {} thrown away", format::count(step.removed.round() as u64)));
    view! {
        <li class=format!("plan-{}", step.depth.min(4))>
            <strong>{step.kind.clone()}</strong>
            {step.of.clone().map(|of| format!(" on {of}"))}
            <span class="hint">{rows} " rows" {removed}</span>
        </li>
    }
}
