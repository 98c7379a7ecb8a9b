//! Which build of the site a page is of, and whether a newer one is offered to its reader.
//! A page can stay open for days; nothing is ever loaded anew without its reader's wish.

/// Least time, in milliseconds, between looks of a reader who comes and goes.
const RETURN_MS: f64 = 5.0 * 60.0 * 1_000.0;
/// Least time between looks for which there is a reason: what fails may fail again at once.
const REASON_MS: f64 = 10.0 * 1_000.0;

/// When it is looked whether there is a newer build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The reader is back at the page.
    Return,
    /// Something has failed that fails for a page of an earlier build.
    Reason,
}

/// What a page knows of builds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builds {
    /// The page's own; empty where it is not known, and then nothing is ever asked.
    own: String,
    /// The one that was served when it was looked last.
    served: Option<String>,
    /// The one that the reader doesn't want now.
    declined: Option<String>,
    last_look_ms: f64,
}

impl Builds {
    /// Of a page of the build `own` that was loaded just now.
    pub fn new(own: String, now_ms: f64) -> Self {
        Self { own, served: None, declined: None, last_look_ms: now_ms }
    }

    /// Whether to look now; then this is the last look.
    pub fn look(&mut self, occasion: Occasion, now_ms: f64) -> bool {
        let least = match occasion {
            Occasion::Return => RETURN_MS,
            Occasion::Reason => REASON_MS,
        };
        let since = now_ms - self.last_look_ms;
        // Clocks are set back as well.
        let looks = !self.own.is_empty() && !(0.0..least).contains(&since);
        if looks {
            self.last_look_ms = now_ms;
        }
        looks
    }

    /// Notes which build is served.
    pub fn saw(&mut self, served: String) {
        self.served = Some(served);
    }

    /// Notes that the reader doesn't want the build that is offered.
    pub fn decline(&mut self) {
        self.declined = self.served.clone();
    }

    /// Whether another build than the page's own is offered.
    pub fn offers(&self) -> bool {
        let is_another = |served: &String| !served.is_empty() && *served != self.own;
        !self.own.is_empty() && self.served.as_ref().is_some_and(is_another) && self.declined != self.served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: f64 = 60_000.0;

    fn check(own: &str, occasion: Occasion, since_last_look: f64, looks: bool) {
        let mut builds = Builds::new(own.to_owned(), 1_000_000.0);
        let now = 1_000_000.0 + since_last_look;
        assert_eq!(builds.look(occasion, now), looks, "{own} {occasion:?} {since_last_look}");
        // What was just looked for isn't at once looked for again.
        assert!(!looks || !builds.look(occasion, now + 1.0));
    }

    #[test]
    fn a_reader_who_comes_back_has_it_looked_for_after_five_minutes() {
        check("a", Occasion::Return, 0.0, false);
        check("a", Occasion::Return, 5.0 * MINUTE - 1.0, false);
        check("a", Occasion::Return, 5.0 * MINUTE, true);
        check("a", Occasion::Return, 3_000.0 * MINUTE, true);
    }

    #[test]
    fn a_reason_has_it_looked_for_soon_and_not_in_a_loop() {
        check("a", Occasion::Reason, 9_999.0, false);
        check("a", Occasion::Reason, 10_000.0, true);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        check("a", Occasion::Return, -MINUTE, true);
    }

    #[test]
    fn a_page_of_no_known_build_asks_and_offers_nothing() {
        check("", Occasion::Return, 5.0 * MINUTE, false);
        check("", Occasion::Reason, 5.0 * MINUTE, false);
        let mut builds = Builds::new(String::new(), 0.0);
        builds.saw("b".to_owned());
        assert!(!builds.offers());
    }

    #[test]
    fn another_build_is_offered_until_it_is_declined_and_a_third_again() {
        let mut builds = Builds::new("a".to_owned(), 0.0);
        let mut offers = |served: &str| {
            builds.saw(served.to_owned());
            let offers = builds.offers();
            builds.decline();
            (offers, builds.offers())
        };
        assert_eq!(offers("a"), (false, false));
        assert_eq!(offers(""), (false, false));
        assert_eq!(offers("b"), (true, false));
        assert_eq!(offers("b"), (false, false));
        assert_eq!(offers("c"), (true, false));
    }

    #[test]
    fn what_was_offered_is_not_once_the_pages_own_build_is_served_again() {
        let mut builds = Builds::new("a".to_owned(), 0.0);
        builds.saw("b".to_owned());
        assert!(builds.offers());
        builds.saw("a".to_owned());
        assert!(!builds.offers());
    }
}
