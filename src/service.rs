//! Services: child processes that are kept running until they are told to stop.
//!
//! A service goes `Starting -> Ready -> (died -> backoff -> Ready)* -> Stopped`:
//! - one that ends before it was ever ready has failed, and so does the whole start;
//! - one that ends later, or then can't be started, is reported and started again, after a
//!   backoff that grows while it keeps dying and is forgotten once it has run a while.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::child::{Spec, see_log};
use crate::failure::{Failure, IoContext};
use crate::interpose::Interposer;
use crate::leftovers::Records;
use crate::progress::Progress;

/// Wait before the first restart of a service.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// Longest wait between restarts.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A service that ran this long is healthy: its next restart waits the least again.
const BACKOFF_FORGOTTEN_AFTER: Duration = Duration::from_secs(20);
/// Time a service has to stop by itself: longer than an origin's own limit for requests in flight.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// All services of one stack, so that whatever was started is stopped.
#[derive(Debug)]
pub(crate) struct Supervisor {
    records: Records,
    progress: Progress,
    services: Mutex<Vec<Arc<Service>>>,
    changes: watch::Sender<u64>,
    /// Between its services and the C library, where something is to be.
    interposer: Option<Interposer>,
}

impl Supervisor {
    /// Keeps note of what it starts in `records`.
    pub(crate) fn new(records: Records, progress: Progress) -> Self {
        let changes = watch::Sender::new(0);
        Self { records, progress, services: Mutex::default(), changes, interposer: None }
    }

    /// With something between its services and the C library.
    pub(crate) fn with_interposer(self, interposer: Interposer) -> Self {
        Self { interposer: Some(interposer), ..self }
    }

    /// What is between its services and the C library, if anything.
    pub(crate) fn interposer(&self) -> Option<&Interposer> {
        self.interposer.as_ref()
    }

    /// Starts a program and keeps it running.
    ///
    /// # Errors
    /// A file of its own can't be written.
    pub(crate) fn start(&self, mut spec: Spec) -> Result<Arc<Service>, Failure> {
        if let Some(interposer) = &self.interposer {
            spec.env.extend(interposer.environment(&spec.name)?);
        }
        File::create(&spec.log).or_fail("write", &spec.log)?;
        let (state_sender, state) = watch::channel(State::Starting);
        let (phase, phase_receiver) = watch::channel(Phase::Starting);
        let (name, log) = (spec.name.clone(), spec.log.clone());
        let keeper = Keeper {
            spec,
            records: self.records.clone(),
            progress: self.progress,
            state: state_sender,
            phase: phase_receiver,
            changes: self.changes.clone(),
        };
        let task = Mutex::new(Some(tokio::spawn(keeper.run())));
        let service = Arc::new(Service { name, log, state, phase, task });
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&service));
        Ok(service)
    }

    /// The service of this name, which was started last: a server is started once to be made.
    pub(crate) fn service(&self, name: &str) -> Option<Arc<Service>> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.iter().rev().find(|service| service.name == name).map(Arc::clone)
    }

    /// Whether every service that is to go on has a process.
    pub(crate) fn all_run(&self) -> bool {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = |service: &Service| *service.phase.borrow() == Phase::Stop;
        services.iter().all(|service| service.pid().is_some() || stopped(service))
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It can't be started or doesn't exit with 0; the end of its log is shown.
    pub(crate) async fn run(&self, spec: &Spec) -> Result<(), Failure> {
        spec.run(&self.records).await
    }

    /// A number that changes whenever a process starts or ends, or can't be started.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stops every service, the last started first.
    pub(crate) async fn stop(&self) {
        loop {
            let last = self.services.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(service) = last else { return };
            service.stop().await;
        }
    }
}

/// Where a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Running { pid: u32 },
    Failed(String),
}

/// A program that is kept running until it is told to stop.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    log: PathBuf,
    state: watch::Receiver<State>,
    phase: watch::Sender<Phase>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// An end is a failed start.
    Starting,
    /// An end is an accident: start again.
    Ready,
    /// Stop it, start it again with what is there now.
    Restart(u32),
    /// Stop it for good.
    Stop,
}

impl Service {
    /// The process that runs now, if one does.
    pub(crate) fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            State::Running { pid } => Some(pid),
            _ => None,
        }
    }

    /// Waits until `answers` does, then counts the service as ready.
    ///
    /// # Errors
    /// The program ended first, or `deadline` passed.
    pub(crate) async fn ready<F>(&self, deadline: Duration, answers: F) -> Result<(), Failure>
    where
        F: Future<Output = ()>,
    {
        let mut state = self.state.clone();
        tokio::select! {
            () = answers => {
                self.phase.send_replace(Phase::Ready);
                Ok(())
            }
            failure = async move {
                loop {
                    if let State::Failed(text) = &*state.borrow_and_update() {
                        return Failure::new(text.clone());
                    }
                    if state.changed().await.is_err() {
                        return Failure::new("a service's keeper ended early");
                    }
                }
            } => Err(failure),
            () = tokio::time::sleep(deadline) => Err(see_log(
                &format!("{} did not answer within {} s", self.name, deadline.as_secs()),
                &self.log,
            )),
        }
    }

    /// Stops the process and starts the program anew.
    pub(crate) fn restart(&self) {
        self.phase.send_modify(|phase| {
            *phase = match *phase {
                Phase::Restart(n) => Phase::Restart(n.wrapping_add(1)),
                _ => Phase::Restart(0),
            }
        });
    }

    /// Stops the process and everything it has started, for good.
    pub(crate) async fn stop(&self) {
        self.phase.send_replace(Phase::Stop);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // The keeper doesn't panic; if it did, there is nothing left to stop.
            let _ = task.await;
        }
    }
}

struct Keeper {
    spec: Spec,
    records: Records,
    progress: Progress,
    state: watch::Sender<State>,
    phase: watch::Receiver<Phase>,
    changes: watch::Sender<u64>,
}

/// Why a run of the program is over.
enum Over {
    Ended(ExitStatus),
    Restarted,
    Stopped,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = BACKOFF_MIN;
        loop {
            let started = Instant::now();
            let accident = match self.run_once().await {
                Ok(Over::Stopped) => return,
                Ok(Over::Restarted) => {
                    backoff = BACKOFF_MIN;
                    continue;
                }
                Ok(Over::Ended(status)) => format!("{} ended ({status})", self.spec.name),
                Err(failure) if *self.phase.borrow() == Phase::Starting => {
                    self.enter(State::Failed(failure.to_string()));
                    return;
                }
                Err(failure) => {
                    self.enter(State::Starting);
                    failure.to_string()
                }
            };
            if *self.phase.borrow() == Phase::Stop {
                return;
            }
            if started.elapsed() >= BACKOFF_FORGOTTEN_AFTER {
                backoff = BACKOFF_MIN;
            }
            self.progress.step(format!("{accident}; starting it again in {:.1} s", backoff.as_secs_f64()));
            if !self.unless_stopped(tokio::time::sleep(backoff)).await {
                return;
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    fn enter(&self, state: State) {
        self.state.send_replace(state);
        self.changes.send_modify(|change| *change = change.wrapping_add(1));
    }

    /// Waits for `wait`; `false` if the service is to stop instead.
    async fn unless_stopped(&mut self, wait: impl Future<Output = ()>) -> bool {
        let phase = &mut self.phase;
        tokio::select! {
            () = wait => true,
            _ = phase.wait_for(|phase| *phase == Phase::Stop) => false,
        }
    }

    async fn run_once(&mut self) -> Result<Over, Failure> {
        let mut group = self.spec.spawn(&self.records)?;
        self.enter(State::Running { pid: group.pid() });
        let over = loop {
            tokio::select! {
                status = group.wait() => {
                    let status = status.map_err(|error| self.spec.unknown_end(&error))?;
                    if *self.phase.borrow() == Phase::Starting {
                        return Err(self.spec.ended(status));
                    }
                    break Over::Ended(status);
                }
                changed = self.phase.changed() => {
                    let phase = *self.phase.borrow_and_update();
                    let over = match phase {
                        _ if changed.is_err() => Over::Stopped,
                        Phase::Stop => Over::Stopped,
                        Phase::Restart(_) => Over::Restarted,
                        Phase::Starting | Phase::Ready => continue,
                    };
                    group.stop(STOP_DEADLINE).await;
                    break over;
                }
            }
        };
        // What is left of the group is killed, and is no longer on record.
        group.end().await;
        self.enter(State::Starting);
        Ok(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use rustix::process::{Pid, Signal};

    use crate::child::signal_group;

    /// A supervised `/bin/sh` that runs `script`, in a folder of the test's own.
    fn start(test: &str, script: &str) -> (Supervisor, Arc<Service>, PathBuf) {
        start_program(test, Path::new("/bin/sh"), script)
    }

    fn start_program(test: &str, program: &Path, script: &str) -> (Supervisor, Arc<Service>, PathBuf) {
        let folder = folder(test);
        let supervisor = Supervisor::new(Records::new(folder.join("run")), Progress::start());
        let spec = Spec {
            name: "child".into(),
            program: program.into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            directory: folder.clone(),
            user: None,
            log: folder.join("child.log"),
            stop_signal: Signal::TERM,
        };
        let service = supervisor.start(spec).unwrap();
        (supervisor, service, folder)
    }

    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tidewall-service-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_service_that_ends_before_it_is_ready_has_failed() {
        let (supervisor, service, folder) = start("early", "exit 1");
        assert!(service.ready(Duration::from_secs(60), std::future::pending()).await.is_err());
        supervisor.stop().await;
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_ready_service_that_is_killed_runs_again() {
        let (supervisor, service, folder) = start("killed", "exec sleep 600");
        let mut changes = supervisor.changes();
        let first = kill(&service, &mut changes).await;
        while service.pid().is_none_or(|pid| pid == first) {
            changes.changed().await.unwrap();
        }
        supervisor.stop().await;
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_ready_service_that_cannot_be_started_again_is_tried_until_it_can() {
        let program = folder("gone").join("sh");
        std::os::unix::fs::symlink("/bin/sh", &program).unwrap();
        let (supervisor, service, folder) = start_program("gone", &program, "exec sleep 600");
        let mut changes = supervisor.changes();
        changes.wait_for(|_| service.pid().is_some()).await.unwrap();
        std::fs::rename(&program, folder.join("away")).unwrap();
        let first = kill(&service, &mut changes).await;
        // Its end is one change, and that it can't be started is the next.
        let ended = *changes.wait_for(|_| service.pid().is_none()).await.unwrap();
        changes.wait_for(|change| *change > ended).await.unwrap();
        assert_eq!(service.pid(), None);
        std::fs::rename(folder.join("away"), &program).unwrap();
        changes.wait_for(|_| service.pid().is_some_and(|pid| pid != first)).await.unwrap();
        supervisor.stop().await;
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_reported_with_its_log() {
        let (supervisor, service, folder) = start("mute", "echo nobody asked; touch said; exec sleep 600");
        while !folder.join("said").exists() {
            tokio::task::yield_now().await;
        }
        let failure = service.ready(Duration::ZERO, std::future::pending()).await.unwrap_err().to_string();
        supervisor.stop().await;
        let log = folder.join("child.log").display().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(failure.contains(&log) && failure.contains("  | nobody asked"), "{failure}");
    }

    /// Kills the service once it runs and is ready; returns the id that it had.
    async fn kill(service: &Service, changes: &mut watch::Receiver<u64>) -> u32 {
        changes.wait_for(|_| service.pid().is_some()).await.unwrap();
        service.ready(Duration::from_secs(60), std::future::ready(())).await.unwrap();
        let pid = service.pid().unwrap();
        signal_group(pid, Signal::KILL);
        pid
    }

    #[tokio::test]
    async fn a_stopped_services_own_children_end_too() {
        let (supervisor, service, folder) = start("group", "sleep 600 & echo $! > grandchild; wait");
        let pid = loop {
            match std::fs::read_to_string(folder.join("grandchild")).unwrap_or_default().trim().parse::<i32>()
            {
                Ok(pid) => break Pid::from_raw(pid).unwrap(),
                Err(_) => tokio::task::yield_now().await,
            }
        };
        service.ready(Duration::from_secs(60), std::future::ready(())).await.unwrap();
        supervisor.stop().await;
        // A killed process is gone once its new parent has waited for it.
        let gone = tokio::time::timeout(Duration::from_secs(60), async {
            while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid) {
                tokio::task::yield_now().await;
            }
        });
        assert!(gone.await.is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn is_zombie(pid: Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
            .is_ok_and(|stat| stat.contains(") Z "))
    }
}
