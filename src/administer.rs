//! `tidewall jobs`, `tidewall webhooks`, `tidewall index`: looks after what a running system has in its database,
//! or any database that has Tidewall's schema. The origin's program does it; this finds the
//! database, and the secret that belongs to it.

use std::fs;
use std::path::Path;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::Command;

use crate::cargo::{self, Artifact};
use crate::cli::AdministerArgs;
use crate::data;
use crate::failure::{Failure, IoContext};
use crate::ready;
use crate::signals::told_to_stop;
use crate::workspace::Workspace;

/// What is read of the ready file.
#[derive(Deserialize)]
struct Running {
    primary: String,
    #[serde(default)]
    replicas: Vec<String>,
}

/// Which servers the program is told of.
#[derive(Clone, Copy)]
pub(crate) enum Servers<'a> {
    /// The one that is written to.
    Primary,
    /// All: these are the replicas of the database that was named.
    All(&'a [String]),
}

/// Has the origin's program do it, and print.
///
/// # Errors
/// There is no database, or the program says so.
pub(crate) async fn run<T: Args>(
    what: &str,
    args: &AdministerArgs<T>,
    asked: Vec<String>,
    servers: Servers<'_>,
) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let mut env = match &args.database_url {
        // The secret of its origins is in the environment, if it is anywhere.
        Some(url) => vec![("DATABASE_URL", url.clone()), ("REPLICA_URLS", servers.named().join(","))],
        None => of_running(&args.data.clone().unwrap_or_else(|| workspace.join(data::FOLDER)))?,
    };
    if matches!(servers, Servers::Primary) {
        env.push(("REPLICA_URLS", String::new()));
    }
    program(&workspace, what, asked, env).await
}

/// Runs the origin's program, with this environment besides its own.
///
/// # Errors
/// It can't be built or run, or says that it failed.
pub(crate) async fn program(
    workspace: &Workspace,
    what: &str,
    asked: Vec<String>,
    env: Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let program = cargo::build(workspace, Artifact::Binary("tidewall-origin")).await?;
    let mut command = Command::new(program);
    command.arg(what).args(asked).envs(env);
    // A person reads this: what the program connects to is no news.
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot run tidewall-origin: {error}; build it with `cargo build --workspace`"))
    };
    let mut child = command.spawn().map_err(failed)?;
    let status = tokio::select! {
        status = child.wait() => status,
        () = told_to_stop() => {
            // It has things to put back in order first.
            if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                let _gone = kill_process(pid, Signal::TERM);
            }
            child.wait().await
        }
    };
    let status = status.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    // What went wrong the program has said.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Err(Failure::new("it could not be done").with_code(code))
}

/// The environment of the origins of a `tidewall dev` that runs in `folder`.
fn of_running(folder: &Path) -> Result<Vec<(&'static str, String)>, Failure> {
    let missing = "start `tidewall dev`, or pass its --data, or a --database-url";
    let Running { primary, replicas } = ready::read(&folder.join(ready::FILE), missing)?;
    let path = data::secret_path(folder, data::SIGNING_KEY);
    let secret = fs::read_to_string(&path).or_fail("read", &path)?;
    Ok(vec![("DATABASE_URL", primary), ("REPLICA_URLS", replicas.join(",")), ("TIDEWALL_SECRET", secret)])
}

impl Servers<'_> {
    fn named(&self) -> &[String] {
        match self {
            Self::Primary => &[],
            Self::All(replicas) => replicas,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tidewall_api::command::index::IndexArgs;
    use tidewall_api::command::jobs::JobsArgs;
    use tidewall_api::command::webhooks::WebhooksArgs;

    use super::*;
    use crate::cli::{Cli, Command, IndexCommand};

    /// The arguments as the program reads them.
    #[derive(Parser)]
    struct Read<T: Args> {
        #[command(flatten)]
        args: T,
    }

    fn read<T: Args>(asked: &[String]) -> T {
        let program = "tidewall-origin".to_owned();
        Read::parse_from(std::iter::once(&program).chain(asked)).args
    }

    fn check(line: &str, expected: &str) {
        let asked = match Cli::parse_from(line.split(' ')).command {
            Some(Command::Jobs(typed)) => {
                let asked = typed.asked.to_arguments();
                assert_eq!(read::<JobsArgs>(&asked), typed.asked, "{line}");
                asked
            }
            Some(Command::Webhooks(typed)) => {
                let asked = typed.asked.to_arguments();
                assert_eq!(read::<WebhooksArgs>(&asked), typed.asked, "{line}");
                asked
            }
            Some(Command::Index(IndexCommand { database: typed, .. })) => {
                let asked = typed.asked.to_arguments();
                assert_eq!(read::<IndexArgs>(&asked), typed.asked, "{line}");
                asked
            }
            _ => panic!("{line}"),
        };
        assert_eq!(asked.join(" "), expected, "{line}");
    }

    #[test]
    fn what_is_typed_reaches_the_program() {
        check("tidewall jobs list", "list --limit=20");
        check(
            "tidewall jobs --json list --state discarded --kind report --before 9 --limit 3",
            "list --limit=3 --state=discarded --kind=report --before=9 --json",
        );
        check("tidewall jobs show 7 --json --data /tmp/x", "show 7 --json");
        check("tidewall jobs retry 7", "retry 7");
        check("tidewall jobs cancel 7", "cancel 7");
        check("tidewall webhooks list --json", "list --json");
        check("tidewall index", "--sample-rows=1000000");
        check(
            "tidewall index --json --apply --statements a.sql --sample-rows 5000 --replica-url postgres://b",
            "--sample-rows=5000 --json --apply --statements=a.sql",
        );
        check("tidewall webhooks add https://a.example --event x", "add --event=x -- https://a.example");
        check(
            "tidewall webhooks add https://a.example --event x y --event z --json",
            "add --event=x --event=y --event=z --json -- https://a.example",
        );
        check("tidewall webhooks remove -- -a", "remove -- -a");
        check("tidewall webhooks test https://a.example --data /x", "test -- https://a.example");
    }
}
