//! The account, as wrangler tells of it and changes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::failure::{Failure, IoContext as _};
use crate::workspace::Workspace;
use crate::{child, npm};

/// What wrangler says where there is no such Worker: by the API's number, or by its own words.
const NO_WORKER: &str = "code: 10007";
const NO_WORKER_FOUND: [&str; 2] = ["Worker \"", "\" not found"];
/// What it says where a class of Durable Objects is new.
const NEW_CLASS: &str = "pending Durable Object migration";
/// Lines at the end of what it has printed that are shown.
const SHOWN_LINES: usize = 12;

/// One Worker of it.
pub(super) struct Account<'a> {
    pub(super) workspace: &'a Workspace,
    /// The configuration's file.
    pub(super) config: PathBuf,
    /// Where it keeps what lasts for the command.
    pub(super) folder: PathBuf,
}

/// Of a deployment.
#[derive(Debug, Deserialize)]
struct Deployment {
    created_on: String,
    versions: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    version_id: String,
    percentage: f64,
}

#[derive(Debug, Deserialize)]
struct SecretName {
    name: String,
}

/// Which versions had the requests.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Several share them now: a roll-out is under way, or was given up.
    pub(super) is_shared: bool,
    /// Those that had all of them, the newest first.
    pub(super) whole: Vec<String>,
}

/// A line of what wrangler writes for programs.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    version_id: Option<String>,
}

impl Account<'_> {
    /// Which versions had the requests; none where there is no Worker.
    ///
    /// # Errors
    /// wrangler can't say, for instance for want of a token.
    pub(super) async fn history(&self) -> Result<History, Failure> {
        let output = self.wrangler(&["deployments", "list", "--json"]).await?;
        let Some(mut deployments) = there::<Vec<Deployment>>(&output)? else { return Ok(History::default()) };
        deployments.sort_by(|one, other| other.created_on.cmp(&one.created_on));
        let is_shared = deployments.first().is_some_and(|newest| newest.versions.len() > 1);
        let whole = |deployment: Deployment| match &deployment.versions[..] {
            [Part { version_id, percentage }] if *percentage >= 100.0 => Some(version_id.clone()),
            _ => None,
        };
        let mut whole: Vec<String> = deployments.into_iter().filter_map(whole).collect();
        whole.dedup();
        Ok(History { is_shared, whole })
    }

    /// Names of its secrets.
    ///
    /// # Errors
    /// wrangler can't say.
    pub(super) async fn secrets(&self) -> Result<BTreeSet<String>, Failure> {
        let output = self.wrangler(&["secret", "list", "--format", "json"]).await?;
        let secrets = there::<Vec<SecretName>>(&output)?.unwrap_or_default();
        Ok(secrets.into_iter().map(|SecretName { name }| name).collect())
    }

    /// Makes or replaces the Worker in one step, with the secrets of a file.
    ///
    /// # Errors
    /// wrangler or the platform refuses.
    pub(super) async fn deploy(&self, message: &str, secrets: Option<&str>) -> Result<String, Failure> {
        self.send(&["deploy"], "deploy", message, secrets).await
    }

    /// Sends a version that gets no requests yet; its id.
    ///
    /// # Errors
    /// wrangler or the platform refuses; a new class of Durable Objects can't come so.
    pub(super) async fn upload(&self, message: &str, secrets: Option<&str>) -> Result<String, Failure> {
        self.send(&["versions", "upload"], "version-upload", message, secrets).await
    }

    /// Gives versions their parts of the requests, in per cent.
    ///
    /// # Errors
    /// wrangler or the platform refuses.
    pub(super) async fn share(&self, parts: &[(&str, u8)], message: &str) -> Result<(), Failure> {
        let parts: Vec<_> = parts.iter().map(|(version, percent)| format!("{version}@{percent}%")).collect();
        let mut args = vec!["versions", "deploy"];
        args.extend(parts.iter().map(String::as_str));
        args.extend(["--yes", "--message", message]);
        done(&self.wrangler(&args).await?).map(drop)
    }

    async fn send(
        &self,
        command: &[&str],
        event: &str,
        message: &str,
        secrets: Option<&str>,
    ) -> Result<String, Failure> {
        let told = self.folder.join("told.ndjson");
        let _left = fs::remove_file(&told);
        let args = [command, &["--message", message]].concat();
        let args = match secrets {
            Some(file) => [&args[..], &["--secrets-file", file]].concat(),
            None => args,
        };
        let output = self.wrangler(&args).await?;
        if String::from_utf8_lossy(&output.stderr).contains(NEW_CLASS) {
            return Err(Failure::new(
                "a class of Durable Objects is new, and can't be rolled out step by step; pass --at-once",
            ));
        }
        done(&output)?;
        let lines = fs::read_to_string(&told).or_fail("read", &told)?;
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
        let version = events.filter(|told| told.kind == event).find_map(|told| told.version_id);
        version.ok_or_else(|| Failure::new("wrangler doesn't say which version it has made"))
    }

    async fn wrangler(&self, args: &[&str]) -> Result<Output, Failure> {
        let mut command = Command::new(self.workspace.npm_program("wrangler"));
        command
            .args(args)
            .arg("--config")
            .arg(&self.config)
            .env("PATH", npm::path_with_node(self.workspace)?)
            // It is to ask nobody anything: that was done.
            .env("CI", "1")
            .env("NO_COLOR", "1")
            .env("FORCE_COLOR", "0")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_HIDE_BANNER", "true")
            .env("WRANGLER_LOG_PATH", self.folder.join("logs"))
            .env("WRANGLER_OUTPUT_FILE_PATH", self.folder.join("told.ndjson"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        child::output(&mut command, "wrangler", self.workspace.children())
            .await
            .map_err(|error| Failure::new(format!("cannot run wrangler: {error}")))
    }
}

/// What it printed as JSON; `None` where there is no such Worker.
fn there<T: DeserializeOwned>(output: &Output) -> Result<Option<T>, Failure> {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_missing = said.contains(NO_WORKER) || NO_WORKER_FOUND.iter().all(|words| said.contains(words));
    if !output.status.success() && is_missing {
        return Ok(None);
    }
    let json = done(output)?;
    serde_json::from_str(&json)
        .map(Some)
        .map_err(|error| Failure::new(format!("what wrangler says can't be read: {error}")).with_output(json))
}

/// What it printed, if it did what it was to.
fn done(output: &Output) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(SHOWN_LINES);
    Err(Failure::new("wrangler refuses").with_output(lines[last..].join("\n")))
}
