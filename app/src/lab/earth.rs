//! How far places are from each other, and what light makes of that.

// The browser's own, so that the program needs none.
#[cfg(target_arch = "wasm32")]
use js_sys::Math::{asin, cos, sin};

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its name.
    pub name: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

const fn place(name: &'static str, latitude: f64, longitude: f64) -> Place {
    Place { name, latitude, longitude }
}

/// Large towns with a data centre of a CDN in each; to a tenth of a degree.
pub const PLACES: [Place; 20] = [
    place("Amsterdam", 52.4, 4.9),
    place("Ashburn", 39.0, -77.5),
    place("Buenos Aires", -34.6, -58.4),
    place("Cairo", 30.0, 31.2),
    place("Frankfurt", 50.1, 8.7),
    place("Istanbul", 41.0, 29.0),
    place("Jakarta", -6.2, 106.8),
    place("Johannesburg", -26.2, 28.0),
    place("Lagos", 6.5, 3.4),
    place("London", 51.5, -0.1),
    place("Los Angeles", 34.1, -118.2),
    place("Mexico City", 19.4, -99.1),
    place("Mumbai", 19.1, 72.9),
    place("Nairobi", -1.3, 36.8),
    place("São Paulo", -23.6, -46.6),
    place("Seoul", 37.6, 127.0),
    place("Singapore", 1.4, 103.8),
    place("Sydney", -33.9, 151.2),
    place("Tokyo", 35.7, 139.7),
    place("Toronto", 43.7, -79.4),
];

/// Mean radius of the earth.
const RADIUS_KM: f64 = 6_371.0;
/// Light in glass covers two thirds of what it does in a vacuum.
const KM_PER_MS: f64 = 200.0;
/// Cables take a detour: as a rule half as much again as the great circle.
const DETOUR: f64 = 1.5;
/// Within a town.
const LOCAL_MS: f64 = 2.0;

/// Along the great circle (the haversine formula).
pub fn distance_km(from: Place, to: Place) -> f64 {
    let radians = |place: Place| (place.latitude.to_radians(), place.longitude.to_radians());
    let ((from_north, from_east), (to_north, to_east)) = (radians(from), radians(to));
    let half = |one: f64, other: f64| {
        let sine = sin((one - other) / 2.0);
        sine * sine
    };
    let chord = half(from_north, to_north) + cos(from_north) * cos(to_north) * half(from_east, to_east);
    2.0 * RADIUS_KM * asin(chord.sqrt())
}

#[cfg(not(target_arch = "wasm32"))]
fn sin(angle: f64) -> f64 {
    angle.sin()
}

#[cfg(not(target_arch = "wasm32"))]
fn cos(angle: f64) -> f64 {
    angle.cos()
}

#[cfg(not(target_arch = "wasm32"))]
fn asin(sine: f64) -> f64 {
    sine.asin()
}

/// Milliseconds there and back.
pub fn round_trip_ms(km: f64) -> f64 {
    2.0 * km * DETOUR / KM_PER_MS + LOCAL_MS
}

/// Round trips until a file of so many bytes is there: one each for TCP and TLS 1.3 (RFC 8446, section 2),
/// and one for each window of a slow start from ten segments (RFC 6928).
pub fn round_trips(bytes: f64) -> u32 {
    const SEGMENT: f64 = 1_460.0;
    let mut windows = 0;
    let (mut window, mut sent) = (10.0 * SEGMENT, 0.0);
    while sent < bytes && windows < 30 {
        sent += window;
        window *= 2.0;
        windows += 1;
    }
    2 + windows.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Place {
        *PLACES.iter().find(|place| place.name == name).unwrap()
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        for (from, to, km) in
            [("London", "Sydney", 16_990.0), ("Frankfurt", "Ashburn", 6_540.0), ("Tokyo", "Seoul", 1_160.0)]
        {
            let found = distance_km(named(from), named(to));
            assert!((found - km).abs() < km * 0.02, "{from} {to}: {found}");
            assert!((found - distance_km(named(to), named(from))).abs() < 1e-9);
        }
        assert!(distance_km(named("Lagos"), named("Lagos")).abs() < 1e-9);
    }

    #[test]
    fn a_larger_file_takes_more_round_trips() {
        for (bytes, trips) in [(0.0, 3), (14_000.0, 3), (15_000.0, 4), (500_000.0, 8)] {
            assert_eq!(round_trips(bytes), trips, "{bytes}");
        }
    }
}
