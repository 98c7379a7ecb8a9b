//! The advisors on a real server: workloads with the indexes that are to come of them, builds that are
//! killed, and loads that ask for one of the seven tools or another.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::print_stdout, reason = "what was judged wrong is told, also where it is few")]

#[path = "../support/mod.rs"]
mod support;

mod advise;
mod cases;
mod command;
mod database;
mod exhaustive;
mod tls;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::database::Server;

fn tests() -> impl Iterator<Item = &'static command::Test> {
    command::TESTS.iter().chain(advise::TESTS).chain(exhaustive::TESTS).chain(tls::TESTS)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Times are measured: one after the other.
    arguments.test_threads = Some(1);
    let cases = cases::all();
    if arguments.list {
        let all = cases.iter().map(|case| (case.title(), true));
        let others = tests().map(|(name, _)| ((*name).to_owned(), false));
        let all = all.chain([(cases::ALL.to_owned(), true), (cases::SOME.to_owned(), false)]).chain(others);
        let trials =
            all.map(|(name, by_hand)| Trial::test(name, || Ok(())).with_ignored_flag(by_hand)).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let server = Arc::new(Server::start());
    // Each by itself is for whoever looks into it.
    let mut trials: Vec<_> = cases
        .iter()
        .cloned()
        .map(|case| {
            let server = Arc::clone(&server);
            Trial::test(case.title(), move || cases::check(&server, &case).map_err(Failed::from))
                .with_ignored_flag(true)
        })
        .collect();
    let some = cases::some(&cases);
    for (name, cases, by_hand) in [(cases::ALL, cases, true), (cases::SOME, some, false)] {
        let server = Arc::clone(&server);
        let check = move || cases::check_all(&server, &cases).map_err(Failed::from);
        trials.push(Trial::test(name, check).with_ignored_flag(by_hand));
    }
    for (name, test) in tests() {
        let server = Arc::clone(&server);
        trials.push(Trial::test(*name, move || {
            test(&server);
            Ok(())
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}
