//! The `tidewall` command, run as a person runs it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use rustix::process::Signal;
use serde_json::Value;

use super::{poll, processes};

/// Longest wait for a stack: it may have to build everything first, beside another build.
pub(crate) const READY_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// The command with nothing of this test's environment that would change what it does.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidewall"));
    for variable in [
        "DATABASE_URL",
        "REPLICA_URLS",
        "PGSSLROOTCERT",
        "TIDEWALL_PURGE_TOKEN",
        "CLIENT_ADDRESS_FIELD",
        "PURGE_TOKEN",
        "STICKY_SECRET",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// A client that asks no proxy for what runs on this machine.
pub(crate) fn client() -> reqwest::Client {
    builder().build().unwrap()
}

fn builder() -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    // workerd closes those that nobody used for five seconds, maybe just when a request is sent.
    builder.pool_idle_timeout(Duration::from_secs(2))
}

/// A client that is logged in at `base`, for a quarter of an hour.
pub(crate) async fn logged_in(base: &str, credentials: &Value) -> reqwest::Client {
    let answer = client().post(format!("{base}/api/session")).json(credentials).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    let signed_in: Value = answer.json().await.unwrap();
    with_token(signed_in["token"].as_str().unwrap())
}

/// A client that brings a session token.
pub(crate) fn with_token(token: &str) -> reqwest::Client {
    let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    let fields = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    builder().default_headers(fields).build().unwrap()
}

/// Runs the command to its end.
pub(crate) fn output(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

/// `PATH` with the programs that come from npm, the pinned node among them, first.
pub(crate) fn path_with_node() -> OsString {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let npm = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin");
    std::env::join_paths(std::iter::once(npm).chain(std::env::split_paths(&system))).unwrap()
}

/// A folder that every user can reach, removed when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidewall-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A command that runs until it is told to stop.
pub(crate) struct Running {
    child: Child,
    ready_file: PathBuf,
    log: PathBuf,
    /// Its ready file's content.
    pub(crate) ready: Value,
}

impl Running {
    /// Starts the command; returns once its ready file is there. `folder` takes its log.
    pub(crate) fn start(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let ready_file = folder.join("ready.json");
        let log = folder.join("tidewall.log");
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = command()
            .args(args)
            .arg("--ready-file")
            .arg(&ready_file)
            .envs(env.iter().copied())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut running = Self { child, ready_file, log, ready: Value::Null };
        running.ready = running.wait_for_ready_file(READY_DEADLINE, |_| true);
        running
    }

    /// `tidewall dev` on free ports with its data in `folder`.
    pub(crate) fn dev(folder: &Path, args: &[&str]) -> Self {
        Self::dev_with(folder, args, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn dev_with(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let data = folder.join("data");
        let mut all = vec!["dev", "--no-open", "--edge-port", "0", "--origin-port", "0", "--pg-port", "0"];
        all.extend(["--data", data.to_str().unwrap()]);
        all.extend(args);
        Self::start(folder, &all, env)
    }

    /// Waits for a ready file that is as wanted.
    pub(crate) fn wait_for_ready_file(
        &mut self,
        deadline: Duration,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let ready = poll::until(deadline, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("tidewall ended ({status}):\n{}", self.log());
            }
            let json = fs::read(&self.ready_file).ok()?;
            serde_json::from_slice(&json).ok().filter(&is_wanted)
        });
        ready.unwrap_or_else(|| panic!("the ready file is not as wanted:\n{}", self.log()))
    }

    /// A text of the ready file, such as `/origins/0/url`.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.ready
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {}", self.ready))
            .to_owned()
    }

    /// A client that is logged in as staff, for a quarter of an hour.
    pub(crate) async fn staff(&self) -> reqwest::Client {
        logged_in(&self.text("/origins/0/url"), &self.ready["staff"]).await
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        processes::signal(self.child.id(), signal);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            processes::signal(self.child.id(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}
