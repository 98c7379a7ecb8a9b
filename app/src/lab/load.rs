//! A load: so many at a time ask, each again as soon as it is answered, for a while.

use std::time::Duration;

use gloo_timers::future::sleep;
use leptos::prelude::*;
use tidewall_api::advice::Tool;
use tidewall_api::lab::{LAG_LEASE_S, Lag};

use super::once::{Course, now, once, write};
use super::tally::Tally;
use crate::client;

/// A load that nobody ends does so by itself.
pub const RUN_MAX: Duration = Duration::from_secs(60);
/// Whoever was refused waits a moment.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// How often something is written, where that is part of it.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// Jobs are asked for as people do.
const BETWEEN_JOBS: Duration = Duration::from_secs(1);
/// Requests at a time, at most; how many of these places ask is the slider's.
const PLACES: u32 = 16;
/// How often what is seen follows.
const DRAW: Duration = Duration::from_millis(250);

/// A load, and what it came to. All of it can be changed while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Of which tool.
    tool: Tool,
    /// Which way it is done.
    pub way: RwSignal<usize>,
    /// Requests at a time.
    pub many: RwSignal<u32>,
    /// Where the knob stands.
    pub knob: RwSignal<u32>,
    /// When it began, in milliseconds of the page; `None`: it doesn't run.
    begun: RwSignal<Option<f64>>,
    /// Tells apart one load from the next.
    number: StoredValue<u32>,
    /// Of each way. What is seen of them follows `drawn`: a load is not to hold up the page.
    tallies: StoredValue<Vec<Tally>>,
    drawn: RwSignal<u32>,
    /// What requests tell each other.
    pub course: Course,
    /// Why the last one failed.
    pub failed: RwSignal<Option<String>>,
}

impl Load {
    /// None yet; of so many ways.
    pub fn new(tool: Tool, ways: usize, many: u32, knob: u32) -> Self {
        let (way, knob) = (RwSignal::new(0), RwSignal::new(knob));
        let course = Course {
            tool,
            way: 0,
            knob: 0,
            written: StoredValue::new((0, 0)),
            steps: RwSignal::new([Vec::new(), Vec::new()]),
            job: RwSignal::new(None),
        };
        let load = Self {
            tool,
            way,
            many: RwSignal::new(many),
            knob,
            begun: RwSignal::new(None),
            number: StoredValue::new(0),
            tallies: StoredValue::new(vec![Tally::default(); ways]),
            drawn: RwSignal::new(0),
            course,
            failed: RwSignal::new(None),
        };
        on_cleanup(move || load.stop());
        load
    }

    /// Whether it runs, for who acts on it.
    pub fn begun_untracked(self) -> bool {
        self.begun.get_untracked().is_some()
    }

    /// Whether it runs.
    pub fn is_running(self) -> bool {
        self.begun.get().is_some()
    }

    /// Reads what each way came to, whenever it is drawn.
    pub fn with_tallies<T>(self, read: impl FnOnce(&[Tally]) -> T) -> T {
        self.drawn.track();
        self.tallies.with_value(|tallies| read(tallies))
    }

    /// Begins, with what was measured before forgotten.
    pub fn start(self) {
        self.tallies.update_value(|tallies| tallies.iter_mut().for_each(|tally| *tally = Tally::default()));
        self.failed.set(None);
        self.begun.set(Some(now()));
        self.number.update_value(|number| *number += 1);
        let number = self.number.get_value();
        for place in 0..PLACES {
            leptos::task::spawn_local(self.ask(number, place));
        }
        leptos::task::spawn_local(self.draw(number));
        match self.tool {
            Tool::Cache => leptos::task::spawn_local(self.write(number)),
            Tool::ReadReplica => leptos::task::spawn_local(self.hold_back(number)),
            _ => {}
        }
    }

    /// Ends.
    pub fn stop(self) {
        // Where the page has gone, so have its signals.
        let was_running = self.begun.try_update(Option::take).flatten().is_some();
        if was_running && self.tool == Tool::ReadReplica {
            leptos::task::spawn_local(async {
                // What is not told ends with its lease.
                let _ = client::put::<_, ()>("/api/lab/lag", &Lag { milliseconds: 0 }).await;
            });
        }
    }

    /// Seconds since the load of this number began; `None`: it is over.
    fn second(self, number: u32) -> Option<f64> {
        let begun = self.begun.try_get_untracked().flatten()?;
        let is_this = self.number.try_get_value()? == number;
        let seconds = (now() - begun) / 1_000.0;
        (is_this && seconds < RUN_MAX.as_secs_f64()).then_some(seconds)
    }

    /// The course as things stand now.
    fn course(self) -> Option<Course> {
        let (way, knob) = (self.way.try_get_untracked()?, self.knob.try_get_untracked()?);
        Some(Course { way, knob, ..self.course })
    }

    async fn ask(self, number: u32, place: u32) {
        while self.second(number).is_some() {
            let Some(course) = self.course() else { return };
            if self.many.try_get_untracked().is_none_or(|many| place >= many) {
                sleep(DRAW).await;
                continue;
            }
            let answered = once(course).await;
            let Some(second) = self.second(number) else { return };
            let failed = self.tallies.try_update_value(|tallies| {
                let tally = tallies.get_mut(course.way)?;
                match answered {
                    Ok(seen) => {
                        tally.add(second as u32, &seen);
                        None
                    }
                    Err(error) => {
                        tally.fail();
                        Some(error)
                    }
                }
            });
            match failed.flatten() {
                Some(error) => {
                    self.failed.set(Some(error.to_string()));
                    sleep(AFTER_FAILURE).await;
                }
                None if self.tool == Tool::Queue && course.way == 1 => sleep(BETWEEN_JOBS).await,
                // Others are to have their turn, people among them.
                None => sleep(Duration::ZERO).await,
            }
        }
    }

    async fn draw(self, number: u32) {
        while self.second(number).is_some() {
            sleep(DRAW).await;
            if self.drawn.try_update(|drawn| *drawn += 1).is_none() {
                return;
            }
        }
        let is_this = self.number.try_get_value() == Some(number);
        if is_this {
            self.stop();
        }
    }

    async fn write(self, number: u32) {
        while self.second(number).is_some() {
            let Some(course) = self.course() else { return };
            // What isn't acknowledged is not to be seen either.
            let _ = write(course).await;
            sleep(BETWEEN_WRITES).await;
        }
    }

    /// Asks for as much as the knob says, each time that it moves and before the lease is over.
    async fn hold_back(self, number: u32) {
        let (mut asked, mut at) = (None, 0.0);
        while let Some(second) = self.second(number) {
            let Some(wanted) = self.knob.try_get_untracked() else { return };
            if asked != Some(wanted) || second > at + f64::from(LAG_LEASE_S) / 3.0 {
                match client::put::<_, ()>("/api/lab/lag", &Lag { milliseconds: wanted }).await {
                    Ok(()) => (asked, at) = (Some(wanted), second),
                    Err(error) => {
                        let _gone = self.failed.try_set(Some(error.to_string()));
                    }
                }
            }
            sleep(DRAW).await;
        }
    }
}
