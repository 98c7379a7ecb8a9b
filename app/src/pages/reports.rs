//! Reports: asked for, made in the background, followed, fetched.

use std::time::Duration;

use gloo::events::EventListener;
use gloo_timers::future::sleep;
use js_sys::Date;
use leptos::html;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_router::hooks::use_query_map;
use tidewall_api::job::{Job, JobState, ReportFormat, ReportKind, ReportRequest};
use web_sys::{EventSource, MessageEvent};

use super::set_title;
use crate::account::{Account, Who};
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::components::log_in_first::LogInFirst;
use crate::effect::effect;
use crate::{paths, program};

/// To ask for a report, and to see it being made. The job's number stands in the URL, so a reload goes
/// on where it was.
#[component]
pub fn ReportsPage() -> impl IntoView {
    effect(|| set_title("Reports"));
    let account = expect_context::<Account>();
    view! {
        {move || match account.who() {
            Who::Guest => view! { <LogInFirst what="Reports" /> }.into_any(),
            Who::Known(_) => view! { <Reports /> }.into_any(),
            Who::Unknown => view! { <Frame /> }.into_any(),
        }}
    }
}

/// What is there whoever reads.
#[component]
fn Frame(#[prop(optional)] children: Option<Children>) -> impl IntoView {
    view! {
        <div class="narrow">
            <h1>"Reports"</h1>
            <p class="aside">
                "Your orders of a stretch of time, as a table or a document. It is made in the background: you can leave this page, and come back."
            </p>
            {children.map(|children| children())}
        </div>
    }
}

#[component]
fn Reports() -> impl IntoView {
    let query = use_query_map();
    let number =
        Memo::new(move |_| query.with(|query| query.get_str("job").and_then(|id| id.parse::<i64>().ok())));
    let job = RwSignal::new(None::<Job>);
    let failed = RwSignal::new(None::<ClientError>);
    follow(number, job, failed);
    view! {
        <Frame>
            <AskForReport failed=failed />
            <Alert error=failed />
            {move || job.get().map(|job| view! { <Progress job=job failed=failed /> })}
        </Frame>
    }
}

#[component]
fn AskForReport(failed: RwSignal<Option<ClientError>>) -> impl IntoView {
    let (from, to) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let format = NodeRef::<html::Select>::new();
    let lead = program::lead();
    // The shell is the same on every day.
    effect(move || {
        let today = String::from(Date::new_0().to_iso_string());
        let (Some(from), Some(to)) = (from.get(), to.get()) else { return };
        if let (Some(day), Some(year)) = (today.get(..10), today.get(..4)) {
            to.set_value(day);
            from.set_value(&format!("{year}-01-01"));
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (Some(from), Some(to), Some(format)) =
            (from.get_untracked(), to.get_untracked(), format.get_untracked())
        else {
            return;
        };
        let report = ReportRequest {
            kind: ReportKind::Orders,
            format: if format.value() == "pdf" { ReportFormat::Pdf } else { ReportFormat::Csv },
            from: from.value(),
            to: to.value(),
        };
        failed.set(None);
        leptos::task::spawn_local(async move {
            match client::ask_for_report(&report).await {
                Ok(job) => {
                    lead(&format!("{}?job={}", paths::REPORTS, job.id));
                }
                Err(error) => failed.set(Some(error)),
            }
        });
    };
    view! {
        <form class="form form-row" on:submit=submit>
            <label>"From" <input class="field" type="date" name="from" required node_ref=from /></label>
            <label>"To" <input class="field" type="date" name="to" required node_ref=to /></label>
            <label>
                "As"
                <select class="field" name="format" node_ref=format>
                    <option value="csv">"Table (CSV)"</option>
                    <option value="pdf">"Document (PDF)"</option>
                </select>
            </label>
            <button class="button" type="submit">
                "Make the report"
            </button>
        </form>
    }
}

#[component]
fn Progress(job: Job, failed: RwSignal<Option<ClientError>>) -> impl IntoView {
    let Job { id, state, progress, result, error, .. } = job;
    let percent = (progress * 100.0).round();
    let cancel = move |_| {
        leptos::task::spawn_local(async move {
            if let Err(error) = client::cancel_job(id).await {
                failed.set(Some(error));
            }
        });
    };
    view! {
        <section class="job" aria-label="Your report">
            <p role="status">{words(state)}</p>
            <progress max="100" value=percent aria-label="How much of it is made">
                {percent}
                " %"
            </progress>
            {error.filter(|_| state != JobState::Completed).map(|error| view! { <p class="hint">{error}</p> })}
            {result
                .map(|result| {
                    view! {
                        <a class="button" href=result.url rel="external" download>
                            "Download"
                        </a>
                    }
                })}
            {(!state.is_terminal())
                .then(|| {
                    view! {
                        <button class="button button-quiet" type="button" on:click=cancel>
                            "Stop it"
                        </button>
                    }
                })}
        </section>
    }
}

const fn words(state: JobState) -> &'static str {
    match state {
        JobState::Available | JobState::Scheduled => "It waits for its turn.",
        JobState::Running => "It is being made.",
        JobState::Retryable => "Something went wrong; it is tried again in a moment.",
        JobState::Completed => "It is ready.",
        JobState::Discarded => "It could not be made.",
        JobState::Cancelled => "It was stopped.",
    }
}

/// A stream that has ended is begun anew after so long.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);

/// Keeps `job` as the job of that number is: asked for once, then told by the server as it goes on.
fn follow(number: Memo<Option<i64>>, job: RwSignal<Option<Job>>, failed: RwSignal<Option<ClientError>>) {
    let stream = StoredValue::new_local(None::<Stream>);
    let stop = move || {
        if let Some(Stream { source, .. }) = stream.try_update_value(Option::take).flatten() {
            source.close();
        }
    };
    // Counts streams that were lost.
    let lost = RwSignal::new(0_u32);
    effect(move || {
        stop();
        lost.track();
        let wanted = number.get();
        job.update(|job| *job = job.take().filter(|job| Some(job.id) == wanted));
        let Some(id) = wanted else { return };
        leptos::task::spawn_local(async move {
            let answer = client::get_job(id).await;
            // Somebody may have gone on to another one, or left.
            if number.try_get_untracked() != Some(Some(id)) {
                return;
            }
            match answer {
                Ok(now) => {
                    let ended = now.state.is_terminal();
                    job.set(Some(now));
                    if !ended {
                        stream.set_value(listen(id, job, lost));
                    }
                }
                Err(error) => failed.set(Some(error)),
            }
        });
    });
    on_cleanup(stop);
}

/// What tells of a job.
struct Stream {
    source: EventSource,
    _listeners: [EventListener; 2],
}

/// A connection that is lost a browser makes anew by itself; one that was refused, as when the session
/// is over or an origin restarts, it gives up.
fn listen(id: i64, job: RwSignal<Option<Job>>, lost: RwSignal<u32>) -> Option<Stream> {
    let source = EventSource::new(&format!("{}/events", paths::job_api(id))).ok()?;
    let told = source.clone();
    let tells = EventListener::new(&source, "job", move |event| {
        let data = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
        let Some(now) = data.and_then(|data| serde_json::from_str::<Job>(&data).ok()) else { return };
        // The server ends the stream then, and a browser would begin anew.
        if now.state.is_terminal() {
            told.close();
        }
        let _gone = job.try_set(Some(now));
    });
    let given_up = source.clone();
    let fails = EventListener::new(&source, "error", move |_| {
        if given_up.ready_state() == EventSource::CLOSED {
            leptos::task::spawn_local(async move {
                sleep(LISTEN_AGAIN).await;
                let _gone = lost.try_update(|lost| *lost += 1);
            });
        }
    });
    Some(Stream { source, _listeners: [tells, fails] })
}
