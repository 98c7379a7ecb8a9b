//! Ops: how the system goes, for those who work here.

use std::time::Duration;

use gloo_timers::future::sleep;
use js_sys::Date;
use leptos::prelude::*;
use tidewall_api::format;
use tidewall_api::job::{Job, JobState};
use tidewall_api::ops::{
    DatabaseServer, EdgeCache, EdgeInvalidation, EdgeOrigin, EdgeView, Overview, QueueView,
};

use super::set_title;
use crate::account::{Account, Who};
use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::components::log_in_first::LogInFirst;
use crate::effect::effect;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);

/// Ops.
#[component]
pub fn OpsPage() -> impl IntoView {
    effect(|| set_title("Ops"));
    let account = expect_context::<Account>();
    view! {
        <div class="ops-page">
            {move || match account.who() {
            Who::Guest => view! { <LogInFirst what="Ops" /> }.into_any(),
            Who::Known(user) if user.staff => view! { <Ops /> }.into_any(),
            Who::Known(_) => {
                view! {
                    <div class="notice">
                        <h1>"Ops"</h1>
                        <p>"This page is for those who work here."</p>
                    </div>
                }
                    .into_any()
            }
            // As staff will see it, whom it is for.
            Who::Unknown => heading().into_any(),
        }}
        </div>
    }
}

fn heading() -> impl IntoView {
    view! {
        <h1>"Ops"</h1>
        <p class="aside">"As one origin and one isolate of the edge see it; looked at every two seconds."</p>
    }
}

/// What was found last.
#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    overview: Option<Overview>,
    queue: Option<QueueView>,
    jobs: Vec<Job>,
}

#[component]
fn Ops() -> impl IntoView {
    let found = RwSignal::new(Found::default());
    let failed = RwSignal::new(None::<ClientError>);
    // All that is shown comes at once, so that nothing moves.
    let is_looked = RwSignal::new(false);
    let look = move || async move {
        // Without a database there is still an overview.
        let (overview, queue, jobs) =
            (client::get_overview().await, client::get_queue().await, client::get_jobs().await);
        let error = [overview.as_ref().err(), queue.as_ref().err(), jobs.as_ref().err()];
        let error = error.into_iter().flatten().next().cloned();
        let is_there = found.try_update(|found| {
            found.overview = overview.ok().or(found.overview.take());
            found.queue = queue.ok().or(found.queue.take());
            if let Ok(jobs) = jobs {
                found.jobs = jobs.items;
            }
        });
        is_there.is_some() && failed.try_set(error).is_none() && is_looked.try_set(true).is_none()
    };
    effect(move || {
        leptos::task::spawn_local(async move {
            // A page that nobody sees asks nothing.
            while document().hidden() || look().await {
                sleep(LOOK).await;
            }
        });
    });
    let again = Callback::new(move |()| {
        leptos::task::spawn_local(async move {
            look().await;
        });
    });
    let edges = move || {
        found.with(|found| found.overview.as_ref().map(|found| found.edges.clone()).unwrap_or_default())
    };
    let servers = move || {
        found.with(|found| found.overview.as_ref().map(|found| found.servers.clone()).unwrap_or_default())
    };
    let is_looked = Memo::new(move |_| is_looked.get());
    let panels = move || {
        is_looked.get().then(|| {
            view! {
                <div class="ops">
                    {move || edges().into_iter().map(|edge| view! { <Edge edge=edge /> }).collect_view()}
                    <Restart />
                    <Servers servers=Signal::derive(servers) />
                    <Queue queue=Signal::derive(move || found.with(|found| found.queue.clone())) />
                    <Jobs jobs=Signal::derive(move || found.with(|found| found.jobs.clone())) again=again />
                </div>
            }
            .into_any()
        })
    };
    view! {
        {heading()}
        <Alert error=failed />
        {panels}
    }
}

#[component]
fn Edge(edge: EdgeView) -> impl IntoView {
    let EdgeView { url, status } = edge;
    let Some(status) = status else {
        return view! {
            <section class="panel">
                <h2>"Edge"</h2>
                <p class="alert">{url} " doesn't answer."</p>
            </section>
        }
        .into_any();
    };
    view! {
        <section class="panel">
            <h2>"Edge"</h2>
            <p class="hint">{url}</p>
            <div class="table-wrap" role="region" aria-label="Origins" tabindex="0">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Origin"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"In flight"</th>
                        </tr>
                    </thead>
                    <tbody>{status.origins.iter().map(origin).collect_view()}</tbody>
                </table>
            </div>
        </section>
        <Cache cache=status.cache memory_bytes=status.memory_bytes />
        <Invalidations entries=status.invalidations />
    }
    .into_any()
}

fn origin(origin: &EdgeOrigin) -> impl IntoView + use<> {
    let class = if origin.state == "up" { "dot dot-up" } else { "dot" };
    view! {
        <tr>
            <th scope="row">{origin.id.clone()}</th>
            <td>
                <span class=class aria-hidden="true"></span>
                " "
                {origin.state.clone()}
            </td>
            <td>{origin.in_flight}</td>
        </tr>
    }
}

#[component]
fn Cache(cache: EdgeCache, memory_bytes: u64) -> impl IntoView {
    let asked = cache.hits + cache.misses;
    let ratio = if asked == 0 {
        "–".to_owned()
    } else {
        format!("{:.0} %", cache.hits as f64 / asked as f64 * 100.0)
    };
    let counts = |title: &'static str, counts: &std::collections::BTreeMap<String, u64>| {
        let rows = counts.iter().map(|(reason, count)| {
            view! {
                <tr>
                    <th scope="row">{reason.clone()}</th>
                    <td>{format::count(*count)}</td>
                </tr>
            }
        });
        (!counts.is_empty()).then(|| {
            view! {
                <table class="bill">
                    <caption>{title}</caption>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            }
        })
    };
    view! {
        <section class="panel">
            <h2>"Cache"</h2>
            <dl class="figures">
                <div>
                    <dt>"Answered by it"</dt>
                    <dd>{ratio}</dd>
                </div>
                <div>
                    <dt>"Hits"</dt>
                    <dd>{format::count(cache.hits)}</dd>
                </div>
                <div>
                    <dt>"Misses"</dt>
                    <dd>{format::count(cache.misses)}</dd>
                </div>
                <div>
                    <dt>"In memory"</dt>
                    <dd>{format!("{:.1} MB", memory_bytes as f64 / 1e6)}</dd>
                </div>
            </dl>
            {counts("Why it missed", &cache.missed)}
            {counts("Why it didn't store", &cache.rejected)}
            {counts("Where hits came from", &cache.levels)}
        </section>
    }
}

#[component]
fn Invalidations(entries: Vec<EdgeInvalidation>) -> impl IntoView {
    let row = |entry: EdgeInvalidation| {
        let EdgeInvalidation { seq, scope, name, soft } = entry;
        let time = Date::new(&(seq as f64).into()).to_locale_time_string("en-GB");
        view! {
            <li>
                <strong>{scope}</strong>
                " "
                <code>{name}</code>
                {soft.then_some(" (stale, not gone)")}
                <span class="hint">{String::from(time)}</span>
            </li>
        }
    };
    let is_empty = entries.is_empty();
    view! {
        <section class="panel">
            <h2>"Invalidations"</h2>
            {is_empty.then(|| view! { <p class="aside">"Nothing was written since the edge began."</p> })}
            <ol class="plan">{entries.into_iter().map(row).collect_view()}</ol>
        </section>
    }
}

#[component]
fn Restart() -> impl IntoView {
    let told = RwSignal::new(None::<&'static str>);
    let failed = RwSignal::new(None::<ClientError>);
    let restart = move |_| {
        failed.set(None);
        leptos::task::spawn_local(async move {
            match client::post::<_, ()>("/api/ops/rolling-restart", &()).await {
                Ok(()) => told.set(Some("It begins: watch the states above. No request is to fail.")),
                Err(error) => failed.set(Some(error)),
            }
        });
    };
    view! {
        <section class="panel">
            <h2>"Deploy"</h2>
            <p class="aside">"Restarts the origins one by one, as a deployment does."</p>
            <button class="button" type="button" on:click=restart>
                "Restart them"
            </button>
            <p role="status">{move || told.get()}</p>
            <Alert error=failed />
        </section>
    }
}

#[component]
fn Servers(servers: Signal<Vec<DatabaseServer>>) -> impl IntoView {
    let row = |server: DatabaseServer| {
        let lag = match server.lag_bytes {
            Some(bytes) if bytes >= 1_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
            Some(bytes) => format!("{} B", format::count(bytes)),
            None => "–".to_owned(),
        };
        let is_up = matches!(server.state.as_str(), "primary" | "replica");
        view! {
            <tr>
                <th scope="row">{server.name}</th>
                <td>
                    <span class=if is_up { "dot dot-up" } else { "dot" } aria-hidden="true"></span>
                    " "
                    {server.state}
                </td>
                <td>{lag}</td>
                <td>{format!("{} of {}", server.in_use, server.max)}</td>
                <td>{server.idle}</td>
                <td>{server.waiting}</td>
            </tr>
        }
    };
    view! {
        <section class="panel panel-wide">
            <h2>"Database, and its pool"</h2>
            <div class="table-wrap" role="region" aria-label="Database servers" tabindex="0">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Server"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Behind by"</th>
                            <th scope="col">"Connections in use"</th>
                            <th scope="col">"Ready"</th>
                            <th scope="col">"Waiting for one"</th>
                        </tr>
                    </thead>
                    <tbody>{move || servers.get().into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Queue(queue: Signal<Option<QueueView>>) -> impl IntoView {
    let rows = move || {
        let kinds = queue.with(|queue| queue.as_ref().map(|queue| queue.kinds.clone()).unwrap_or_default());
        kinds
            .into_iter()
            .map(|(name, kind)| {
                let count = |state: JobState| {
                    format::count(kind.states.get(state.as_str()).copied().unwrap_or_default())
                };
                view! {
                    <tr>
                        <th scope="row">{name}</th>
                        <td>{count(JobState::Available)}</td>
                        <td>{count(JobState::Running)}</td>
                        <td>{count(JobState::Retryable)}</td>
                        <td>{count(JobState::Completed)}</td>
                        <td>{count(JobState::Discarded)}</td>
                        <td>{format!("{:.0} s", kind.oldest_seconds)}</td>
                    </tr>
                }
            })
            .collect_view()
    };
    let workers = move || {
        queue.with(|queue| {
            queue.as_ref().map(|queue| {
                let places: u32 = queue.workers.iter().map(|worker| worker.concurrency).sum();
                format!("{} workers with {places} places.", queue.workers.len())
            })
        })
    };
    view! {
        <section class="panel panel-wide">
            <h2>"Queue"</h2>
            <p class="aside">{workers}</p>
            <div class="table-wrap" role="region" aria-label="Jobs by kind" tabindex="0">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Kind"</th>
                            <th scope="col">"Wait"</th>
                            <th scope="col">"Run"</th>
                            <th scope="col">"To be tried again"</th>
                            <th scope="col">"Done"</th>
                            <th scope="col">"Failed for good"</th>
                            <th scope="col">"Oldest waits"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
fn Jobs(jobs: Signal<Vec<Job>>, again: Callback<()>) -> impl IntoView {
    let failed = RwSignal::new(None::<ClientError>);
    let act = move |id: i64, is_terminal: bool| {
        failed.set(None);
        leptos::task::spawn_local(async move {
            let done = match is_terminal {
                true => client::retry_job(id).await,
                false => client::cancel_job(id).await,
            };
            match done {
                Ok(_) => drop(again.try_run(())),
                Err(error) => {
                    let _gone = failed.try_set(Some(error));
                }
            }
        });
    };
    let row = move |job: Job| {
        let (id, is_terminal) = (job.id, job.state.is_terminal());
        let action = match job.state {
            JobState::Completed => None,
            JobState::Discarded | JobState::Cancelled => Some("Retry"),
            _ => Some("Cancel"),
        };
        view! {
            <tr>
                <th scope="row">{id}</th>
                <td>{job.kind}</td>
                <td>
                    {job.state.as_str()} {job.error.map(|error| view! { <span class="hint">{error}</span> })}
                </td>
                <td>{format!("{:.0} %", job.progress * 100.0)}</td>
                <td>{format!("{} of {}", job.attempt, job.attempts_max)}</td>
                <td>
                    {action
                        .map(|action| {
                            view! {
                                <button
                                    class="button button-quiet"
                                    type="button"
                                    aria-label=format!("{action} job {id}")
                                    on:click=move |_| act(id, is_terminal)
                                >
                                    {action}
                                </button>
                            }
                        })}
                </td>
            </tr>
        }
    };
    view! {
        <section class="panel panel-wide">
            <h2>"Newest jobs"</h2>
            <Alert error=failed />
            <div class="table-wrap" role="region" aria-label="Newest jobs" tabindex="0">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Job"</th>
                            <th scope="col">"Kind"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Done"</th>
                            <th scope="col">"Attempt"</th>
                            <td></td>
                        </tr>
                    </thead>
                    <tbody>{move || jobs.get().into_iter().map(row).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
}
