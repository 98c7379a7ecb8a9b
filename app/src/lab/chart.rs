//! Lines over the last minute.

use leptos::prelude::*;

use super::plot::{HEIGHT, Range, WIDTH, duration};
use super::tally::Point;

/// The time that half of the requests took at most, for each way of doing it. The figures below it say the
/// same in words.
#[component]
pub fn Chart(
    /// The line of each way.
    #[prop(into)]
    lines: Signal<Vec<Vec<Point>>>,
) -> impl IntoView {
    let range = Memo::new(move |_| lines.with(|lines| Range::of(lines)));
    let ticks = move || {
        let range = range.get();
        let tick = |ms: f64| {
            let y = range.y(ms);
            view! {
                <line class="chart-tick" x1="0" x2=WIDTH y1=y y2=y />
                <text class="chart-label" x="4" y=y - 4.0>
                    {duration(ms)}
                </text>
            }
        };
        range.ticks().into_iter().map(tick).collect_view()
    };
    let paths = move || {
        let path = |(way, line): (usize, &Vec<_>)| {
            view! { <path class=format!("chart-line way-{way}") d=range.get().path(line) /> }
        };
        lines.with(|lines| lines.iter().enumerate().map(path).collect_view())
    };
    view! {
        <svg
            class="chart"
            viewBox=format!("0 -16 {WIDTH} {}", HEIGHT + 24.0)
            role="img"
            aria-label="Time of a request over the last minute, on a scale of powers of ten"
        >
            {ticks}
            {paths}
        </svg>
    }
}
