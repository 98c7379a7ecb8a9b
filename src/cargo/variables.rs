//! What Cargo tells one process about itself. A Cargo that this process starts must not
//! take it over: build scripts would be run again for it.

use std::ffi::OsString;

/// How the names of such variables begin.
const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_CRATE_"];

/// Names of the variables that are there.
pub(crate) fn of_this_process() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}
