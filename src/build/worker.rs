//! Makes the edge's Worker out of its Wasm: `index.js` and `index_bg.wasm`, as
//! wrangler wants them.
//!
//! 1. `wasm-bindgen` writes the JavaScript around the Wasm, as a module that can
//!    begin a new instance after a trap.
//! 2. esbuild joins it, its snippets and the entry (`edge/shim.js`) into one file.
//! 3. The import of the Wasm is written as workerd reads it.
//!
//! All of it happens in a directory beside the output, which then takes its place,
//! so nobody ever sees half a Worker.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use wasm_bindgen_cli_support::Bindgen;

/// The Worker's module, as `main` in `wrangler.toml` names it.
const MODULE: &str = "index.js";
/// Its Wasm. `wasm-bindgen` makes the name from the module's.
const WASM: &str = "index_bg.wasm";
/// The entry, while it is being built.
const ENTRY: &str = "shim.js";

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssembleError {
    /// A file or directory.
    #[error("{action} {path}: {error}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What came of it.
        #[source]
        error: io::Error,
    },
    /// The output has no name, such as `/`.
    #[error("{0} can't be replaced: name a directory for the Worker alone")]
    Output(PathBuf),
    /// `wasm-bindgen` refused the Wasm.
    #[error("wasm-bindgen: {0}. Is the Wasm built with the same version of wasm-bindgen?")]
    Bindgen(String),
    /// esbuild could not be started.
    #[error("can't run esbuild at {path}: {error}. `npm ci` installs it")]
    EsbuildMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it didn't start.
        #[source]
        error: io::Error,
    },
    /// esbuild refused its input.
    #[error("esbuild: {0}")]
    Esbuild(String),
}

/// Builds the Worker from `wasm` (what cargo built) and `shim` (its entry) with the
/// program `esbuild`, and replaces `out_dir` by it.
pub(super) fn assemble(
    wasm: &Path,
    shim: &Path,
    esbuild: &Path,
    out_dir: &Path,
) -> Result<(), AssembleError> {
    let staging = beside(out_dir, "new")?;
    remove(&staging)?;
    fs::create_dir_all(&staging).map_err(failed("can't create", &staging))?;
    let built = build(wasm, shim, esbuild, &staging).and_then(|()| replace(out_dir, &staging));
    if built.is_err() {
        // The first error is the one to report.
        let _ = remove(&staging);
    }
    built
}

fn build(wasm: &Path, shim: &Path, esbuild: &Path, dir: &Path) -> Result<(), AssembleError> {
    fs::metadata(wasm).map_err(failed("can't read", wasm))?;
    bind(wasm, dir).map_err(|error| AssembleError::Bindgen(format!("{error:#}")))?;

    let module = dir.join(MODULE);
    let text = fs::read_to_string(&module).map_err(failed("can't read", &module))?;
    // workerd has no source phase imports, and gives the same for a plain import of
    // Wasm: the compiled module.
    fs::write(&module, text.replace("import source ", "import ")).map_err(failed("can't write", &module))?;

    let entry = dir.join(ENTRY);
    fs::copy(shim, &entry).map_err(failed("can't read", shim))?;
    bundle(esbuild, dir)?;

    // Only what the Worker is made of stays.
    for path in entries(dir)? {
        if !matches!(path.file_name().and_then(OsStr::to_str), Some(MODULE | WASM)) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The result type is the library's, which doesn't export its name.
fn bind(wasm: &Path, dir: &Path) -> Result<(), impl std::fmt::Display> {
    Bindgen::new()
        .input_path(wasm)
        .out_name("index")
        .typescript(false)
        // Names of functions cost a sixth of the size and are no use without a debugger.
        .remove_name_section(true)
        // What `worker` needs to begin again after a panic.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .module(true)
        .and_then(|bindgen| bindgen.generate(dir))
}

fn bundle(esbuild: &Path, dir: &Path) -> Result<(), AssembleError> {
    let program = std::path::absolute(esbuild).map_err(failed("can't find", esbuild))?;
    let output = Command::new(&program)
        .current_dir(dir)
        .arg(ENTRY)
        .args(["--bundle", "--format=esm", "--target=esnext", "--log-level=warning", "--allow-overwrite"])
        // The runtime provides these: the Wasm beside the module, and its own modules.
        .arg(format!("--external:./{WASM}"))
        .arg("--external:cloudflare:*")
        .arg(format!("--outfile={MODULE}"))
        .output()
        .map_err(|error| AssembleError::EsbuildMissing { path: program, error })?;
    if output.status.success() {
        return Ok(());
    }
    Err(AssembleError::Esbuild(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// Puts `staging` in the place of `out_dir`.
fn replace(out_dir: &Path, staging: &Path) -> Result<(), AssembleError> {
    let old = beside(out_dir, "old")?;
    remove(&old)?;
    match fs::rename(out_dir, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("can't replace", out_dir)(error));
        }
        _ => {}
    }
    fs::rename(staging, out_dir).map_err(failed("can't replace", out_dir))?;
    remove(&old)
}

/// A path in the same directory, so that renaming between them works.
fn beside(path: &Path, suffix: &str) -> Result<PathBuf, AssembleError> {
    let mut name: OsString =
        path.file_name().ok_or_else(|| AssembleError::Output(path.to_owned()))?.to_owned();
    name.push(".");
    name.push(suffix);
    Ok(path.with_file_name(name))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, AssembleError> {
    fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(failed("can't read", dir))
}

/// Removes a file or a directory, if it is there.
fn remove(path: &Path) -> Result<(), AssembleError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("can't remove", path)(error)),
        _ => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AssembleError {
    let path = path.to_owned();
    move |error| AssembleError::File { action, path, error }
}
