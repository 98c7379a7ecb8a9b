//! The whole system, from outside: one running stack that all these tests look at.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod balance;
mod built;
mod cache;
mod collapse;
mod consistency;
mod control;
mod database;
mod documented;
mod events;
mod explain;
mod faults;
mod journeys;
mod killed;
mod notifications;
mod one_server;
mod orders;
mod outbox;
mod pages;
mod raw;
mod reports;
mod rules;
mod safety;
mod scripted;
mod self_hosted;
mod sessions;
mod shelf;
mod stateless;
mod uploads;
mod workerd;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::world::{Test, World};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The stack has the same two cores as the tests.
    arguments.test_threads.get_or_insert(2);
    let tests: Vec<Test> = [
        api::TESTS,
        balance::TESTS,
        built::dictionaries::TESTS,
        built::serving::TESTS,
        built::skew::TESTS,
        cache::TESTS,
        collapse::TESTS,
        consistency::TESTS,
        control::TESTS,
        database::TESTS,
        documented::TESTS,
        events::TESTS,
        explain::TESTS,
        faults::TESTS,
        journeys::TESTS,
        killed::TESTS,
        notifications::TESTS,
        one_server::TESTS,
        orders::TESTS,
        outbox::TESTS,
        pages::TESTS,
        reports::TESTS,
        rules::TESTS,
        safety::TESTS,
        safety::doors::TESTS,
        safety::exchanges::TESTS,
        self_hosted::TESTS,
        sessions::TESTS,
        stateless::TESTS,
        uploads::TESTS,
    ]
    .concat();
    if arguments.list {
        let trials = tests.into_iter().map(|(name, _)| Trial::test(name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let world = Arc::new(World::start());
    let trials = tests
        .into_iter()
        .map(|(name, test)| {
            let world = Arc::clone(&world);
            Trial::test(name, move || {
                test(&world);
                Ok(())
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Nobody else holds it any more: the stack stops here.
    drop(world);
    conclusion.exit_code()
}
