//! `tidewall build`: the site (pages, styles, the app's Wasm, pictures) and the Worker.

mod app;
mod pictures;
mod shrink;
mod site;
mod worker;

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::build::shrink::{Runs, shrink};
use crate::cargo::{self, Artifact};
use crate::cli::BuildArgs;
use crate::failure::{Failure, IoContext};
use crate::progress::Progress;
use crate::workspace::{Flavor, Workspace};
use crate::{dev, npm};

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Pages, assets and their manifest.
    Site,
    /// The edge.
    Worker,
}

/// Builds both parts.
///
/// # Errors
/// Something doesn't build, or the command is told to stop; the last build stays as it was.
pub(crate) async fn run(args: &BuildArgs, progress: &Progress) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let flavor = if args.dev { Flavor::Dev } else { Flavor::Release };
    let everything = async {
        workspace.children().end_leftovers(progress).await?;
        cargo::ensure_wasm_target(&workspace).await?;
        npm::ensure(&workspace, progress).await?;
        build(&workspace, flavor, &[Part::Site, Part::Worker], progress).await
    };
    tokio::select! {
        outcome = everything => outcome,
        // Whoever builds in order to go on with the outcome must not.
        () = dev::told_to_stop() => Err(Failure::new("stopped before everything was built")),
    }
}

/// Builds `parts` into the workspace's output folders for `flavor`. What is up to date stays untouched.
///
/// # Errors
/// Something doesn't build; the last build stays as it was.
pub(crate) async fn build(
    workspace: &Workspace,
    flavor: Flavor,
    parts: &[Part],
    progress: &Progress,
) -> Result<(), Failure> {
    let _lock = workspace.lock().await?;
    for part in parts {
        match part {
            Part::Site => {
                progress.step("building the site");
                site::build(workspace, flavor).await?;
            }
            Part::Worker => {
                progress.step("building the Worker");
                build_worker(workspace, flavor).await?;
            }
        }
    }
    progress.step("built");
    Ok(())
}

async fn build_worker(workspace: &Workspace, flavor: Flavor) -> Result<(), Failure> {
    let wasm = cargo::build(workspace, Artifact::Wasm("tidewall-edge", flavor.cargo_profile())).await?;
    let output = workspace.worker(flavor);
    let shim = workspace.join("edge/shim.js");
    let stamp = Stamp::of(&output, &[&wasm, &shim])?;
    if stamp.is_current(&["index.js", "index_bg.wasm"]) {
        return Ok(());
    }
    let esbuild = workspace.npm_program("esbuild");
    let assembled = {
        let output = output.clone();
        tokio::task::spawn_blocking(move || worker::assemble(&wasm, &shim, &esbuild, &output)).await
    };
    assembled
        .map_err(|error| Failure::new(format!("assembling the Worker panicked: {error}")))?
        .map_err(|error| Failure::new(format!("cannot assemble the Worker: {error}")))?;
    if flavor == Flavor::Release {
        shrink(workspace, &output.join("index_bg.wasm"), Runs::InWorkerd).await?;
    }
    stamp.write()
}

/// Tells whether an output was made from just these inputs.
struct Stamp {
    folder: std::path::PathBuf,
    digest: String,
}

impl Stamp {
    /// The stamp of what is made from `inputs` in `folder`. This command is an input, too.
    fn of(folder: &Path, inputs: &[&Path]) -> Result<Self, Failure> {
        let mut hasher = Sha256::new();
        hasher.update(env!("CARGO_PKG_VERSION"));
        for input in inputs {
            hasher.update(Sha256::digest(fs::read(input).or_fail("read", input)?));
        }
        let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { folder: folder.to_owned(), digest })
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.with_extension("stamp")
    }

    fn is_current(&self, outputs: &[&str]) -> bool {
        fs::read_to_string(self.path()).is_ok_and(|digest| digest == self.digest)
            && outputs.iter().all(|output| self.folder.join(output).is_file())
    }

    fn write(&self) -> Result<(), Failure> {
        fs::write(self.path(), &self.digest).or_fail("write", &self.path())
    }
}
