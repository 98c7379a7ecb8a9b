//! What would be deployed, as wrangler puts it together without a network.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

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

    the_home_page_is_light();
    every_page_starts_and_is_accessible();
}

/// What is deployed is compiled in another way than what other tests look at.
fn every_page_starts_and_is_accessible() {
    let folder = Folder::new();
    let audit = output(&["audit", "--runs", "0", "--output", folder.0.to_str().unwrap()]);
    let (table, said) = (String::from_utf8_lossy(&audit.stdout), String::from_utf8_lossy(&audit.stderr));
    assert!(audit.status.success(), "{table}{said}");
    assert_eq!(
        table.lines().filter(|line| line.starts_with("| `/") && line.ends_with("| 0 |")).count(),
        10,
        "{table}"
    );
    assert!(folder.join("lab-staff-phone-dark.png").is_file());
}

/// What a first visit to the home page loads, compressed: all of it, and what is shown first.
fn the_home_page_is_light() {
    const ALL_MAX: u64 = 260_000;
    /// Of each of the app's programs, compressed.
    const WASM_MAX: u64 = 200 * 1024;
    const SHOWN_FIRST_MAX: u64 = 50_000;
    /// Of the products of one page.
    const PICTURES: usize = 24;
    /// Fields of an answer, and the first answer of the API; generously.
    const FIELDS: u64 = 600;
    const LIST: u64 = 4_000;

    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/site/manifest.json");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    let bytes = |file: &Value| {
        let size = file["encodings"]["br"].as_u64().or_else(|| file["size"].as_u64());
        size.unwrap_or_else(|| panic!("{file}")) + FIELDS
    };
    let asset = |name: &str| bytes(&manifest["assets"][name]);
    let home = manifest["routes"].as_array().unwrap().iter().find(|route| route["path"] == "/").unwrap();
    let shown_first = bytes(home) + asset("styles.css");
    assert!(shown_first <= SHOWN_FIRST_MAX, "{shown_first}");

    let mut pictures: Vec<u64> = manifest["assets"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with("pictures/"))
        .map(|(_, file)| bytes(file))
        .collect();
    assert!(pictures.len() >= 100, "{}", pictures.len());
    // The largest that a page could have.
    pictures.sort_by_key(|bytes| std::cmp::Reverse(*bytes));
    let pictures: u64 = pictures[..PICTURES].iter().sum();
    let rest = asset("shop.js") + asset("shop_bg.wasm") + asset("favicon.svg") + LIST + FIELDS;
    let all = shown_first + rest + pictures;
    assert!(all <= ALL_MAX, "{all}");
    for program in ["shop", "account", "lab", "toolkit", "ops"] {
        let wasm = asset(&format!("{program}_bg.wasm")) - FIELDS;
        assert!(wasm <= WASM_MAX, "{program}: {wasm}");
    }
}
