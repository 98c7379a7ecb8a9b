//! `tidewall build`: the site (pages, styles, the app's Wasm, pictures) and the Worker.

mod app;
mod pictures;
mod program;
mod releases;
mod shrink;
mod site;
mod stamp;
mod worker;

use crate::build::shrink::{Runs, shrink};
use crate::build::stamp::Stamp;
use crate::cargo::{self, Artifact};
use crate::cli::BuildArgs;
use crate::failure::Failure;
use crate::npm;
use crate::progress::Progress;
use crate::signals::told_to_stop;
use crate::workspace::{Flavor, Workspace};

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Pages, assets and their manifest.
    Site,
    /// The edge.
    Worker,
}

/// Builds both parts, or the edge as one program.
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
        if !args.edge_program {
            return build(&workspace, flavor, &[Part::Site, Part::Worker], progress).await;
        }
        build(&workspace, flavor, &[Part::Worker], progress).await?;
        progress.step("putting the edge into one program");
        let program = program::make(&workspace, flavor).await?;
        progress.step(format!("the edge is {}", program.display()));
        Ok(())
    };
    tokio::select! {
        outcome = everything => outcome,
        // Whoever builds in order to go on with the outcome must not.
        () = told_to_stop() => Err(Failure::new("stopped before everything was built")),
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
                site::build(workspace, flavor, progress).await?;
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
    let stamp = Stamp::of(workspace, &output, &[&wasm, &shim])?;
    let esbuild = workspace.npm_program("esbuild");
    let assemble = async {
        let to = output.clone();
        tokio::task::spawn_blocking(move || worker::assemble(&wasm, &shim, &esbuild, &to))
            .await
            .map_err(|error| Failure::new(format!("assembling the Worker panicked: {error}")))?
            .map_err(|error| Failure::new(format!("cannot assemble the Worker: {error}")))?;
        if flavor == Flavor::Release {
            shrink(workspace, &output.join("index_bg.wasm"), Runs::InWorkerd).await?;
        }
        Ok(())
    };
    stamp.unless_current(&["index.js", "index_bg.wasm"], assemble).await
}
