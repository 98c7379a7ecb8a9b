//! The edge's control log, the more groups were invalidated: what it takes to decide whether a
//! stored response may be served, and to append what a write makes invalid. And how long what is
//! stored lasts while others are written to.
//!
//! The first two are of a log that keeps all groups. An edge's keeps some thousand entries, and folds
//! the oldest into wider ones; that is what the third shows.

use std::hint::black_box;
use std::time::Instant;

use tidewall_edge::control::bookmark::Demand;
use tidewall_edge::control::entry::{Scope, Severity};
use tidewall_edge::control::log::{Append, Bounds, Known, Log, URIS_MAX};
use tidewall_edge::control::position::{Position, ReadAt};
use tidewall_edge::control::servable::servable;
use tidewall_edge::control::view::{Subject, View};
use tidewall_edge::time::Timestamp;

use super::{Grows, Point};
use crate::contest::order;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// How many groups.
const AMOUNTS: [u32; 4] = [100, 1_000, 10_000, 100_000];
/// How much is done in a round.
const DECISIONS: u32 = 20_000;
const APPENDS: u32 = 500;
/// Responses that are decided on, spread over all groups.
const RESPONSES: u32 = 1_000;
/// Entries of a log that keeps them all.
const ENTRIES_WIDE: usize = 10_000_000;
/// The first product that nobody has stored a response about.
const OTHERS: u32 = 1_000_000;
/// Writes that fill a log, and after which nothing stored lasts, by far.
const WRITES_MAX: u32 = 20_000;
/// After so many writes it is looked what is left.
const WRITES_PER_LOOK: usize = 50;

/// When a log begins. Positions are times.
const BEGUN_MS: u64 = 1_700_000_000_000;

const WIDE: &str = "of a log that keeps them all; an edge's keeps 10,000 entries";
const SIMULATED: &str = "simulated: writes to different products, under the bounds of an edge's log; over the writes of a \
     second it is for how many seconds half of what is stored lasts, whatever its lifetime";

pub(super) fn run(rounds: u32) -> Result<Vec<Measurement>, Reason> {
    let mut logs: Vec<Followed> = AMOUNTS.into_iter().map(Followed::new).collect();
    let (mut decisions, mut appends) = (Point::at(AMOUNTS), Point::at(AMOUNTS));
    for round in 0..=rounds {
        progress::tell(format!("scale, groups: round {round} of {rounds}"));
        for place in order(logs.len(), round) {
            let (decision_ns, append_us) = (logs[place].decide()?, logs[place].append());
            // The first is to warm up.
            if round > 0 {
                decisions[place].rounds.push(decision_ns);
                appends[place].rounds.push(append_us);
            }
        }
    }
    let lasting = lasting().and_then(|writes| Sample::new(vec![f64::from(writes)]));
    let lasting = lasting.ok_or_else(|| Reason::new("what is stored lasts for ever"))?;
    let grows = |name, unit| Grows { name, unit, better: Better::Lower, of: "groups" };
    Ok(vec![
        grows("scale/groups-decision", "ns a decision, with the most groups").by(&decisions)?.note(WIDE),
        grows("scale/groups-append", "µs an append, with the most groups").by(&appends)?.note(WIDE),
        Measurement::new(
            "scale/groups-lasting",
            "writes until half of what is stored may not be served",
            Better::Higher,
            &lasting,
        )
        .note(SIMULATED),
    ])
}

/// A log with so many groups, a view of it, and responses in some of them.
struct Followed {
    groups: u32,
    log: Log,
    view: View,
    responses: Vec<Response>,
    /// Writes so far.
    written: u32,
}

/// A stored product, as far as the log is concerned.
struct Response {
    groups: [String; 1],
    uri: String,
    path: String,
    position: Position,
}

impl Response {
    fn new(product: u32, fence: Known) -> Self {
        Self {
            groups: [format!("product:{product}")],
            uri: uri(product),
            path: format!("/api/products/{product}"),
            position: Position { fence, read_at: ReadAt::Primary },
        }
    }

    /// Whether it may be served to a reader without a bookmark.
    fn is_servable(&self, view: &View) -> bool {
        let subject = Subject { groups: &self.groups, uri: &self.uri, path: &self.path };
        servable(Some(view), Demand::Nothing, &subject, self.position).is_ok()
    }
}

fn uri(product: u32) -> String {
    format!("https://shop.example/api/products/{product}")
}

/// What makes this invalid, by the write of this number.
fn append(scopes: Vec<Scope>, write: u32) -> Append {
    let write = u64::from(write);
    Append { scopes, severity: Severity::Hard, lsn: Some(write), write: Some(write) }
}

/// What a write to a product makes invalid, as the shop and the edge have it: the product, its lists,
/// and its URI.
fn written(product: u32, write: u32) -> Append {
    let groups = [format!("product:{product}"), "products".to_owned(), format!("category:{}", product % 40)];
    let mut scopes = Vec::from(groups.map(Scope::Group));
    scopes.push(Scope::Uri(uri(product)));
    append(scopes, write)
}

/// So many milliseconds after the log began.
fn at(ms: u32) -> Timestamp {
    Timestamp::from_millis(BEGUN_MS + u64::from(ms))
}

impl Followed {
    fn new(groups: u32) -> Self {
        let bounds = Bounds { entries_max: ENTRIES_WIDE, bytes_max: usize::MAX, ..Bounds::default() };
        let mut log = Log::begun(at(0)).bounded(bounds);
        // It gets its bounds before it takes anything in.
        let mut view = View::new(log.since(None), at(0)).bounded(bounds);
        for product in 0..groups {
            log.append(append(vec![Scope::Group(format!("product:{product}"))], product), at(product));
        }
        // As many as there may be, so that each further one takes the place of another.
        for other in (OTHERS..).take(URIS_MAX) {
            log.append(append(vec![Scope::Uri(uri(other))], other), at(groups));
        }
        view.apply(log.since(None), at(0));
        let fence = Known { first: log.first(), head: log.head() };
        let product = |turn: u32| u64::from(turn) * u64::from(groups) / u64::from(RESPONSES);
        let responses = (0..RESPONSES)
            .map(|turn| Response::new(u32::try_from(product(turn)).unwrap_or_default(), fence))
            .collect();
        Self { groups, log, view, responses, written: 0 }
    }

    /// Nanoseconds of a decision, the mean of a round.
    fn decide(&self) -> Result<f64, Reason> {
        let mut served = 0;
        let begun = Instant::now();
        for response in self.responses.iter().cycle().take(usize::try_from(DECISIONS)?) {
            served += u32::from(black_box(response).is_servable(black_box(&self.view)));
        }
        let took = begun.elapsed();
        if served != DECISIONS {
            return Err(Reason::new("a response may not be served that nothing was said about since"));
        }
        Ok(took.as_secs_f64() * 1e9 / f64::from(DECISIONS))
    }

    /// Microseconds of an append, the mean of a round.
    fn append(&mut self) -> f64 {
        let first = self.written;
        self.written += APPENDS;
        let appends: Vec<_> = (first..self.written)
            .map(|write| {
                let product = write.wrapping_mul(7_919) % self.groups;
                (written(product, 2 * OTHERS + write), at(2 * self.groups + write))
            })
            .collect();
        let begun = Instant::now();
        for (append, now) in appends {
            black_box(self.log.append(append, now));
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(APPENDS)
    }
}

/// After how many writes to other products half of what is stored may not be served any more.
fn lasting() -> Option<u32> {
    let mut log = Log::begun(at(0));
    let write = |log: &mut Log, number: u32| {
        log.append(written(OTHERS + number, number), at(number));
    };
    // In the middle of its life: as long as it gets.
    (0..WRITES_MAX).for_each(|number| write(&mut log, number));
    let fence = Known { first: log.first(), head: log.head() };
    let stored: Vec<Response> = (0..RESPONSES).map(|product| Response::new(product, fence)).collect();
    (WRITES_MAX..2 * WRITES_MAX)
        .find(|&number| {
            write(&mut log, number);
            let is_look = usize::try_from(number).is_ok_and(|number| number % WRITES_PER_LOOK == 0);
            is_look && {
                let view = View::new(log.since(None), at(number));
                2 * stored.iter().filter(|response| response.is_servable(&view)).count() < stored.len()
            }
        })
        .map(|number| number - WRITES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_lasts_until_uris_of_its_bucket_are_folded() {
        let writes = lasting().unwrap();
        // Of a bucket somebody writes to one of its URIs within about 700 writes in half of the
        // cases, and 2,000 writes later that URI is folded.
        assert!((2_500..3_000).contains(&writes), "{writes}");
    }

    #[test]
    fn what_is_decided_on_may_be_served() {
        let mut followed = Followed::new(100);
        assert!(followed.decide().unwrap() > 0.0 && followed.append() > 0.0);
        // The view was not told of what was appended since.
        assert!(followed.decide().is_ok());
    }
}
