//! `tidewall deploy`: the edge on Cloudflare, by wrangler. A plan is shown and nothing is made before a yes;
//! then a new version gets a part of the requests, is looked at, and gets more, or goes back.

mod account;
mod plan;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use account::{Account, History};
use plan::{Facts, Plan, plan};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::build::{self, Part};
use crate::cli::DeployArgs;
use crate::failure::{Failure, IoContext as _};
use crate::progress::Progress;
use crate::signals::told_to_stop;
use crate::workspace::{Flavor, Workspace};
use crate::wrangler::Config;
use crate::{cargo, child, lock, npm, private};

/// The secrets that the Worker may need.
const SECRETS: [&str; 2] = ["PURGE_TOKEN", "STICKY_SECRET"];
/// Stands for a secret that the Worker has already.
const FINE: &str = "a secret that is long enough";
/// By which a request asks for a version of a Worker, whatever its part.
const VERSION_FIELD: &str = "cloudflare-workers-version-overrides";
/// How often a new version is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long it may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// So many looks in a row that fail are no accident.
const FAILS: usize = 3;

/// Deploys, or goes back.
///
/// # Errors
/// Something lacks, nobody says yes, wrangler or the platform refuses, or the new version doesn't answer; then
/// the one before has all requests again.
pub(crate) async fn run(args: &DeployArgs, progress: &Progress) -> Result<(), Failure> {
    let work = async {
        let workspace = Workspace::find()?;
        let config = match &args.config {
            Some(file) => Config::read_at(file)?,
            None => Config::read(&workspace)?,
        };
        let flavor = if args.dev { Flavor::Dev } else { Flavor::Release };
        workspace.children().end_leftovers(progress).await?;
        npm::ensure(&workspace, progress).await?;
        let folder = workspace.join("target/tidewall-deploy");
        fs::create_dir_all(&folder).or_fail("create", &folder)?;
        let Some(_one_at_a_time) = lock::try_take(&folder.join("lock"))? else {
            return Err(Failure::new("another `tidewall deploy` runs in this checkout; wait for it"));
        };
        let file = folder.join("wrangler.json");
        let (worker, site) = (workspace.worker(flavor), workspace.site(flavor));
        fs::write(&file, config.deployed_as(&worker, &site)?.to_string()).or_fail("write", &file)?;
        let account = Account { workspace: &workspace, config: file, folder };
        if args.rollback {
            return go_back(&account, args, progress).await;
        }
        cargo::ensure_wasm_target(&workspace).await?;
        // What lies there before is what an open tab may be of.
        let has_earlier_build = site.join("manifest.json").is_file();
        build::build(&workspace, flavor, &[Part::Site, Part::Worker], progress).await?;

        let deployed = config.deployed()?;
        // A variable that is set to nothing is not set.
        let database = args.database_url.as_deref().filter(|url| !url.trim().is_empty());
        progress.step("asking the account");
        let history = account.history().await?;
        let facts = Facts {
            current: history.whole.into_iter().next(),
            has_secrets: account.secrets().await?,
            given_secrets: SECRETS
                .into_iter()
                .filter(|name| given(name).is_some())
                .map(str::to_owned)
                .collect(),
            has_earlier_build,
            has_database: database.is_some(),
            at_once: args.at_once,
            steps: args.steps.clone(),
            refused_secret: config
                .check(
                    config.client_address_field()?,
                    &given("PURGE_TOKEN").unwrap_or_else(|| FINE.to_owned()),
                    &given("STICKY_SECRET").unwrap_or_else(|| FINE.to_owned()),
                )
                .err()
                .map(|failure| failure.to_string()),
            is_looked_at: args.url.is_some(),
            users: args.users,
        };
        let plan = plan(&deployed, &facts);
        tell(&plan, progress);
        if !plan.problems.is_empty() {
            return Err(Failure::new("nothing was made: something lacks, as said above"));
        }
        if args.dry_run {
            return Ok(());
        }
        confirm(args, "Deploy?").await?;
        if let Some(url) = database {
            migrate(&workspace, url, progress).await?;
        }
        let secrets = Secrets::write(&account, &plan)?;
        let message = args.message.as_deref().unwrap_or("tidewall deploy");
        match facts.current.filter(|_| !plan.is_whole) {
            None => {
                progress.step("sending it");
                let version = account.deploy(message, secrets.file()).await?;
                progress.step(format!("version {version} has all requests"));
                let Some(url) = &args.url else { return Ok(()) };
                let looked = look(url, &of(&deployed.name, &version), Duration::ZERO).await;
                looked.map_err(|why| Failure::new(format!("it doesn't answer as it should ({why})")))
            }
            Some(current) => {
                progress.step("sending a new version");
                let new = account.upload(message, secrets.file()).await?;
                drop(secrets);
                roll_out(&account, &deployed.name, &current, &new, args, progress).await
            }
        }
    };
    tokio::select! {
        outcome = work => outcome,
        () = told_to_stop() => Err(Failure::new(
            "stopped; what was rolled out stays as it is: `tidewall deploy --rollback` goes back",
        )),
    }
}

/// Gives the new version more and more, as long as it answers.
async fn roll_out(
    account: &Account<'_>,
    name: &str,
    current: &str,
    new: &str,
    args: &DeployArgs,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut steps: Vec<u8> = args.steps.iter().copied().filter(|percent| *percent < 100).collect();
    steps.push(100);
    for percent in steps {
        let parts = [(new, percent), (current, 100 - percent)];
        let parts = if percent == 100 { &parts[..1] } else { &parts[..] };
        account.share(parts, &format!("{percent} %")).await?;
        progress.step(format!("version {new} gets {percent} % of the requests"));
        let Some(url) = &args.url else {
            if percent < 100 {
                sleep(Duration::from_secs(args.pause)).await;
            }
            continue;
        };
        if let Err(why) = look(url, &of(name, new), Duration::from_secs(args.pause)).await {
            progress.step(format!("it doesn't answer as it should ({why}): going back"));
            account.share(&[(current, 100)], "back").await.map_err(|failure| {
                Failure::new(format!("version {new} fails ({why}), and still has {percent} %: {failure}"))
            })?;
            return Err(Failure::new(format!(
                "version {new} fails ({why}); {current} has all requests again"
            )));
        }
    }
    Ok(())
}

/// A version of a Worker, as a request asks for it.
fn of(name: &str, version: &str) -> String {
    format!("{name}=\"{version}\"")
}

/// Looks at a version for so long; why it is not well.
async fn look(url: &str, version: &str, pause: Duration) -> Result<(), String> {
    let client = reqwest::Client::builder().timeout(ANSWER_MAX).build().map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let mut failed = 0;
    loop {
        let answer = client.get(url).header(VERSION_FIELD, version).send().await;
        let why = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.without_url().to_string()),
        };
        failed = if why.is_some() { failed + 1 } else { 0 };
        if let Some(why) = why.filter(|_| failed >= FAILS) {
            return Err(why);
        }
        // One that fails just now is looked at until it is known whether it does.
        if failed == 0 && begun.elapsed() >= pause {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

/// Gives all requests to the version that had them before.
async fn go_back(account: &Account<'_>, args: &DeployArgs, progress: &Progress) -> Result<(), Failure> {
    let History { is_shared, whole } = account.history().await?;
    // A roll-out that was given up goes back to where it began.
    let before = if is_shared { whole.first() } else { whole.get(1) };
    let before = before.ok_or_else(|| Failure::new("there is no version to go back to"))?;
    progress.result(&format!("version {before} had all requests before"));
    progress.result("What was written to the database stays, and so does its schema.");
    confirm(args, &format!("Give all requests to {before}?")).await?;
    account.share(&[(before, 100)], "rollback").await?;
    progress.step(format!("version {before} has all requests"));
    Ok(())
}

fn tell(plan: &Plan, progress: &Progress) {
    let list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            progress.result(&format!("\n{title}"));
            lines.iter().for_each(|line| progress.result(&format!("  - {line}")));
        }
    };
    list("What is done, in this order:", &plan.steps);
    list("Good to know:", &plan.notes);
    list("Before that:", &plan.problems);
}

/// Whether a person says yes.
async fn confirm(args: &DeployArgs, question: &str) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new("nothing was made: nobody is there to say yes; pass --yes"));
    }
    eprint!("\n{question} [y/N] ");
    let _ = io::stderr().flush();
    // A thread of its own: whoever is told to stop must not wait for the line.
    let (told, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        let _ = told.send(line);
    });
    let answer = answer.await.unwrap_or_default();
    match ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        true => Ok(()),
        false => Err(Failure::new("nothing was made")),
    }
}

/// Brings the schema up to date. What it takes away must not be used any more by the origins that run:
/// expand with one deployment, move, and contract with a later one.
async fn migrate(workspace: &Workspace, url: &str, progress: &Progress) -> Result<(), Failure> {
    progress.step("bringing the database's schema up to date");
    let program = cargo::build(workspace, cargo::Artifact::Binary("tidewall-origin")).await?;
    let mut command = tokio::process::Command::new(program);
    command.arg("migrate").env("DATABASE_URL", url).stderr(std::process::Stdio::piped());
    let output = child::output(&mut command, "migrate", workspace.children()).await;
    let output = output.map_err(|error| Failure::new(format!("cannot run tidewall-origin: {error}")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::new("the database's schema can't be brought up to date; nothing was deployed")
            .with_output(String::from_utf8_lossy(&output.stderr))),
    }
}

/// A secret of the environment. A variable that is set to nothing is not set.
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|secret| !secret.trim().is_empty())
}

/// The file of the secrets that go along, there for as long as this value lives.
struct Secrets(Option<std::path::PathBuf>);

impl Secrets {
    fn write(account: &Account<'_>, plan: &Plan) -> Result<Self, Failure> {
        if plan.secrets.is_empty() {
            return Ok(Self(None));
        }
        let path = account.folder.join("secrets.json");
        let names: BTreeSet<_> = plan.secrets.iter().collect();
        let secrets = names.into_iter().map(|name| (name.clone(), given(name).unwrap_or_default().into()));
        private::write(&path, serde_json::Value::Object(secrets.collect()).to_string())?;
        Ok(Self(Some(path)))
    }

    fn file(&self) -> Option<&str> {
        self.0.as_ref()?.to_str()
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It is for its owner alone, where it can't be removed.
            let _ = fs::remove_file(path);
        }
    }
}
