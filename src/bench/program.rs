//! The program that measures, told which servers there are.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::bench::Run;
use crate::failure::Failure;
use crate::listen::listen;
use crate::npm;
use crate::postgres::Servers;

/// Time that everything together may take to be measured.
const MEASURE_MAX: Duration = Duration::from_mins(90);
/// What people call it.
const NAME: &str = "the bench";

/// Runs the program at `path` to its end. What it prints is the result.
///
/// # Errors
/// It can't be started, fails, or doesn't end.
pub(super) async fn run(path: &Path, run: &Run<'_>, servers: Option<&Servers>) -> Result<(), Failure> {
    let mut command = Command::new(path);
    command.args(&run.arguments);
    // It must not find another's.
    command.env_remove("DATABASE_URL").env_remove("REPLICA_URLS");
    if let Some(servers) = servers {
        command.env("DATABASE_URL", &servers.primary).env("REPLICA_URLS", servers.replicas.join(","));
    }
    command
        .env("PATH", npm::path_with_node(run.workspace)?)
        .current_dir(run.workspace.root())
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    listen(&mut command, NAME, &[], MEASURE_MAX, &run.records, run.progress).await
}
