//! The origin's program, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;

use crate::edge::TOKEN;
use crate::support::processes::signal;
use crate::support::tidewall::{Folder, client};
use crate::world::{World, until};

/// What it signs and seals with.
const SECRET: &str = "a secret of the tests and of none other";

/// A running one; killed when dropped.
pub(crate) struct Program {
    child: Child,
    _folder: Folder,
}

impl Program {
    /// A queue worker, which tells the edge at `edge` as well.
    pub(crate) fn worker(world: &World, edge: &str) -> Self {
        Self::start(world, &["work"], &[("EDGE_URL", edge)])
    }

    /// An origin at `listen`.
    pub(crate) fn origin(world: &World, edge: &str, listen: &str) -> Self {
        Self::origin_with(world, listen, &[("EDGE_URL", edge)])
    }

    /// The same with this in its environment, and with no edge unless that names one.
    pub(crate) fn origin_with(world: &World, listen: &str, env: &[(&str, &str)]) -> Self {
        Self::start(world, &["serve", "--id", "x", "--plain-cookies", "--listen", listen], env)
    }

    fn start(world: &World, args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let child = Command::new(program())
            .args(args)
            .arg("--files")
            .arg(&folder.0)
            .env("DATABASE_URL", world.url(0))
            .env("REPLICA_URLS", format!("{},{}", world.url(1), world.url(2)))
            .env("TIDEWALL_SECRET", SECRET)
            .env("EDGE_URL", "")
            .env("PURGE_TOKEN", TOKEN)
            .env_remove("CLIENT_ADDRESS_FIELD")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, _folder: folder }
    }

    /// Waits until it can answer at `url`.
    pub(crate) async fn until_ready(&mut self, url: &str) {
        until("it is ready", || {
            self.check();
            let ready = client().get(format!("{url}/readyz")).send();
            async { ready.await.is_ok_and(|response| response.status() == 200) }
        })
        .await;
    }

    /// It runs.
    pub(crate) fn check(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the program has ended");
    }

    /// It does nothing any more, and keeps its connections.
    pub(crate) fn stand_still(&self) {
        signal(self.child.id(), Signal::STOP);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it to its end.
pub(crate) fn run(world: &World, args: &[&str]) -> Output {
    Command::new(program())
        .args(args)
        .env("DATABASE_URL", world.url(0))
        .env("REPLICA_URLS", "")
        .env("TIDEWALL_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Beside the command, which has built it for the stack.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("tidewall-origin")
}
