//! `tidewall jobs`: looks at the background jobs of a running system, or of any database that has
//! Tidewall's queue, and acts on them by hand. The origin's program does it; this finds the
//! database.

use serde::Deserialize;
use tokio::process::Command;

use crate::cargo::{self, Artifact};
use crate::cli::{JobsArgs, JobsCommand};
use crate::data;
use crate::failure::Failure;
use crate::ready;
use crate::workspace::Workspace;

/// What is read of the ready file.
#[derive(Deserialize)]
struct Running {
    primary: String,
}

/// Has the origin's program do it, and print.
///
/// # Errors
/// There is no database, or the program says so.
pub(crate) async fn run(args: &JobsArgs) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let url = match &args.database_url {
        Some(url) => url.clone(),
        None => {
            let folder = args.data.clone().unwrap_or_else(|| workspace.join(data::FOLDER));
            let missing = "start `tidewall dev`, or pass its --data, or a --database-url";
            ready::read::<Running>(&folder.join(ready::FILE), missing)?.primary
        }
    };
    let program = cargo::build(&workspace, Artifact::Binary("tidewall-origin")).await?;
    let mut command = Command::new(program);
    command.arg("jobs").args(arguments(args)).env("DATABASE_URL", url).env("REPLICA_URLS", "");
    let status = command.status().await.map_err(|error| {
        Failure::new(format!("cannot run tidewall-origin: {error}; build it with `cargo build --workspace`"))
    })?;
    // What went wrong the program has said.
    if status.success() { Ok(()) } else { Err(Failure::new("nothing was changed or shown")) }
}

/// The origin's arguments.
fn arguments(args: &JobsArgs) -> Vec<String> {
    let mut all = Vec::new();
    match &args.command {
        JobsCommand::List { state, kind, before, limit } => {
            all.push("list".to_owned());
            let before = before.map(|before| before.to_string());
            for (flag, value) in [
                ("--state", state),
                ("--kind", kind),
                ("--before", &before),
                ("--limit", &Some(limit.to_string())),
            ] {
                if let Some(value) = value {
                    all.extend([flag.to_owned(), value.clone()]);
                }
            }
        }
        JobsCommand::Show { id } => all.extend(["show".to_owned(), id.to_string()]),
        JobsCommand::Retry { id } => all.extend(["retry".to_owned(), id.to_string()]),
        JobsCommand::Cancel { id } => all.extend(["cancel".to_owned(), id.to_string()]),
    }
    if args.json {
        all.push("--json".to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn check(line: &str, expected: &str) {
        let Some(Command::Jobs(args)) = Cli::parse_from(line.split(' ')).command else { panic!("{line}") };
        assert_eq!(arguments(&args).join(" "), expected, "{line}");
    }

    #[test]
    fn what_is_typed_reaches_the_program() {
        check("tidewall jobs list", "list --limit 20");
        check(
            "tidewall jobs --json list --state discarded --kind report --before 9 --limit 3",
            "list --state discarded --kind report --before 9 --limit 3 --json",
        );
        check("tidewall jobs show 7 --json --data /tmp/x", "show 7 --json");
        check("tidewall jobs retry 7", "retry 7");
        check("tidewall jobs cancel 7", "cancel 7");
    }
}
