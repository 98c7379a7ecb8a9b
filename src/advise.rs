//! `tidewall advise`: which of the seven tools a product needs now. The origin's program looks and says;
//! this finds what there is to look at.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidewall_api::command::advise::AdviseArgs;

use crate::administer::program;
use crate::cli::{AdministerArgs, AdviseCommand, AdviseOther};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::workspace::Workspace;
use crate::{bench, data, ready};

/// What is read of the ready file. Has no `Debug`: it holds secrets.
#[derive(Deserialize)]
struct Running {
    edge: Option<String>,
    origins: Vec<Origin>,
    primary: String,
    #[serde(default)]
    replicas: Vec<String>,
    purge_token: String,
}

#[derive(Deserialize)]
struct Origin {
    url: String,
}

/// What was advised of a running stack is written down in its data directory.
const LEDGER: &str = "advice.jsonl";
/// Where scenarios are.
const SCENARIOS: &str = "bench/scenarios";
/// What was advised of others.
const LEDGER_OF_OTHERS: &str = "target/tidewall-advice.jsonl";

/// Has the origin's program look, and print.
///
/// # Errors
/// There is nothing to look at, or the program says so.
pub(crate) async fn run(command: &AdviseCommand, progress: &Progress) -> Result<(), Failure> {
    let AdviseCommand { other, database: AdministerArgs { data, database_url, asked }, replica_url } =
        command;
    if let Some(AdviseOther::Record { names }) = other {
        return record(names, progress).await;
    }
    let workspace = Workspace::find()?;
    let (asked, env) = match database_url {
        Some(url) => {
            let env = vec![("DATABASE_URL", url.clone()), ("REPLICA_URLS", replica_url.join(","))];
            (with_ledger(asked, workspace.join(LEDGER_OF_OTHERS)), env)
        }
        None if is_of_others(asked, data.as_deref()) => {
            (with_ledger(asked, workspace.join(LEDGER_OF_OTHERS)), Vec::new())
        }
        None => {
            let folder = data.clone().unwrap_or_else(|| workspace.join(data::FOLDER));
            let missing = "start `tidewall dev`, or pass its --data, a --database-url or an --access-log";
            of_running(asked, ready::read(&folder.join(ready::FILE), missing)?, &folder)
        }
    };
    program(&workspace, "advise", asked.to_arguments(), env).await
}

/// Has products run under load, to judge the advisor by. What is none is told before anything is built.
async fn record(names: &[String], progress: &Progress) -> Result<(), Failure> {
    let folder = Workspace::find()?.join(SCENARIOS);
    let is_there = |name: &str| name == "all" || folder.join(format!("{name}.toml")).is_file();
    match names.iter().find(|name| !is_there(name)) {
        None => bench::record(names, progress).await,
        Some(unknown) => Err(Failure::new(format!(
            "there is no scenario `{unknown}`; each is a file of {}, and `all` are all of them",
            folder.display()
        ))),
    }
}

/// Something else than a running stack was named.
fn is_of_others(asked: &AdviseArgs, data: Option<&Path>) -> bool {
    let is_named = asked.access_log.is_some() || !asked.origin.is_empty() || asked.host;
    is_named && data.is_none()
}

fn with_ledger(asked: &AdviseArgs, file: PathBuf) -> AdviseArgs {
    let mut asked = asked.clone();
    asked.ledger.get_or_insert(file);
    asked
}

/// All that a running stack has, which is on this machine.
fn of_running(
    asked: &AdviseArgs,
    running: Running,
    folder: &Path,
) -> (AdviseArgs, Vec<(&'static str, String)>) {
    let mut asked = with_ledger(asked, folder.join(LEDGER));
    asked.host = true;
    // Its token is for no other.
    let is_own = asked.edge.is_none() || asked.edge == running.edge;
    asked.edge = asked.edge.or(running.edge);
    if asked.origin.is_empty() {
        asked.origin = running.origins.into_iter().map(|origin| origin.url).collect();
    }
    let mut env = vec![("DATABASE_URL", running.primary), ("REPLICA_URLS", running.replicas.join(","))];
    env.extend(is_own.then_some(("TIDEWALL_PURGE_TOKEN", running.purge_token)));
    (asked, env)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asked(line: &str) -> (AdviseArgs, Option<PathBuf>) {
        match Cli::parse_from(line.split(' ')).command {
            Some(Command::Advise(AdviseCommand { database, .. })) => (database.asked, database.data),
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn a_log_alone_is_nothing_of_a_running_stack() {
        let check = |line: &str, expected: bool| {
            let (asked, data) = asked(line);
            assert_eq!(is_of_others(&asked, data.as_deref()), expected, "{line}");
        };
        check("tidewall advise", false);
        check("tidewall advise --json --users 5", false);
        check("tidewall advise --access-log a.log", true);
        check("tidewall advise --access-log a.log --data /tmp/x", false);
    }

    #[test]
    fn of_a_running_stack_all_is_looked_at() {
        let running = || Running {
            edge: Some("http://127.0.0.1:1".to_owned()),
            origins: vec![Origin { url: "http://127.0.0.1:2".to_owned() }],
            primary: "postgres://a".to_owned(),
            replicas: vec!["postgres://b".to_owned(), "postgres://c".to_owned()],
            purge_token: "secret".to_owned(),
        };
        let named = asked("tidewall advise --edge https://a.example").0;
        let (_, env) = of_running(&named, running(), Path::new("/x"));
        assert!(env.iter().all(|(name, _)| *name != "TIDEWALL_PURGE_TOKEN"), "it is for another edge");
        let (asked, env) = of_running(&asked("tidewall advise --json").0, running(), Path::new("/x"));
        assert_eq!(
            asked.to_arguments().join(" "),
            "--interval=10 --json --host --ledger=/x/advice.jsonl --origin=http://127.0.0.1:2 --edge=http://127.0.0.1:1"
        );
        assert!(env.contains(&("REPLICA_URLS", "postgres://b,postgres://c".to_owned())));
    }
}
