//! Cargo, called for the parts that this command is not itself made of.

mod variables;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::child;
use crate::failure::Failure;
use crate::workspace::{Flavor, Workspace};

/// The target that browsers and workerd run.
const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The flags of the compiler for what browsers run. Components are erased where they are in the pages
/// that this command renders; flags that somebody named, by a variable or a configuration of their own,
/// are for their machine.
fn program_flags(profile: &str) -> Vec<&'static str> {
    let mut flags = Vec::new();
    if cfg!(erase_components) {
        flags.extend(["--cfg", "erase_components"]);
    }
    if profile == Flavor::Release.cargo_profile() {
        // Half a percent smaller than what `opt-level = "z"` does by itself.
        flags.push("-Cllvm-args=-inline-threshold=0");
    }
    flags
}

/// What Cargo builds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Artifact {
    /// The executable of this package, optimised where this command is.
    Binary(&'static str),
    /// The executable of this package with this feature of it, always optimised:
    /// for what is measured.
    Measured(&'static str, &'static str),
    /// The Wasm module of this package, in this profile.
    Wasm(&'static str, &'static str),
    /// The Wasm programs of this package that browsers run, in this profile.
    Programs(&'static str, &'static str),
}

impl Artifact {
    fn package(self) -> &'static str {
        let (Self::Binary(package)
        | Self::Measured(package, _)
        | Self::Wasm(package, _)
        | Self::Programs(package, _)) = self;
        package
    }

    /// How its file's name ends; nothing where it is an executable.
    fn suffix(self) -> &'static str {
        match self {
            Self::Binary(_) | Self::Measured(..) => "",
            Self::Wasm(..) | Self::Programs(..) => ".wasm",
        }
    }

    /// How Cargo builds it, where this command itself is `optimised` or not.
    fn flags(self, optimised: bool) -> Vec<&'static str> {
        match self {
            Self::Binary(_) if optimised => vec!["--release"],
            Self::Binary(_) => Vec::new(),
            Self::Measured(_, feature) => vec!["--release", "--features", feature],
            Self::Wasm(_, profile) => vec!["--lib", "--target", WASM_TARGET, "--profile", profile],
            Self::Programs(_, profile) => {
                vec!["--bins", "--features", "browser", "--target", WASM_TARGET, "--profile", profile]
            }
        }
    }
}

/// Builds `artifact`; returns where it lies.
///
/// # Errors
/// It doesn't compile; Cargo has then shown why.
pub(crate) async fn build(workspace: &Workspace, artifact: Artifact) -> Result<PathBuf, Failure> {
    let messages = messages(workspace, artifact).await?;
    path_of(&messages, artifact, artifact.package())
}

/// Builds `artifact`; returns where each of its `targets` lies, in their order.
///
/// # Errors
/// It doesn't compile; Cargo has then shown why.
pub(crate) async fn build_each(
    workspace: &Workspace,
    artifact: Artifact,
    targets: &[&str],
) -> Result<Vec<PathBuf>, Failure> {
    let messages = messages(workspace, artifact).await?;
    targets.iter().map(|target| path_of(&messages, artifact, target)).collect()
}

/// Builds `artifact`; returns Cargo's messages, one JSON object a line.
async fn messages(workspace: &Workspace, artifact: Artifact) -> Result<Vec<u8>, Failure> {
    let package = artifact.package();
    let mut command = command(workspace);
    command.args(["build", "--quiet", "--message-format=json-render-diagnostics", "--package", package]);
    command.args(artifact.flags(!cfg!(debug_assertions)));
    if let Artifact::Programs(_, profile) = artifact {
        command.env("CARGO_ENCODED_RUSTFLAGS", program_flags(profile).join("\x1f"));
    }
    // What doesn't compile, Cargo says on standard error.
    let running = child::output(command.stdout(Stdio::piped()), "cargo", workspace.children());
    let output = running.await.map_err(|error| {
        Failure::new(format!("cannot run cargo: {error}; install Rust from https://rustup.rs"))
    })?;
    if !output.status.success() {
        return Err(Failure::new(format!("{package} does not build")));
    }
    Ok(output.stdout)
}

fn path_of(messages: &[u8], artifact: Artifact, target: &str) -> Result<PathBuf, Failure> {
    artifact_path(messages, target, artifact.suffix())
        .ok_or_else(|| Failure::new(format!("cargo built {target} but did not say where it is")))
}

/// Cargo, in the checkout, without what `cargo run` told this process about itself.
pub(crate) fn command(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in variables::of_this_process() {
        command.env_remove(name);
    }
    command.current_dir(workspace.root());
    command
}

/// The file that Cargo's messages (one JSON object a line) name for this target.
fn artifact_path(messages: &[u8], target: &str, suffix: &str) -> Option<PathBuf> {
    let target = target.replace('-', "_");
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| {
            message["target"]["name"].as_str().is_some_and(|name| name.replace('-', "_") == target)
        })
        .filter_map(|message| {
            if suffix.is_empty() {
                return message["executable"].as_str().map(PathBuf::from);
            }
            let files = message["filenames"].as_array()?;
            files
                .iter()
                .filter_map(|file| file.as_str())
                .find(|file| file.ends_with(suffix))
                .map(PathBuf::from)
        })
        .next_back()
}

/// Makes sure that the Wasm target is installed.
///
/// # Errors
/// It isn't, and rustup can't add it.
pub(crate) async fn ensure_wasm_target(workspace: &Workspace) -> Result<(), Failure> {
    let advice = format!("run `rustup target add {WASM_TARGET}`");
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let output = child::output(&mut rustc, "rustc", workspace.children()).await.map_err(|error| {
        Failure::new(format!("cannot run rustc: {error}; install Rust from https://rustup.rs"))
    })?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && Path::new(&folder).is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", WASM_TARGET]).stdout(Stdio::null()).stderr(Stdio::piped());
    match child::output(&mut rustup, "rustup", workspace.children()).await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Failure::new(format!("the Rust target {WASM_TARGET} is missing; {advice}"))
            .with_output(String::from_utf8_lossy(&output.stderr))),
        Err(_) => Err(Failure::new(format!(
            "the Rust target {WASM_TARGET} is missing and there is no rustup to add it; install it the way you installed Rust"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_always_optimised() {
        for optimised in [true, false] {
            let flags = Artifact::Measured("tidewall-bench", "peers").flags(optimised);
            assert_eq!(flags, ["--release", "--features", "peers"]);
            let is_release = Artifact::Binary("tidewall-origin").flags(optimised).contains(&"--release");
            assert_eq!(is_release, optimised);
        }
    }

    #[test]
    fn the_last_matching_artifact_is_found() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"serde"},"filenames":["/t/libserde.rlib"],"executable":null}
{"reason":"compiler-artifact","target":{"name":"tidewall_edge"},"filenames":["/t/tidewall_edge.wasm","/t/libtidewall_edge.rlib"],"executable":null}
{"reason":"compiler-artifact","target":{"name":"tidewall-origin"},"filenames":["/t/tidewall-origin"],"executable":"/t/tidewall-origin"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(artifact_path(messages, "tidewall-edge", ".wasm"), Some("/t/tidewall_edge.wasm".into()));
        assert_eq!(artifact_path(messages, "tidewall-origin", ""), Some("/t/tidewall-origin".into()));
        assert_eq!(artifact_path(messages, "tidewall-app", ".wasm"), None);
    }
}
