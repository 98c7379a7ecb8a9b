//! An experiment as it is seen: what it is about, what can be moved, what came of it.

use leptos::prelude::*;
use tidewall_api::advice::{Tool, threshold};

use super::chart::Chart;
use super::distances::Distances;
use super::experiment::{Experiment, Figure, Knob, Told};
use super::load::{Load, RUN_MAX};
use super::origins::Origins;
use super::plot::duration;
use super::steps::Steps;
use super::tally::Tally;
use crate::tools::said;

/// An experiment.
#[component]
pub fn Bench(
    /// Which.
    experiment: &'static Experiment,
    /// Whether it may be run by who reads.
    #[prop(into)]
    is_open: Signal<bool>,
) -> impl IntoView {
    let said = said(experiment.tool);
    let (when, source) = threshold(experiment.tool);
    let knob = experiment.knob.as_ref().map_or(0, |knob| knob.value);
    let load = Load::new(experiment.tool, experiment.ways.len(), experiment.load.0, knob);
    let lines = Memo::new(move |_| load.with_tallies(|all| all.iter().map(Tally::line).collect::<Vec<_>>()));
    view! {
        <section class="lab-bench" id=experiment.anchor aria-labelledby=format!("{}-title", experiment.anchor)>
            <h2 id=format!("{}-title", experiment.anchor)>{experiment.title}</h2>
            <p class="lead">{experiment.problem}</p>
            <p class="aside">{experiment.how}</p>
            <Controls experiment=experiment load=load is_open=is_open />
            <div role="alert">
                {move || load.failed.get().map(|why| view! { <p class="alert">{why}</p> }.into_any())}
            </div>
            <div class="lab-results">
                <Chart lines=lines />
                <Figures experiment=experiment load=load />
            </div>
            {extra(experiment.tool, load, is_open)}
            <dl class="lab-advice">
                <dt>"Add it when"</dt>
                <dd>{when}</dd>
                <dt>"Not yet when"</dt>
                <dd>{said.not_yet}</dd>
                <dt>"Costs"</dt>
                <dd>{said.cost}</dd>
                <dt>"Says who"</dt>
                <dd>{source}</dd>
            </dl>
        </section>
    }
}

/// What an experiment has beside the rest.
fn extra(tool: Tool, load: Load, is_open: Signal<bool>) -> AnyView {
    match tool {
        Tool::Cdn => view! { <Distances /> }.into_any(),
        Tool::LoadBalancer => view! {
            <Show when=move || is_open.get()>
                <Origins />
            </Show>
        }
        .into_any(),
        Tool::Index => view! { <Steps steps=load.course.steps /> }.into_any(),
        Tool::Queue => view! { <LastJob job=load.course.job /> }.into_any(),
        _ => ().into_any(),
    }
}

#[component]
fn LastJob(job: RwSignal<Option<i64>>) -> impl IntoView {
    let href = move |id: i64| format!("/api/jobs/{id}");
    view! {
        <p class="hint" aria-live="off">
            {move || {
                job.get()
                    .map(|id| {
                        view! {
                            "The last job: "
                            <a class="inline" href=href(id) rel="external">
                                {id}
                            </a>
                        }
                    })
            }}
        </p>
    }
}

#[component]
fn Controls(experiment: &'static Experiment, load: Load, is_open: Signal<bool>) -> impl IntoView {
    let way = move |(index, label): (usize, &'static &'static str)| {
        view! {
            <label class="lab-way">
                <input
                    type="radio"
                    name=format!("{}-way", experiment.anchor)
                    checked=index == 0
                    prop:checked=move || load.way.get() == index
                    on:change=move |_| load.way.set(index)
                />
                <span class=format!("lab-key way-{index}") aria-hidden="true"></span>
                {*label}
            </label>
        }
    };
    let toggle = move |_| if load.begun_untracked() { load.stop() } else { load.start() };
    view! {
        <form class="lab-controls" on:submit=|event| event.prevent_default()>
            <fieldset class="lab-ways">
                <legend>"How"</legend>
                {experiment.ways.iter().enumerate().map(way).collect_view()}
            </fieldset>
            <Slider label="Readers at the same time" unit="" range=[1, experiment.load.1, 1] value=load.many />
            {experiment
                .knob
                .as_ref()
                .map(|Knob { label, unit, range, .. }| {
                    view! { <Slider label=*label unit=*unit range=*range value=load.knob /> }
                })}
            <div class="lab-run">
                <button class="button" type="button" disabled=move || !is_open.get() on:click=toggle>
                    {move || if load.is_running() { "Stop" } else { "Start" }}
                </button>
                <span class="hint" role="status">
                    {move || {
                        match load.is_running() {
                            true => format!("It ends by itself after {} s.", RUN_MAX.as_secs()),
                            false => String::new(),
                        }
                    }}
                </span>
            </div>
        </form>
    }
}

#[component]
fn Slider(label: &'static str, unit: &'static str, range: [u32; 3], value: RwSignal<u32>) -> impl IntoView {
    let [from, to, step] = range;
    let moved = move |event| {
        if let Ok(moved) = event_target_value(&event).parse() {
            value.set(moved);
        }
    };
    view! {
        <label>
            <span class="slider-head">
                {label} <output>{move || value.get()} " " {unit}</output>
            </span>
            <input
                type="range"
                min=from.to_string()
                max=to.to_string()
                step=step.to_string()
                value=value.get_untracked().to_string()
                prop:value=move || value.get().to_string()
                on:input=moved
            />
        </label>
    }
}

/// What came of it, in numbers: this machine's, and the article's.
#[component]
fn Figures(experiment: &'static Experiment, load: Load) -> impl IntoView {
    let of_tally = |tally: Option<&Tally>, told: fn(&Tally) -> Option<String>| {
        tally.and_then(told).unwrap_or_else(|| "–".to_owned())
    };
    let cells = move |told: fn(&Tally) -> Option<String>| {
        load.with_tallies(|tallies| {
            (0..experiment.ways.len())
                .map(|way| view! { <td>{of_tally(tallies.get(way), told)}</td> }.into_any())
                .collect_view()
        })
    };
    let figure = move |(index, figure): (usize, &'static Option<Figure>)| {
        let figure = figure.as_ref()?;
        let cells = move || {
            let text = |tally: &Tally| tell(tally, index, figure.told).unwrap_or_else(|| "–".to_owned());
            load.with_tallies(|tallies| {
                tallies.iter().map(|tally| view! { <td>{text(tally)}</td> }.into_any()).collect_view()
            })
        };
        Some(view! {
            <tr>
                <th scope="row">{figure.label}</th>
                {cells}
            </tr>
        })
    };
    let heads = experiment.ways.iter().enumerate().map(|(way, label)| {
        view! {
            <th scope="col">
                <span class=format!("lab-key way-{way}") aria-hidden="true"></span>
                {*label}
            </th>
        }
    });
    let middle = experiment.ways.len() - 1;
    view! {
        <div
            class="table-wrap"
            role="region"
            aria-label=format!("Figures: {}", experiment.title)
            tabindex="0"
        >
            <table class="lab-figures">
                <thead>
                    <tr>
                        <td></td>
                        {heads.collect_view()}
                    </tr>
                </thead>
                <tbody>
                    <tr>
                        <th scope="row">"Half of the requests within"</th>
                        {move || cells(|tally| tally.quantile(0.5).map(duration))}
                    </tr>
                    <tr>
                        <th scope="row">"95 of 100 within"</th>
                        {move || cells(|tally| tally.quantile(0.95).map(duration))}
                    </tr>
                    <tr>
                        <th scope="row">"Answered in a second"</th>
                        {move || cells(|tally| tally.rate().map(|rate| format!("{rate:.0}")))}
                    </tr>
                    <tr>
                        <th scope="row">"Failed"</th>
                        {move || cells(|tally| (tally.requests() + tally.errors() > 0).then(|| tally.errors().to_string()))}
                    </tr>
                    {experiment.figures.iter().enumerate().map(figure).collect_view()}
                </tbody>
                <tfoot>
                    <tr>
                        <th scope="row">"The article"</th>
                        <td>{experiment.article[0]}</td>
                        <td colspan=middle.to_string()>{experiment.article[1]}</td>
                    </tr>
                    <tr>
                        <th scope="row">"Times faster here"</th>
                        <td></td>
                        {move || load.with_tallies(|tallies| ratios(tallies, experiment.ratio_of))}
                    </tr>
                </tfoot>
            </table>
        </div>
    }
}

fn ratios(tallies: &[Tally], of: Option<usize>) -> impl IntoView + use<> {
    let time = |tally: &Tally| match of {
        Some(figure) => (tally.requests() > 0).then(|| tally.count(figure) / f64::from(tally.requests())),
        None => tally.quantile(0.5),
    };
    let without = tallies.first().and_then(time);
    let ratio = |tally: &Tally| Some(without? / time(tally)?.max(1e-3));
    let text = |tally| ratio(tally).map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1}"));
    tallies.iter().skip(1).map(|tally| view! { <td>{text(tally)}</td> }.into_any()).collect_view()
}

/// A figure in words; `None`: nothing was answered yet.
fn tell(tally: &Tally, index: usize, told: Told) -> Option<String> {
    let requests = f64::from(tally.requests());
    let sum = tally.count(index);
    (requests > 0.0).then(|| match told {
        Told::Sum => tidewall_api::format::count(sum.round() as u64),
        Told::Each if sum / requests >= 100.0 => tidewall_api::format::count((sum / requests).round() as u64),
        Told::Each => format!("{:.1}", sum / requests),
        Told::Share => format!("{:.0} %", sum / requests * 100.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tally::Seen;

    #[test]
    fn figures_are_told_as_they_are_counted() {
        let mut tally = Tally::default();
        assert_eq!(tell(&tally, 0, Told::Share), None);
        for count in [0.0, 1.0, 1.0, 5_998.0] {
            tally.add(0, &Seen { ms: 1.0, counts: [count, count.min(1.0), 0.0] });
        }
        assert_eq!(tell(&tally, 0, Told::Sum).as_deref(), Some("6,000"));
        assert_eq!(tell(&tally, 0, Told::Each).as_deref(), Some("1,500"));
        assert_eq!(tell(&tally, 1, Told::Share).as_deref(), Some("75 %"));
        assert_eq!(tell(&tally, 2, Told::Each).as_deref(), Some("0.0"));
    }
}
