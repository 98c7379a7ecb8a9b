//! The Lab. Its texts are whole without JavaScript; with it, and for staff, the experiments run.

use leptos::prelude::*;
use tidewall_api::lab::Lab;

use super::set_title;
use crate::account::Account;
use crate::client::{self, ClientError};
use crate::effect::effect;
use crate::lab::bench::Bench;
use crate::lab::experiment::EXPERIMENTS;
use crate::query::next_search;
use crate::{paths, program};

/// The Lab.
#[component]
pub fn LabPage() -> impl IntoView {
    effect(|| set_title("Lab"));
    let account = expect_context::<Account>();
    let lab = RwSignal::new(None::<Result<Lab, ClientError>>);
    effect(move || {
        if account.user().is_some_and(|user| user.staff) {
            leptos::task::spawn_local(async move {
                let found = client::get_lab().await;
                let _gone = lab.try_set(Some(found));
            });
        }
    });
    let is_open = Signal::derive(move || lab.with(|lab| matches!(lab, Some(Ok(_)))));
    let contents = EXPERIMENTS.iter().map(|experiment| {
        view! {
            <li>
                <a class="chip" href=format!("#{}", experiment.anchor) rel="external">
                    {experiment.tool.as_str()}
                </a>
            </li>
        }
    });
    let benches =
        EXPERIMENTS.iter().map(|experiment| view! { <Bench experiment=experiment is_open=is_open /> });
    view! {
        <article class="lab">
            <h1>"The Lab"</h1>
            <p class="lead">
                "Seven tools, each without and with, on the system that serves this page. What you see is measured here and now; the article's figures stand beside it."
            </p>
            <div class="lab-gate">{move || gate(account, &lab)}</div>
            <nav aria-label="Experiments">
                <ul class="chips">{contents.collect_view()}</ul>
            </nav>
            {benches.collect_view()}
        </article>
    }
}

/// Who may run them, and who else what to do.
fn gate(account: Account, lab: &RwSignal<Option<Result<Lab, ClientError>>>) -> impl IntoView + use<> {
    let text = match (account.user(), lab.get()) {
        (Some(user), _) if !user.staff => {
            "Only staff run experiments. You can read what they are about.".into_any()
        }
        (Some(_), None) => "A moment…".into_any(),
        (Some(_), Some(Ok(lab))) => format!(
            "{} origins, {} replicas. What an experiment changes is undone when it ends.",
            lab.origins.len(),
            lab.replicas
        )
        .into_any(),
        (Some(_), Some(Err(error))) => error.to_string().into_any(),
        (None, _) => {
            let href = format!("{}{}", paths::LOGIN, next_search(paths::LAB));
            view! {
                <a class="inline" href=href rel=program::rel(paths::LOGIN)>
                    "Log in as staff"
                </a>
                " to run them; where this system began, the terminal says with which password."
            }
            .into_any()
        }
    };
    view! { <p class="aside">{text}</p> }
}
