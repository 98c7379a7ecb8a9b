//! The library on real servers: a primary and two streaming replicas that are
//! paused, stopped, killed and promoted.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../../src/cargo/variables.rs"]
mod variables;

mod accounts;
mod answers;
mod edge;
mod example;
mod ledger;
mod logs;
mod outbox;
mod pairs;
mod pool;
mod program;
mod promotion;
mod proxy;
mod queue;
mod queue_faults;
mod routing;
mod statements;
mod traps;
mod webhooks;
mod world;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use crate::world::{Test, World};

fn main() -> ExitCode {
    if ledger::work() {
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // One test at a time looks at servers, which it pauses and kills. There are as many servers as lanes:
    // most tests wait, and their servers rest.
    let lanes: [Vec<Test>; 2] = [
        [pool::TESTS, traps::TESTS, routing::TESTS, pairs::TESTS, example::TESTS].concat(),
        [
            accounts::TESTS,
            answers::TESTS,
            logs::TESTS,
            outbox::TESTS,
            queue::TESTS,
            queue_faults::TESTS,
            webhooks::TESTS,
        ]
        .concat(),
    ];
    if arguments.list {
        let names = lanes.iter().flatten().chain(promotion::TESTS).map(|(name, _)| *name);
        let trials = names.chain([statements::NAME]).map(|name| Trial::test(name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let servers: Servers = Arc::default();
    let [broken, worked] = lanes;
    let trials = in_turn(vec![lane(&servers, &broken), lane(&Servers::default(), &worked)]);
    // Those that wait for a lane do nothing: enough that somebody is left for the other one.
    arguments.test_threads.get_or_insert(8);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed() {
        return conclusion.exit_code();
    }
    // Promotion leaves the servers of no use to others; a million rows leave them no time.
    arguments.test_threads = Some(1);
    let mut trials: Vec<_> = lane(&servers, promotion::TESTS).into();
    drop(servers);
    trials.push(Trial::test(statements::NAME, || {
        statements::test();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Servers, once a test has started them. The last test's end stops them.
type Servers = Arc<Mutex<Option<World>>>;

fn lane(servers: &Servers, tests: &[Test]) -> VecDeque<Trial> {
    let trial = |(name, test): &Test| {
        let (servers, test) = (Arc::clone(servers), *test);
        Trial::test(*name, move || {
            let mut world = servers.lock().unwrap_or_else(|failed| {
                let world = failed.into_inner();
                assert!(world.is_some(), "the servers did not start");
                // Of a test that failed nothing is left but what is cleared.
                world
            });
            let world = world.get_or_insert_with(World::start);
            world.clear();
            test(world);
            Ok(())
        })
    };
    tests.iter().map(trial).collect()
}

/// One of each lane after the other: whoever is free takes the next, and should not have to wait for it.
fn in_turn(mut lanes: Vec<VecDeque<Trial>>) -> Vec<Trial> {
    let mut all = Vec::new();
    while lanes.iter().any(|lane| !lane.is_empty()) {
        all.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
    }
    all
}
