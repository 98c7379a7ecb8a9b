//! Several processes on one table, while time passes and things fail.

use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;
use tidewall_api::job::JobState;

use super::interleavings::{in_many_interleavings, until_it_fails};
use super::process::Process;
use super::table::{Flaw, LONG, Table};
use super::world::{Faults, World};

const JOBS: i64 = 3;
/// More than a run can use up.
const ATTEMPTS_MAX: i32 = 100;

/// What becomes of a process.
#[derive(Clone, Copy)]
enum Fate {
    Survives,
    IsKilled,
    Stops,
}

/// One run: three processes, and a fourth that sees the end of it.
fn run(faults: Faults, flaw: Option<Flaw>) {
    let world = Arc::new(World::new(faults));
    let table = Arc::new(Table::new(&world, JOBS, ATTEMPTS_MAX, flaw));
    let fates = [Fate::Survives, Fate::IsKilled, Fate::Stops];
    let processes = fates.map(|_| Process::new(&world, &table));
    let mut threads: Vec<_> =
        std::iter::zip(&processes, fates).map(|(process, fate)| live(process, fate)).collect();
    threads.push(thread::spawn({
        let world = Arc::clone(&world);
        move || {
            for _ in 0..16 {
                world.pass(Duration::from_secs(thread_rng().gen_range(0..5)));
                thread::yield_now();
            }
        }
    }));
    threads.push(thread::spawn({
        let table = Arc::clone(&table);
        move || {
            for _ in 0..6 {
                table.rescue();
                thread::yield_now();
            }
        }
    }));
    for thread in threads {
        thread.join().unwrap();
    }
    world.calm_down();
    let [survivor, ..] = processes;
    come_to_an_end(&world, &table, &[survivor, Process::new(&world, &table)]);
}

/// The threads of one process, and its fate.
fn live(process: &Arc<Process>, fate: Fate) -> thread::JoinHandle<()> {
    let process = Arc::clone(process);
    thread::spawn(move || {
        let heart = {
            let process = Arc::clone(&process);
            thread::spawn(move || {
                for _ in 0..8 {
                    process.beat();
                    thread::yield_now();
                }
            })
        };
        let settling = {
            let process = Arc::clone(&process);
            thread::spawn(move || {
                for _ in 0..6 {
                    process.settle();
                    thread::yield_now();
                }
            })
        };
        for _ in 0..8 {
            process.turn();
            thread::yield_now();
        }
        if let Fate::IsKilled = fate {
            process.kill();
        }
        heart.join().unwrap();
        settling.join().unwrap();
        match fate {
            Fate::Stops => {
                process.stop();
            }
            Fate::Survives | Fate::IsKilled => process.join(),
        }
    })
}

/// Nothing fails any more: all is done, by those that are left, one step after the other.
fn come_to_an_end(world: &World, table: &Table, processes: &[Arc<Process>]) {
    for _ in 0..LONG.as_secs() {
        for process in processes {
            process.beat();
            process.turn();
            process.settle();
        }
        table.rescue();
        world.pass(Duration::from_secs(1));
    }
    for (id, job) in table.jobs() {
        assert_eq!(job.state, JobState::Completed, "job {id} is stuck: {job:?}");
        assert_eq!(job.effects, 1, "effects of job {id}: {job:?}");
        assert_eq!(job.attempts_max, ATTEMPTS_MAX + job.uncounted, "job {id} lost an attempt: {job:?}");
    }
    for process in processes {
        assert_eq!(process.holds(), (0, 0), "a process holds what has ended");
    }
}

/// Some order shows what `flaw` does.
fn check_flawed(faults: Faults, flaw: Flaw) {
    until_it_fails(move || run(faults, Some(flaw)));
}

#[test]
fn each_job_has_one_attempt_at_a_time_and_one_effect_and_none_is_stuck() {
    in_many_interleavings(|| run(Faults::Answers, None));
}

#[test]
#[should_panic(expected = "is stuck")]
fn without_the_lease_in_its_condition_a_claim_takes_jobs_that_nobody_looks_after() {
    check_flawed(Faults::Answers, Flaw::ClaimWithoutLease);
}

#[test]
#[should_panic(expected = "is stuck")]
fn without_its_workers_row_locked_a_claim_takes_jobs_that_nobody_looks_after() {
    check_flawed(Faults::Answers, Flaw::ClaimWithoutLock);
}

#[test]
#[should_panic(expected = "run at the same time")]
fn a_rescuer_that_does_not_wait_for_the_lease_has_jobs_run_twice_at_a_time() {
    check_flawed(Faults::Answers, Flaw::RescueTooEarly);
}

#[test]
#[should_panic(expected = "run at the same time")]
fn an_end_that_does_not_name_its_attempt_ends_another_one() {
    check_flawed(Faults::Answers, Flaw::SettleAnyAttempt);
}

#[test]
#[should_panic(expected = "run at the same time")]
fn what_a_worker_knows_of_is_not_to_be_released() {
    check_flawed(Faults::Answers, Flaw::ReleaseWhatIsHeld);
}

#[test]
#[should_panic(expected = "is stuck")]
fn without_a_release_what_a_lost_answer_has_claimed_is_stuck() {
    check_flawed(Faults::Answers, Flaw::NoRelease);
}

#[test]
#[should_panic(expected = "effects of job")]
fn an_effect_in_a_transaction_of_its_own_is_made_twice() {
    check_flawed(Faults::Answers, Flaw::EffectApart);
}

#[test]
#[ignore = "takes some ten thousand interleavings, a minute"]
#[should_panic(expected = "is stuck")]
fn a_release_that_does_not_name_attempts_leaves_what_an_earlier_one_hides() {
    check_flawed(Faults::Answers, Flaw::ReleaseByIdAlone);
}

#[test]
fn a_claim_that_outlives_its_client_is_released_as_well() {
    in_many_interleavings(|| run(Faults::LateStatements, None));
}

#[test]
#[should_panic(expected = "is stuck")]
fn without_an_era_in_its_condition_a_claim_that_comes_late_takes_jobs_that_nobody_runs() {
    check_flawed(Faults::LateStatements, Flaw::ClaimWithoutEra);
}

#[test]
#[should_panic(expected = "run at the same time")]
fn without_an_era_in_its_condition_a_release_that_comes_late_hands_back_what_runs() {
    check_flawed(Faults::LateStatements, Flaw::ReleaseWithoutEra);
}
