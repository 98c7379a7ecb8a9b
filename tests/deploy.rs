//! What would be deployed, as wrangler puts it together without a network.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::tidewall::{Folder, output, path_with_node};

#[test]
fn wrangler_accepts_the_configuration_and_the_build() {
    // The npm packages are installed by the command itself; wrangler then runs the same build again.
    let built = output(&["build"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let folder = Folder::new();
    let deployed = Command::new("wrangler")
        .args(["deploy", "--dry-run", "--outdir"])
        .arg(&folder.0)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path_with_node())
        .envs([
            ("CI", "1"),
            ("NO_COLOR", "1"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_HIDE_BANNER", "true"),
        ])
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&deployed.stdout).into_owned() + &String::from_utf8_lossy(&deployed.stderr);
    assert!(deployed.status.success(), "{text}");
    for part in ["env.CACHE", "env.ASSETS", "env.ORIGINS", "files from the assets directory"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let is_wasm = |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
    assert!(fs::read_dir(&folder.0).unwrap().any(|entry| is_wasm(&entry.unwrap().path())));
}
