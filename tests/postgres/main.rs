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

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::world::{Test, World};

fn main() -> ExitCode {
    if ledger::work() {
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // They pause and kill the servers that all of them use.
    arguments.test_threads = Some(1);
    // Promotion leaves the servers of no use to others.
    let shared: Vec<Test> = [
        pool::TESTS,
        traps::TESTS,
        routing::TESTS,
        pairs::TESTS,
        example::TESTS,
        accounts::TESTS,
        answers::TESTS,
        logs::TESTS,
        outbox::TESTS,
        queue::TESTS,
        queue_faults::TESTS,
        webhooks::TESTS,
        promotion::TESTS,
    ]
    .concat();
    let names = shared.iter().map(|(name, _)| *name).chain([statements::NAME]);
    if arguments.list {
        let trials = names.map(|name| Trial::test(name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let world = Arc::new(World::start());
    let trial = |(name, test): Test| {
        let world = Arc::clone(&world);
        Trial::test(name, move || {
            world.clear();
            test(&world);
            Ok(())
        })
    };
    let mut trials: Vec<Trial> = shared.into_iter().map(trial).collect();
    trials.push(Trial::test(statements::NAME, || {
        statements::test();
        Ok(())
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Nobody else holds it any more: the stack stops here.
    drop(world);
    conclusion.exit_code()
}
