//! The advisor, judged by products under load: by what was recorded of all of them, with the rules as they
//! are now, and by some that run here.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tidewall_api::advice::{Tool, Verdict};
use tidewall_bench::scenario::{Definition, Judgement, Place, Record, run};

use crate::support::tidewall::{Folder, Running};

/// Of what is recorded so much has to be said right; of what is held out by itself as well.
const RIGHT: f64 = 0.95;

fn recorded() -> Vec<(Definition, Record)> {
    let names = Definition::names().unwrap();
    let read = |name: &String| {
        let definition = Definition::read(name).unwrap();
        let record = Record::read(&definition).unwrap();
        (definition, record)
    };
    names.iter().map(read).collect()
}

/// Share of `all` that is right, by who says of each tool what `says` says, and how often it is of harm.
fn judged(all: &[&(Definition, Record)], says: impl Fn(&Record) -> Vec<(Tool, Verdict)>) -> (f64, usize) {
    let judge = |(definition, record): &&(Definition, Record)| record.judge_of(definition, &says(record));
    let judged: Vec<_> = all.iter().map(judge).collect();
    let right = judged.iter().filter(|judgement| judgement.is_right).count();
    let harmful = judged.iter().map(|judgement| judgement.harmful.len()).sum();
    (right as f64 / all.len() as f64, harmful)
}

#[test]
fn of_what_is_recorded_nearly_all_is_said_right_and_nothing_is_of_harm() {
    let all = recorded();
    let of = |is_held_out: bool| -> Vec<_> {
        all.iter().filter(|(definition, _)| definition.is_held_out() == is_held_out).collect()
    };
    let (seen, held_out) = (of(false), of(true));
    assert!(all.len() >= 42 && held_out.len() * 3 >= all.len(), "{} of {}", held_out.len(), all.len());
    for (what, some) in [("seen", seen), ("held out", held_out)] {
        let (right, harmful) = judged(&some, Record::said);
        // Of those that are held out no more is told than their names.
        let is_wrong = |(definition, record): &&&(Definition, Record)| !record.judge(definition).is_right;
        let wrong: Vec<_> = some.iter().filter(is_wrong).map(|(definition, _)| &definition.name).collect();
        assert!(right >= RIGHT && harmful == 0, "{what}: {right}, {harmful} of harm; wrong: {wrong:?}");
    }
}

#[test]
fn each_record_is_of_its_file_and_shows_what_that_is_for() {
    let mut needed = BTreeMap::new();
    for (definition, record) in recorded() {
        assert!(record.shows(&definition), "{}", definition.name);
        // A field that the evidence has no more would be lost in silence.
        let text = std::fs::read_to_string(definition.record_file()).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), read, "{}", definition.name);
        *needed.entry(record.outcome.needed()).or_insert(0) += 1;
    }
    for tool in Tool::ALL {
        assert!(needed.get(&Some(tool)).is_some_and(|count| *count >= 2), "{needed:?}");
    }
}

#[test]
fn who_says_the_same_of_all_is_judged_to_be_wrong() {
    // A judge that lets these pass would say nothing of the rules.
    let all = recorded();
    let all: Vec<_> = all.iter().collect();
    for verdict in [Verdict::AddNow, Verdict::NotYet, Verdict::InPlace, Verdict::Unknown] {
        let (right, harmful) = judged(&all, |_| Tool::ALL.map(|tool| (tool, verdict)).into());
        assert!(
            right < 0.7 && (harmful > 0) == (verdict == Verdict::AddNow),
            "{verdict:?}: {right}, {harmful}"
        );
    }
}

/// One for each of six tools; what is true of these has not to be measured to a hair.
const LIVE: [(&str, &[Tool], Verdict); 6] = [
    ("cdn-traffic-costs-too-much", &[Tool::Cdn], Verdict::AddNow),
    ("cache-daily-sums", &[Tool::Cache], Verdict::AddNow),
    ("balance-the-same-for-all", &[Tool::Cache, Tool::LoadBalancer], Verdict::NotYet),
    ("index-all-by-primary-key", &[Tool::Index], Verdict::InPlace),
    ("pool-functions-that-connect", &[Tool::Pool], Verdict::AddNow),
    ("queue-reports", &[Tool::Queue], Verdict::AddNow),
];

/// Longest that this process may stand still while a product is measured for seconds: by its 95th
/// percentile a stall of the machine would be the tool's doing.
#[cfg(target_os = "linux")]
const STALL_MAX: Duration = Duration::from_millis(150);
/// How often a product is run for want of quiet.
#[cfg(target_os = "linux")]
const TRIES: usize = 4;

/// Runs a product until the machine has left it alone, or at last as it is.
#[cfg(target_os = "linux")]
async fn undisturbed(definition: &Definition, tools: &[Tool], place: &Place) -> Record {
    for attempt in 1.. {
        let worst = Arc::new(AtomicU64::new(0));
        let beat = tokio::spawn({
            let worst = Arc::clone(&worst);
            async move {
                loop {
                    let begun = Instant::now();
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    let late = u64::try_from(begun.elapsed().as_millis()).unwrap();
                    worst.fetch_max(late, Ordering::Relaxed);
                }
            }
        });
        let record = run(definition, tools, place).await.unwrap();
        beat.abort();
        let worst = Duration::from_millis(worst.load(Ordering::Relaxed));
        if worst < STALL_MAX || attempt == TRIES {
            return record;
        }
    }
    unreachable!("the last one counts");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn products_that_run_here_are_judged_right() {
    let folder = Folder::new();
    let args = ["--seed", "100", "--no-worker", "--origins", "1", "--replicas", "1"];
    let stack = Running::dev(&folder.0, &args);
    let place = Place {
        primary: stack.text("/primary"),
        replica: stack.text("/replicas/0"),
        worker: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dev/edge"),
    };
    for (name, tools, expected) in LIVE {
        let definition = Definition::read(name).unwrap();
        let record = undisturbed(&definition, tools, &place).await;
        let Judgement { said, needed, .. } = record.judge(&definition);
        assert_eq!(
            needed == Some(definition.tool),
            expected == Verdict::AddNow,
            "{name}: {:?}",
            record.outcome
        );
        let own = said.iter().find(|(tool, _)| *tool == definition.tool).unwrap();
        assert_eq!(own.1, expected, "{name}: {said:?} {:#?}", record.evidence);
    }
}
