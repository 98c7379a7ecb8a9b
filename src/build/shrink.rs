//! wasm-opt, which makes a Wasm module smaller.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::child;
use crate::failure::{Failure, IoContext};
use crate::npm;
use crate::workspace::Workspace;

/// Features that every browser in use has. `--all-features` would let wasm-opt
/// write forms that they refuse.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Where a module runs, which says what it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// In whatever browser comes.
    InBrowsers,
    /// In workerd: the Worker's bindings catch what traps by an exception tag.
    InWorkerd,
}

/// Makes a Wasm module smaller, in place.
///
/// # Errors
/// wasm-opt fails.
pub(super) async fn shrink(workspace: &Workspace, wasm: &Path, runs: Runs) -> Result<(), Failure> {
    let smaller = wasm.with_extension("smaller");
    let mut command = Command::new(workspace.npm_program("wasm-opt"));
    command
        .arg("-Oz")
        .args(FEATURES)
        .args((runs == Runs::InWorkerd).then_some("--enable-exception-handling"))
        .arg(wasm)
        .arg("-o")
        .arg(&smaller)
        .env("PATH", npm::path_with_node(workspace)?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = child::output(&mut command, "wasm-opt", workspace.children()).await.map_err(|error| {
        Failure::new(format!("cannot run wasm-opt: {error}; delete node_modules and try again"))
    })?;
    if !output.status.success() {
        return Err(Failure::new(format!("wasm-opt fails on {}", wasm.display()))
            .with_output(String::from_utf8_lossy(&output.stderr)));
    }
    fs::rename(&smaller, wasm).or_fail("name", wasm)
}
