//! Who holds the connections: for whoever asks why none is free.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::cause::Doing;
use super::redact::redact;

/// Characters of a statement that are shown.
const SHOWN_CHARS_MAX: usize = 120;
/// Bytes of a statement that are noted: a long one isn't copied whole each time it runs.
const NOTED_BYTES_MAX: usize = 512;

/// A lent connection, as it was at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where in the code it was taken, as `file:line`.
    pub site: String,
    /// For how long it has been lent.
    pub age: Duration,
    /// The statement that it runs, or ran last, with `?` for the values in it.
    pub statement: Option<String>,
    /// Whether that statement still runs.
    pub is_running: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} ms, ", self.site, self.age.as_millis())?;
        match (&self.statement, self.is_running) {
            (Some(statement), true) => write!(f, "running `{statement}`"),
            (Some(statement), false) => write!(f, "idle after `{statement}`"),
            (None, _) => f.write_str("without a statement so far"),
        }
    }
}

/// What one connection is used for. Its lock is taken by whoever holds the
/// connection, and seldom by somebody who looks at all of them.
#[derive(Debug)]
pub(super) struct Slot(Mutex<State>);

#[derive(Debug)]
struct State {
    lent: Option<Lent>,
    /// Kept between statements, so that noting one allocates nothing.
    statement: String,
    is_running: bool,
    /// When the statement began or ended, or the connection was lent.
    changed: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Lent {
    site: &'static Location<'static>,
    since: Instant,
}

impl Slot {
    fn new(now: Instant) -> Self {
        Self(Mutex::new(State { lent: None, statement: String::new(), is_running: false, changed: now }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection is lent to the code at `site`.
    pub(super) fn lend(&self, site: &'static Location<'static>, now: Instant) {
        let mut state = self.lock();
        state.lent = Some(Lent { site, since: now });
        state.statement.clear();
        (state.is_running, state.changed) = (false, now);
    }

    /// A statement begins.
    pub(super) fn begin(&self, statement: &str, now: Instant) {
        let mut state = self.lock();
        state.statement.clear();
        let end = statement.floor_char_boundary(NOTED_BYTES_MAX);
        state.statement.push_str(&statement[..end]);
        (state.is_running, state.changed) = (true, now);
    }

    /// The statement has ended.
    pub(super) fn end(&self, now: Instant) {
        let mut state = self.lock();
        (state.is_running, state.changed) = (false, now);
    }

    /// The connection is given back.
    pub(super) fn give_back(&self) {
        self.lock().lent = None;
    }

    fn look(&self, now: Instant) -> Option<(Holder, Doing)> {
        let state = self.lock();
        let Lent { site, since } = state.lent?;
        let holder = Holder {
            site: format!("{}:{}", site.file(), site.line()),
            age: now.saturating_duration_since(since),
            statement: (!state.statement.is_empty()).then(|| redact(&state.statement, SHOWN_CHARS_MAX)),
            is_running: state.is_running,
        };
        let so_long = now.saturating_duration_since(state.changed);
        let doing = if state.is_running { Doing::Running(so_long) } else { Doing::Held(so_long) };
        Some((holder, doing))
    }
}

/// The slots of all connections to one server.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<Vec<Weak<Slot>>>);

impl Slots {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a new connection.
    pub(super) fn add(&self, now: Instant) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(now));
        let mut slots = self.lock();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        slot
    }

    /// All lent connections and what they are doing, the longest lent first.
    pub(super) fn look(&self, now: Instant) -> Vec<(Holder, Doing)> {
        let slots: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
        let mut lent: Vec<_> = slots.iter().filter_map(|slot| slot.look(now)).collect();
        lent.sort_by_key(|(holder, _)| std::cmp::Reverse(holder.age));
        lent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_holders_come_first_with_what_they_do() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let slots = Slots::default();
        let (first, second, third) = (slots.add(start), slots.add(start), slots.add(start));
        let site = Location::caller();
        second.lend(site, at(100));
        first.lend(site, at(200));
        first.begin("SELECT 'secret'", at(300));
        second.begin("SELECT a FROM t WHERE id = $1", at(150));
        second.end(at(160));
        third.lend(site, at(250));
        third.give_back();

        let look = slots.look(at(1_000));
        let shown: Vec<_> = look.iter().map(|(holder, _)| holder.to_string()).collect();
        let site = format!("{}:{}", site.file(), site.line());
        assert_eq!(
            shown,
            [
                format!("{site} for 900 ms, idle after `SELECT a FROM t WHERE id = $1`"),
                format!("{site} for 800 ms, running `SELECT ?`"),
            ]
        );
        let doing: Vec<_> = look.iter().map(|(_, doing)| *doing).collect();
        let ms = Duration::from_millis;
        assert_eq!(doing, [Doing::Held(ms(840)), Doing::Running(ms(700))]);
    }

    #[test]
    fn a_connection_that_is_gone_is_forgotten() {
        let now = Instant::now();
        let slots = Slots::default();
        let slot = slots.add(now);
        slot.lend(Location::caller(), now);
        drop(slot);
        assert!(slots.look(now).is_empty());
        drop(slots.add(now));
        assert_eq!(slots.lock().len(), 1, "the one that was forgotten before");
    }

    #[test]
    fn a_long_statement_is_noted_in_part() {
        let now = Instant::now();
        let slot = Slot::new(now);
        slot.lend(Location::caller(), now);
        slot.begin(&"é".repeat(NOTED_BYTES_MAX), now);
        assert!(slot.lock().statement.len() <= NOTED_BYTES_MAX);
    }
}
