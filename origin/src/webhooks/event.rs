//! What a product tells programs of others: its events, by their names. Pure.

/// One of the [`Events`]; there are no others to be published or subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event(&'static str);

impl Event {
    /// Sent by hand, to see whether an endpoint takes messages. Nobody subscribes to it.
    pub(super) const PING: Self = Self("ping");

    /// By which endpoints know it.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// All events of a product. What it publishes are constants that were found here, so that what
/// isn't listed can't be published: it doesn't compile.
///
/// ```
/// use tidewall_origin::webhooks::{Event, Events};
///
/// const EVENTS: Events = Events::new(&["thing.made", "thing.gone"]);
/// const MADE: Event = EVENTS.find("thing.made").expect("it is listed");
///
/// assert_eq!(MADE.name(), "thing.made");
/// assert_eq!(EVENTS.find("thing.lost"), None);
/// ```
///
/// ```compile_fail,E0080
/// # use tidewall_origin::webhooks::{Event, Events};
/// const EVENTS: Events = Events::new(&["thing.made", "thing.gone"]);
/// const LOST: Event = EVENTS.find("thing.lost").expect("it is listed");
/// # assert_eq!(LOST.name(), "thing.lost");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Events(&'static [&'static str]);

impl Events {
    /// Those of these names.
    pub const fn new(names: &'static [&'static str]) -> Self {
        Self(names)
    }

    /// The one of this name.
    pub const fn find(self, name: &str) -> Option<Event> {
        let mut left = self.0;
        while let [first, others @ ..] = left {
            if are_same(first.as_bytes(), name.as_bytes()) {
                return Some(Event(first));
            }
            left = others;
        }
        None
    }

    /// All names.
    pub fn names(self) -> &'static [&'static str] {
        self.0
    }
}

/// `==`, which a constant can't ask yet.
const fn are_same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([a, one @ ..], [b, other @ ..]) => *a == *b && are_same(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_by_all_of_its_name() {
        let events = Events::new(&["thing.made", "thing"]);
        for name in ["thing.made", "thing"] {
            assert_eq!(events.find(name).map(Event::name), Some(name));
        }
        for name in ["", "thing.", "thing.mad", "thing.made.", "Thing", "ping"] {
            assert_eq!(events.find(name), None, "{name}");
        }
    }
}
