//! What a process holds, while its heart, its worker, its attempts and its settling get at it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::sync::mpsc::{self, Sender};
use shuttle::thread;
use tokio::sync::oneshot;

use super::super::ending::{Ending, Stop};
use super::super::handler::Progress;
use super::super::running::{Former, Running};
use super::super::storage::settle::Ended;
use super::interleavings::{in_every_interleaving, in_many_interleavings};

const KIND: &str = "test";

fn ended(id: i64, attempt: i32) -> Ended {
    Ended { id, attempt, ending: Ending::Lost }
}

fn begin(running: &Running, worker: i64, id: i64, attempt: i32) -> Option<oneshot::Receiver<Stop>> {
    running.begin(worker, id, attempt, KIND, Progress::default())
}

fn end(running: &Running, id: i64, attempt: i32) {
    running.end(id, attempt, true, KIND, false, Duration::ZERO);
}

/// Numbers that were lost before now. Looking isn't a step that others come between.
#[derive(Clone, Default)]
struct Lost(Arc<std::sync::Mutex<BTreeSet<i64>>>);

impl Lost {
    fn insert(&self, worker: i64) {
        self.0.lock().unwrap().insert(worker);
    }

    fn contains(&self, worker: i64) -> bool {
        self.0.lock().unwrap().contains(&worker)
    }
}

/// Runs for a while, or until it is told to stop.
fn attempt(
    (running, lost): (&Running, &Lost),
    (worker, id, number): (i64, i64, i32),
    mut stopped: oneshot::Receiver<Stop>,
    ends: &Sender<Ended>,
) {
    for _ in 0..3 {
        let is_lost = lost.contains(worker);
        match stopped.try_recv() {
            Ok(why) => {
                assert_eq!(why, Stop::LeaseLost);
                break;
            }
            Err(_) => assert!(!is_lost, "job {id} runs under the lost number {worker}, and was told nothing"),
        }
        thread::yield_now();
    }
    end(running, id, number);
    ends.send(ended(id, number)).unwrap();
}

/// A heart that loses its lease and takes another, as `Heart` does.
fn lose_and_take(running: &Running, lost: &Lost, number: &Mutex<Option<i64>>, worker: i64) {
    *number.lock().unwrap() = None;
    running.lose_lease(former(worker));
    lost.insert(worker);
    running.take_lease(worker + 1);
    *number.lock().unwrap() = Some(worker + 1);
}

fn everything_at_once() {
    let (running, lost) = (Arc::new(Running::new()), Lost::default());
    let number = Arc::new(Mutex::new(None));
    let (ends, to_settle) = mpsc::channel();
    let settling = {
        let running = Arc::clone(&running);
        thread::spawn(move || {
            while let Ok(end) = to_settle.recv() {
                let batch: Vec<_> = std::iter::once(end).chain(to_settle.try_iter()).collect();
                running.settled(&batch);
            }
        })
    };
    let heart = {
        let (running, lost, number) = (Arc::clone(&running), lost.clone(), Arc::clone(&number));
        thread::spawn(move || {
            running.take_lease(1);
            *number.lock().unwrap() = Some(1);
            lose_and_take(&running, &lost, &number, 1);
            lose_and_take(&running, &lost, &number, 2);
        })
    };
    let worker = {
        let running = Arc::clone(&running);
        thread::spawn(move || {
            let mut attempts = Vec::new();
            for id in 1..=4 {
                let claimed_under = *number.lock().unwrap();
                let Some(worker) = claimed_under else { continue };
                // Here the claim is under way, and anything happens.
                thread::yield_now();
                let Some(stopped) = begin(&running, worker, id, 1) else { continue };
                let (running, lost, ends) = (Arc::clone(&running), lost.clone(), ends.clone());
                attempts.push(thread::spawn(move || {
                    attempt((&running, &lost), (worker, id, 1), stopped, &ends);
                }));
            }
            drop(ends);
            for attempt in attempts {
                attempt.join().unwrap();
            }
        })
    };
    for thread in [heart, worker, settling] {
        thread.join().unwrap();
    }
    assert_eq!((running.len(), running.unsettled(), ids(&running)), (0, 0, vec![]));
}

fn former(number: i64) -> Former {
    Former { number, is_own_fault: false }
}

fn ids(running: &Running) -> Vec<i64> {
    running.attempts().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn what_was_begun_under_a_lost_number_is_told_to_stop_and_in_the_end_nothing_is_held() {
    in_many_interleavings(everything_at_once);
}

fn an_earlier_and_a_later_attempt() {
    let running = Arc::new(Running::new());
    running.take_lease(1);
    let mut first = begin(&running, 1, 7, 1).unwrap();
    let earlier = {
        let running = Arc::clone(&running);
        thread::spawn(move || {
            end(&running, 7, 1);
            running.settled(&[ended(7, 1)]);
        })
    };
    running.lose_lease(former(1));
    if let Ok(why) = first.try_recv() {
        assert_eq!(why, Stop::LeaseLost);
    }
    running.take_lease(2);
    let mut second = begin(&running, 2, 7, 2).unwrap();
    assert!(ids(&running).contains(&7));
    running.stop(7, Stop::Cancelled);
    assert_eq!(second.try_recv(), Ok(Stop::Cancelled), "whoever stops the job meets its later attempt");
    earlier.join().unwrap();
    assert_eq!((running.len(), ids(&running)), (1, vec![7]));
    end(&running, 7, 2);
    running.settled(&[ended(7, 1)]);
    assert_eq!((running.len(), ids(&running)), (0, vec![7]), "the later attempt's end isn't written yet");
    running.settled(&[ended(7, 2)]);
    assert_eq!((running.unsettled(), ids(&running)), (0, vec![]));
}

#[test]
fn the_end_of_an_earlier_attempt_leaves_the_later_one() {
    in_every_interleaving(an_earlier_and_a_later_attempt);
}

/// What isn't named there is handed back when a claim's answer was lost.
fn a_job_that_ends_while_somebody_asks() {
    let running = Arc::new(Running::new());
    running.take_lease(1);
    let _stopped = begin(&running, 1, 7, 1).unwrap();
    let attempt = {
        let running = Arc::clone(&running);
        thread::spawn(move || end(&running, 7, 1))
    };
    for _ in 0..3 {
        assert_eq!(ids(&running).first(), Some(&7), "its end isn't written yet");
    }
    attempt.join().unwrap();
    running.settled(&[ended(7, 1)]);
    assert_eq!(ids(&running), Vec::<i64>::new());
}

#[test]
fn a_job_is_known_from_its_beginning_until_its_end_is_written() {
    in_every_interleaving(a_job_that_ends_while_somebody_asks);
}

fn somebody_waits_for_the_last_end() {
    let running = Arc::new(Running::new());
    running.take_lease(1);
    let attempts: Vec<_> = [1, 2]
        .into_iter()
        .map(|id| {
            let _stopped = begin(&running, 1, id, 1).unwrap();
            let running = Arc::clone(&running);
            thread::spawn(move || end(&running, id, 1))
        })
        .collect();
    // As a worker that stops does; where it isn't woken nothing goes on.
    block_on(async {
        while running.len() > 0 {
            running.ended.notified().await;
        }
    });
    for attempt in attempts {
        attempt.join().unwrap();
    }
}

#[test]
fn who_waits_until_nothing_runs_is_woken() {
    in_many_interleavings(somebody_waits_for_the_last_end);
}
