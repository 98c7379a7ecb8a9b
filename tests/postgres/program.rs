//! The origin's program, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::edge::TOKEN;
use crate::support::processes::signal;
use crate::support::tidewall::Folder;
use crate::world::World;

/// A running one; killed when dropped.
pub(crate) struct Program {
    child: Child,
    _folder: Folder,
}

impl Program {
    /// A queue worker, which tells the edge at `edge` as well.
    pub(crate) fn worker(world: &World, edge: &str) -> Self {
        Self::start(world, edge, &["work"])
    }

    /// An origin at `listen`.
    pub(crate) fn origin(world: &World, edge: &str, listen: &str) -> Self {
        Self::start(world, edge, &["serve", "--id", "x", "--listen", listen])
    }

    fn start(world: &World, edge: &str, args: &[&str]) -> Self {
        let folder = Folder::new();
        let child = Command::new(program())
            .args(args)
            .arg("--files")
            .arg(&folder.0)
            .env("DATABASE_URL", world.url(0))
            .env("REPLICA_URLS", format!("{},{}", world.url(1), world.url(2)))
            .env("TIDEWALL_SECRET", "a secret of the tests")
            .env("EDGE_URL", edge)
            .env("PURGE_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, _folder: folder }
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

/// Beside the command, which has built it for the stack.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("tidewall-origin")
}
