//! What there is to try: one experiment for each tool.

use tidewall_api::advice::Tool;

use super::tally::COUNTS;

/// An experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Of which tool.
    pub tool: Tool,
    /// Its name in the page's URL.
    pub anchor: &'static str,
    /// What it is about, as a heading.
    pub title: &'static str,
    /// The problem, in one sentence.
    pub problem: &'static str,
    /// What is done, and what it stands for.
    pub how: &'static str,
    /// The ways of doing it, without the tool first.
    pub ways: &'static [&'static str],
    /// What can be moved beside the load.
    pub knob: Option<Knob>,
    /// Requests at the same time, to begin with and at most.
    pub load: (u32, u32),
    /// What is counted of each request.
    pub figures: [Option<Figure>; COUNTS],
    /// The figure of which it is told how many times less it is; none: the time of a request.
    pub ratio_of: Option<usize>,
    /// The article's figure for each end: without, with.
    pub article: [&'static str; 2],
}

/// Something that can be moved.
#[derive(Debug)]
pub struct Knob {
    /// What it is.
    pub label: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// From, to, by steps of.
    pub range: [u32; 3],
    /// To begin with.
    pub value: u32,
}

/// What is counted.
#[derive(Debug)]
pub struct Figure {
    /// What.
    pub label: &'static str,
    /// How it is told.
    pub told: Told,
}

/// How a figure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// As it is, of all requests.
    Sum,
    /// Of each request.
    Each,
    /// As a share of the requests.
    Share,
}

const fn sum(label: &'static str) -> Option<Figure> {
    Some(Figure { label, told: Told::Sum })
}

const fn each(label: &'static str) -> Option<Figure> {
    Some(Figure { label, told: Told::Each })
}

const fn share(label: &'static str) -> Option<Figure> {
    Some(Figure { label, told: Told::Share })
}

/// All, in the article's order.
pub static EXPERIMENTS: [Experiment; 7] = [
    Experiment {
        tool: Tool::Cdn,
        anchor: "cdn",
        title: "Files from near by",
        problem: "Each view of a page fetches files that have not changed, from a server that may be far away.",
        how: "A view fetches all files of this page: each time anew, or as their names allow. A file's name has \
              the hash of its content in it, so a browser and an edge may keep it for good, and a new version is \
              another file. Of that, who has the one before fetches the difference only.",
        ways: &["Each view fetches all", "Files are kept by their names", "After a deploy, the differences"],
        knob: None,
        load: (1, 1),
        figures: [each("Requests for a view"), each("Kilobytes for a view"), sum("Kilobytes in all")],
        ratio_of: None,
        article: [
            "2.2 s for 500 KB from afar",
            "2.005 s from near by; traffic of $180 a month instead of $900",
        ],
    },
    Experiment {
        tool: Tool::Cache,
        anchor: "cache",
        title: "The same question, again and again",
        problem: "Each reader has the database add up the same orders, which come to the same as a moment ago.",
        how: "Readers ask for a sum over all orders. Some ask for one that everybody wants, the others for \
              any. Once a second somebody writes to the first. An answer that lacks a write that was \
              acknowledged before its question is stale.",
        ways: &["No cache", "Kept for 10 s", "Kept until written", "Kept, and replaced by the write"],
        knob: Some(Knob { label: "Readers who want the same", unit: "%", range: [0, 100, 5], value: 80 }),
        load: (4, 16),
        figures: [share("Answered by the cache"), sum("Calculations in the database"), sum("Stale answers")],
        ratio_of: None,
        article: ["0 % faster without", "80 % hits take 72 % off the mean time"],
    },
    Experiment {
        tool: Tool::LoadBalancer,
        anchor: "balancer",
        title: "One server goes down",
        problem: "With one server, all wait when it is full, and nobody is served while it is gone.",
        how: "Readers ask one server by its name, or whichever the balancer chooses. Kill one and watch: it is \
              started again a moment later. (Asked by name, a request goes through another origin first, which \
              makes it slower by a hop.)",
        ways: &["One server", "Balanced over all"],
        knob: None,
        load: (4, 16),
        figures: [share("Answered by the first"), share("Answered by others"), None],
        ratio_of: None,
        article: ["one server that fails stops all", "its requests go to the others"],
    },
    Experiment {
        tool: Tool::Index,
        anchor: "index",
        title: "A user's newest orders",
        problem: "To find five rows the database reads all of them.",
        how: "The same statement on the shop's own orders, planned as if there were no index, and with the one on \
              (user_id, created_at). Nothing is dropped for it.",
        ways: &["Without an index", "With the index"],
        knob: None,
        load: (2, 8),
        figures: [each("Milliseconds in the database"), each("Rows read for it"), None],
        ratio_of: Some(0),
        article: ["500 ms for a lookup", "5 ms"],
    },
    Experiment {
        tool: Tool::ReadReplica,
        anchor: "replicas",
        title: "Reading what was just written",
        problem: "A replica is a moment behind, so somebody who has written doesn't see it.",
        how: "Each request writes, and reads it back: from any replica; from the primary, as the article \
              advises after a write; or from a replica that has reached the write's position in the log. The \
              replicas' replay is really held back, by as much as you choose.",
        ways: &["Any replica", "The primary after a write", "A replica past the bookmark"],
        knob: Some(Knob { label: "Replicas are behind by", unit: "ms", range: [0, 3_000, 20], value: 0 }),
        load: (4, 16),
        figures: [share("Stale reads"), share("Read from the primary"), each("Milliseconds of the read")],
        ratio_of: None,
        article: [
            "stale for as long as a replica is behind",
            "the primary answers after a write: right, and it carries the load",
        ],
    },
    Experiment {
        tool: Tool::Pool,
        anchor: "pool",
        title: "A connection for each request",
        problem: "Before a statement of a tenth of a millisecond there is a handshake of several.",
        how: "A lookup by number, on a connection that is made for it and on one that was kept.",
        ways: &["A connection each", "From the pool"],
        knob: None,
        load: (4, 16),
        figures: [each("Milliseconds at the origin"), sum("Connections made"), None],
        ratio_of: Some(0),
        article: ["55 ms", "6 ms"],
    },
    Experiment {
        tool: Tool::Queue,
        anchor: "queue",
        title: "Work that somebody waits for",
        problem: "Somebody looks at an hourglass while a slow service of somebody else's does its work.",
        how: "The same work, done before the answer and after it. What is done before \
              the answer holds a place at an origin for as long.",
        ways: &["Before the answer", "As a job"],
        knob: Some(Knob { label: "The work takes", unit: "s", range: [1, 25, 1], value: 3 }),
        load: (2, 8),
        figures: [sum("Answered with the result"), sum("Answered with 202, and done later"), None],
        ratio_of: None,
        article: ["30 s for a report", "answered at once"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_one_experiment_in_the_articles_order() {
        assert_eq!(EXPERIMENTS.each_ref().map(|experiment| experiment.tool), Tool::ALL);
    }

    #[test]
    fn an_experiment_begins_within_its_ranges() {
        for experiment in &EXPERIMENTS {
            let (load, most) = experiment.load;
            assert!((1..=most).contains(&load), "{}", experiment.title);
            assert!(experiment.ways.len() >= 2, "{}", experiment.title);
            if let Some(Knob { range: [from, to, step], value, .. }) = experiment.knob {
                assert!((from..=to).contains(&value) && (value - from) % step == 0, "{}", experiment.title);
            }
        }
    }
}
