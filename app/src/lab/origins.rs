//! The origins, to be killed.

use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::prelude::*;
use tidewall_api::lab::Lab;

use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::effect::effect;

/// How often it is looked who runs.
const LOOK: Duration = Duration::from_secs(1);

/// Which run, with a button for each to end it.
#[component]
pub fn Origins() -> impl IntoView {
    let lab = RwSignal::new(None::<Lab>);
    let failed = RwSignal::new(None::<ClientError>);
    effect(move || {
        leptos::task::spawn_local(async move {
            loop {
                // What isn't known stays as it was.
                let found = client::get_lab().await.ok();
                let is_shown = lab.try_update(|lab| *lab = found.or(lab.take())).is_some();
                if !is_shown {
                    return;
                }
                sleep(LOOK).await;
            }
        });
    });
    let kill = move |id: String| {
        failed.set(None);
        leptos::task::spawn_local(async move {
            let killed = client::post::<_, ()>(&format!("/api/lab/origins/{id}/kill"), &()).await;
            if let Err(error) = killed {
                let _gone = failed.try_set(Some(error));
            }
        });
    };
    let rows = move || {
        let origins = lab.with(|lab| lab.as_ref().map(|lab| lab.origins.clone()).unwrap_or_default());
        let row = |origin: tidewall_api::lab::LabOrigin| {
            let (id, named) = (origin.id.clone(), format!(" origin {}", origin.id));
            view! {
                <li class="lab-origin">
                    <span class=if origin.is_running { "dot dot-up" } else { "dot" } aria-hidden="true"></span>
                    "Origin "
                    {origin.id}
                    <span class="hint">{if origin.is_running { "runs" } else { "is gone" }}</span>
                    <button
                        class="button button-quiet"
                        type="button"
                        disabled=!origin.is_running
                        on:click=move |_| kill(id.clone())
                    >
                        "Kill"
                        <span class="visually-hidden">{named}</span>
                    </button>
                </li>
            }
        };
        origins.into_iter().map(row).collect_view()
    };
    view! {
        <ul class="lab-origins" aria-label="Origins">
            {rows}
        </ul>
        <Alert error=failed />
    }
}
