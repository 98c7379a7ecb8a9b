//! Restarts the origins of a running system one by one, as a deployment would: each finishes
//! what it has while the others take what comes, and the next waits until it is back.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::RollingRestartArgs;
use crate::data::{self, DataDir};
use crate::failure::{Failure, IoContext};
use crate::origins::until_ready;
use crate::progress::Progress;
use crate::service::Service;
use crate::workspace::Workspace;
use crate::wrangler::Origin;
use crate::{loopback, ready};

/// Time that one origin may take: to finish what it has, to start, to answer.
const ORIGIN_MAX: Duration = Duration::from_secs(60);
/// Time from when an origin is back until the next one goes: until all the edge knows of it.
const PAUSE: Duration = Duration::from_secs(3);
/// How often is looked whether it is back.
const POLL: Duration = Duration::from_millis(50);
/// What a person types.
const KEY: &str = "r";

/// How a running system is told to.
const SIGNAL: SignalKind = SignalKind::user_defined1();

/// What is read of the ready file.
#[derive(Deserialize)]
struct Running {
    pid: i32,
    origins: Vec<RunningOrigin>,
}

#[derive(Deserialize)]
struct RunningOrigin {
    pid: Option<u32>,
}

impl Running {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(ready::FILE);
        let json = std::fs::read(&path).or_fail("read", &path)?;
        serde_json::from_slice(&json)
            .map_err(|error| Failure::new(format!("{} can't be read: {error}", path.display())))
    }

    fn pids(&self) -> Vec<Option<u32>> {
        self.origins.iter().map(|origin| origin.pid).collect()
    }
}

/// Tells the system that runs on a data directory, and waits until it is done.
///
/// # Errors
/// None runs there, or an origin doesn't come back.
pub(crate) async fn run(args: &RollingRestartArgs, progress: &Progress) -> Result<(), Failure> {
    let folder = match &args.data {
        Some(folder) => folder.clone(),
        None => Workspace::find()?.join(data::FOLDER),
    };
    let nothing = || {
        let folder = folder.display();
        Failure::new(format!("no tidewall runs on {folder}: start one, or pass its --data"))
    };
    // Whoever could lock it is alone with it.
    if !folder.join(ready::FILE).exists() || DataDir::lock(&folder)?.is_some() {
        return Err(nothing());
    }
    let before = Running::read(&folder)?;
    let pid = Pid::from_raw(before.pid).ok_or_else(nothing)?;
    kill_process(pid, Signal::USR1).map_err(|_| nothing())?;
    let deadline = ORIGIN_MAX * u32::try_from(before.origins.len()).unwrap_or(u32::MAX);
    let begun = Instant::now();
    // The file is written anew once all that it names runs.
    while begun.elapsed() < deadline {
        tokio::time::sleep(POLL).await;
        let now = Running::read(&folder)?.pids();
        let is_done = before.pids().iter().zip(&now).all(|(before, now)| now.is_some() && before != now);
        if is_done {
            progress.step(format!("{} origins were restarted", now.len()));
            return Ok(());
        }
    }
    Err(Failure::new("the origins are not back; their logs say why"))
}

/// What tells a running system to.
pub(crate) struct Wishes {
    signal: tokio::signal::unix::Signal,
    keys: mpsc::UnboundedReceiver<()>,
}

impl Wishes {
    /// Listens for the signal, and to a person at the terminal.
    ///
    /// # Errors
    /// The system takes no handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let signal =
            signal(SIGNAL).map_err(|error| Failure::new(format!("can't listen to signals: {error}")))?;
        let (pressed, keys) = mpsc::unbounded_channel();
        if is_asked_by_a_person() {
            // A thread of its own: the runtime would wait for the next line before it ends.
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    if line.trim() == KEY && pressed.send(()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { signal, keys })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.signal.recv() => {}
            Some(()) = self.keys.recv() => {}
            else => std::future::pending().await,
        }
    }
}

/// Whether a person types to this process: one in the background would be stopped for reading.
fn is_asked_by_a_person() -> bool {
    let stdin = std::io::stdin();
    stdin.is_terminal() && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp())
}

/// Restarts one after the other.
pub(crate) async fn restart(services: &[Arc<Service>], origins: &[Origin], progress: &Progress) {
    for (service, origin) in services.iter().zip(origins) {
        let begun = Instant::now();
        match tokio::time::timeout(ORIGIN_MAX, restarted(service, &origin.url)).await {
            Ok(Ok(())) => {
                let took = begun.elapsed().as_secs_f64();
                progress.step(format!("origin {} was restarted in {took:.1} s", origin.id));
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Err(failure)) => return progress.step(failure.to_string()),
            // The others are left as they are: they answer.
            Err(_) => return progress.step(format!("origin {} is not back; its log says why", origin.id)),
        }
    }
}

async fn restarted(service: &Service, url: &str) -> Result<(), Failure> {
    let client = loopback::client()?;
    let before = service.pid();
    service.restart();
    // The old one has ended before there is a new one, so it is not what answers.
    while service.pid().is_none_or(|pid| Some(pid) == before) {
        tokio::time::sleep(POLL).await;
    }
    until_ready(&client, url).await;
    Ok(())
}
