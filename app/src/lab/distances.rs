//! How far a reader is from a server, and from the edge.

use leptos::prelude::*;

use super::earth::{PLACES, Place, distance_km, round_trip_ms, round_trips};
use super::plot::duration;

/// The example's file.
const BYTES: f64 = 500_000.0;
/// Width of the map; half as high.
const WIDTH: f64 = 720.0;
/// Where server and reader are to begin with.
const FRANKFURT: usize = 4;
const SYDNEY: usize = 17;

/// A map with a reader, a server, and the edge in the reader's town.
#[component]
pub fn Distances() -> impl IntoView {
    let server = RwSignal::new(FRANKFURT);
    let reader = RwSignal::new(SYDNEY);
    let place = |index: usize| PLACES.get(index).copied().unwrap_or(PLACES[0]);
    let km = move || distance_km(place(server.get()), place(reader.get()));
    let time = |km: f64| f64::from(round_trips(BYTES)) * round_trip_ms(km);
    let arc = move || arc(place(reader.get()), place(server.get()));
    let dots = PLACES.iter().enumerate().map(|(index, one)| {
        let (x, y) = project(*one);
        let class = move || match index {
            index if index == reader.get() => "map-dot map-reader",
            index if index == server.get() => "map-dot map-server",
            _ => "map-dot",
        };
        view! { <circle class=class cx=x cy=y r="5" /> }
    });
    let grid = (-5..=5).map(|step| {
        let x = WIDTH / 2.0 + f64::from(step) * WIDTH / 12.0;
        view! { <line class="map-grid" x1=x x2=x y1="0" y2=WIDTH / 2.0 /> }
    });
    let across = (1..6).map(|step| {
        let y = f64::from(step) * WIDTH / 12.0;
        view! { <line class="map-grid" x1="0" x2=WIDTH y1=y y2=y /> }
    });
    view! {
        <h3>"Distance"</h3>
        <div class="form form-row">
            {choice("Reader in", reader)} {choice("Server in", server)}
        </div>
        <svg
            class="map"
            viewBox=format!("0 0 {WIDTH} {}", WIDTH / 2.0)
            role="img"
            aria-label="A map of twenty towns, with the way from the reader to the server"
        >
            {grid.collect_view()}
            {across.collect_view()}
            <path class="map-arc" d=arc />
            {dots.collect_view()}
        </svg>
        <p aria-live="polite">
            {move || {
                format!(
                    "{:.0} km: a round trip of {}. 500 KB take {} round trips over a new connection, {} from the \
                     server and {} from an edge in the reader's town.",
                    km(),
                    duration(round_trip_ms(km())),
                    round_trips(BYTES),
                    duration(time(km())),
                    duration(time(0.0)),
                )
            }}
        </p>
        <p class="hint">
            "Reckoned: light in glass, by a cable half as long again as the great circle, without the line's own width."
        </p>
    }
}

fn choice(label: &'static str, chosen: RwSignal<usize>) -> impl IntoView {
    let options = PLACES.iter().enumerate().map(|(index, place)| {
        view! {
            <option value=index.to_string() selected=index == chosen.get_untracked()>
                {place.name}
            </option>
        }
    });
    let changed = move |event| {
        if let Ok(index) = event_target_value(&event).parse() {
            chosen.set(index);
        }
    };
    view! {
        <label>
            {label} <select class="field" on:change=changed>
                {options.collect_view()}
            </select>
        </label>
    }
}

/// The equirectangular projection: degrees as they are.
fn project(place: Place) -> (f64, f64) {
    let x = (place.longitude + 180.0) / 360.0 * WIDTH;
    let y = (90.0 - place.latitude) / 180.0 * WIDTH / 2.0;
    ((x * 10.0).round() / 10.0, (y * 10.0).round() / 10.0)
}

/// A bow from one to the other.
fn arc(from: Place, to: Place) -> String {
    let ((from_x, from_y), (to_x, to_y)) = (project(from), project(to));
    let height = (from_x - to_x).hypot(from_y - to_y) / 3.0;
    let (middle_x, middle_y) = (f64::midpoint(from_x, to_x), f64::midpoint(from_y, to_y) - height);
    format!("M{from_x} {from_y}Q{middle_x:.1} {:.1} {to_x} {to_y}", middle_y.max(4.0))
}
