//! The Toolkit: which of the seven tools, when, and what it costs. Whole without JavaScript; with it the
//! calculator can be moved.

use std::collections::BTreeSet;

use leptos::prelude::*;
use tidewall_api::advice::{Bill, Prices, STAGES, Tool, Usage, bill, command, threshold};

use super::advice::OwnAdvice;
use super::set_title;
use crate::effect::effect;
use crate::tools::{SAID, Said};

/// The Toolkit.
#[component]
pub fn ToolkitPage() -> impl IntoView {
    effect(|| set_title("Toolkit"));
    view! {
        <article class="toolkit">
            <h1>"Seven tools, one at a time"</h1>
            <p class="lead">
                "A product that grows runs into seven bottlenecks, and each has one tool. The golden rule: add a tool only when a measured problem asks for it."
            </p>
            <h2>"Four stages"</h2>
            <ol class="stages">
                {STAGES
                    .map(|stage| {
                        let adds: Vec<_> = stage.adds.iter().map(|tool| tool.as_str()).collect();
                        view! {
                            <li>
                                <p>{capitalized(stage.what)}</p>
                                <p class="hint">"Adds: " {adds.join(", ")}</p>
                            </li>
                        }
                    })
                    .collect_view()}
            </ol>
            <Matrix />
            <Calculator />
            <OwnAdvice />
        </article>
    }
}

#[component]
fn Matrix() -> impl IntoView {
    let row = |said: Said| {
        let (when, source) = threshold(said.tool);
        view! {
            <tr>
                <th scope="row">{capitalized(said.tool.as_str())}</th>
                <td>{said.bottleneck}</td>
                <td>
                    {when} <span class="hint">{source}</span>
                </td>
                <td>{said.not_yet}</td>
                <td>{said.cost}</td>
                <td>
                    <code>{command(said.tool)}</code>
                </td>
            </tr>
        }
    };
    view! {
        <h2 id="matrix">"Which, and when"</h2>
        <div class="table-wrap" role="region" aria-labelledby="matrix" tabindex="0">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Tool"</th>
                        <th scope="col">"Bottleneck"</th>
                        <th scope="col">"Add it when"</th>
                        <th scope="col">"Not yet when"</th>
                        <th scope="col">"Costs"</th>
                        <th scope="col">"How"</th>
                    </tr>
                </thead>
                <tbody>{SAID.map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// What can be moved: a usage's number, from, to, step.
struct Slider {
    label: &'static str,
    unit: &'static str,
    min: f64,
    max: f64,
    /// Each step is so many times the one before, from `min` on; else steps are equal, a hundredth each.
    doubles: bool,
    read: fn(&Usage) -> f64,
    write: fn(&mut Usage, f64),
}

const SLIDERS: [Slider; 6] = [
    Slider {
        label: "Users a month",
        unit: "",
        min: 100.0,
        max: 1e6,
        doubles: true,
        read: |usage| usage.users,
        write: |usage, to| usage.users = to,
    },
    Slider {
        label: "Requests of a user in a month",
        unit: "",
        min: 10.0,
        max: 10_000.0,
        doubles: true,
        read: |usage| usage.requests,
        write: |usage, to| usage.requests = to,
    },
    Slider {
        label: "Bytes of a file",
        unit: "B",
        min: 1_000.0,
        max: 10e6,
        doubles: true,
        read: |usage| usage.file_bytes,
        write: |usage, to| usage.file_bytes = to,
    },
    Slider {
        label: "Requests that only read",
        unit: "%",
        min: 0.0,
        max: 100.0,
        doubles: false,
        read: |usage| usage.read_share * 100.0,
        write: |usage, to| usage.read_share = to / 100.0,
    },
    Slider {
        label: "Of these, answered by a cache",
        unit: "%",
        min: 0.0,
        max: 100.0,
        doubles: false,
        read: |usage| usage.hit_share * 100.0,
        write: |usage, to| usage.hit_share = to / 100.0,
    },
    Slider {
        label: "Background work for a user in a month",
        unit: "s",
        min: 0.1,
        max: 1_000.0,
        doubles: true,
        read: |usage| usage.job_seconds,
        write: |usage, to| usage.job_seconds = to,
    },
];

/// Places of a slider.
const PLACES: f64 = 100.0;

impl Slider {
    /// The value at a place, 0 to [`PLACES`].
    fn value(&self, place: f64) -> f64 {
        let share = (place / PLACES).clamp(0.0, 1.0);
        match self.doubles {
            true => self.min * (self.max / self.min).powf(share),
            false => self.min + (self.max - self.min) * share,
        }
    }

    /// The place of a value.
    fn place(&self, value: f64) -> f64 {
        let share = match self.doubles {
            true => (value / self.min).ln() / (self.max / self.min).ln(),
            false => (value - self.min) / (self.max - self.min),
        };
        (share * PLACES).round().clamp(0.0, PLACES)
    }
}

/// What a month costs, by numbers that can be moved.
#[component]
pub fn Calculator() -> impl IntoView {
    let usage = RwSignal::new(Usage::default());
    let prices = StoredValue::new(Prices::own());
    let with = Memo::new(move |_| {
        usage.with(|usage| prices.with_value(|prices| bill(usage, &of_stage(usage.users), prices)))
    });
    let without = Memo::new(move |_| {
        usage.with(|usage| prices.with_value(|prices| bill(usage, &BTreeSet::new(), prices)))
    });
    view! {
        <h2 id="calculator">"What a month costs"</h2>
        <p class="aside">
            "With the tools of the stage of so many users, and without any. Prices " {prices.with_value(|prices| prices.as_of.clone())} "."
        </p>
        <div class="calculator">
            <form class="form" on:submit=|event| event.prevent_default()>
                {SLIDERS.iter().map(|slider| slide(slider, usage)).collect_view()}
            </form>
            <div>
                <p class="visually-hidden" role="status">
                    {move || with.with(|bill| format!("{} a month", dollars(bill.month)))}
                </p>
                {move || with.with(|with| table("With its stage's tools", with))}
                {move || without.with(|without| table("Without any", without))}
            </div>
        </div>
    }
}

fn slide(slider: &'static Slider, usage: RwSignal<Usage>) -> impl IntoView {
    let value = move || usage.with(|usage| (slider.read)(usage));
    let moved = move |event| {
        if let Ok(place) = event_target_value(&event).parse::<f64>() {
            usage.update(|usage| (slider.write)(usage, slider.value(place)));
        }
    };
    view! {
        <label>
            <span class="slider-head">
                {slider.label} <output>{move || rounded(value())} " " {slider.unit}</output>
            </span>
            <input
                type="range"
                min="0"
                max=PLACES.to_string()
                prop:value=move || slider.place(value()).to_string()
                value=slider.place((slider.read)(&Usage::default())).to_string()
                aria-valuetext=move || format!("{} {}", rounded(value()), slider.unit)
                on:input=moved
            />
        </label>
    }
}

fn table(title: &'static str, bill: &Bill) -> impl IntoView + use<> {
    let names: Vec<_> = bill.tools.iter().map(|tool| tool.as_str()).collect();
    let lines = bill.lines.iter().map(|line| {
        let amount = format!("{}: {} {}", line.what, rounded(line.amount), line.unit);
        view! {
            <tr>
                <th scope="row">{amount}</th>
                <td>{dollars(line.month)}</td>
            </tr>
        }
    });
    let short = bill.short.iter().map(|short| view! { <p class="alert">{short.clone()}</p> });
    view! {
        <table class="bill">
            <caption>{title} {(!names.is_empty()).then(|| format!(": {}", names.join(", ")))}</caption>
            <tbody>{lines.collect_view()}</tbody>
            <tfoot>
                <tr>
                    <th scope="row">"A month"</th>
                    <td>{dollars(bill.month)}</td>
                </tr>
            </tfoot>
        </table>
        {short.collect_view()}
    }
}

/// What the article adds up to the stage of so many users.
fn of_stage(users: f64) -> BTreeSet<Tool> {
    let reached = STAGES.iter().filter(|stage| users >= f64::from(stage.from));
    reached.flat_map(|stage| stage.adds).copied().collect()
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

/// Three digits that count, with commas.
pub(super) fn rounded(value: f64) -> String {
    let magnitude = 10_f64.powi(2 - value.abs().max(1e-3).log10().floor() as i32);
    let value = (value * magnitude).round() / magnitude;
    if value >= 1_000.0 { tidewall_api::format::count(value.round() as u64) } else { value.to_string() }
}

pub(super) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_value_that_leads_back_to_it() {
        for slider in &SLIDERS {
            for place in [0.0, 1.0, 37.0, 100.0] {
                assert!((slider.place(slider.value(place)) - place).abs() < 1e-9, "{} {place}", slider.label);
            }
        }
    }

    #[test]
    fn amounts_have_three_digits() {
        for (value, text) in [(1_234_567.0, "1,230,000"), (0.123_4, "0.123"), (54.321, "54.3"), (0.0, "0")] {
            assert_eq!(rounded(value), text);
        }
    }
}
