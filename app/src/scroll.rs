//! Where the reader was on a page, for the way back. Browsers restore it by
//! themselves, but before the app has put the page's content back.

use gloo::events::EventListener;
use leptos::prelude::*;

/// Places kept: as long as a history people walk through.
const PLACES_MAX: usize = 64;

/// The last place on each page, by URL.
#[derive(Debug, Default)]
struct Places(Vec<(String, f64)>);

impl Places {
    fn keep(&mut self, url: String, y: f64) {
        self.0.retain(|(kept, _)| *kept != url);
        self.0.push((url, y));
        if self.0.len() > PLACES_MAX {
            self.0.remove(0);
        }
    }

    fn of(&self, url: &str) -> Option<f64> {
        self.0.iter().find(|(kept, _)| kept == url).map(|(_, y)| *y)
    }
}

/// Restores the place on every page that is come back to. For the life of the document.
pub fn restore_on_return() {
    let places = StoredValue::new(Places::default());
    let scrolled = EventListener::new(&window(), "scroll", move |_| {
        if let (Some(url), Ok(y)) = (current_url(), window().scroll_y()) {
            places.update_value(|places| places.keep(url, y));
        }
    });
    let returned = EventListener::new(&window(), "popstate", move |_| {
        let place = current_url().and_then(|url| places.with_value(|places| places.of(&url)));
        if let Some(y) = place {
            // A remembered page is rendered before the next frame.
            request_animation_frame(move || window().scroll_to_with_x_and_y(0.0, y));
        }
    });
    scrolled.forget();
    returned.forget();
}

fn current_url() -> Option<String> {
    window().location().href().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_on_a_page_counts() {
        let mut places = Places::default();
        places.keep("/".to_owned(), 100.0);
        places.keep("/?page=2".to_owned(), 200.0);
        places.keep("/".to_owned(), 300.0);
        assert_eq!(places.of("/"), Some(300.0));
        assert_eq!(places.of("/?page=2"), Some(200.0));
        assert_eq!(places.of("/?page=3"), None);
    }

    #[test]
    fn the_oldest_place_makes_room() {
        let mut places = Places::default();
        for number in 0..=PLACES_MAX {
            places.keep(number.to_string(), 0.0);
        }
        assert_eq!(places.of("0"), None);
        assert_eq!(places.of("1"), Some(0.0));
    }
}
