//! The repository's rules, as tests: which way dependencies point, what the
//! pure modules must not touch, what may not know of the shop.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, named from the checkout's root.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no Rust files");
    found
}

/// The code of a file: without comments, and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What a manifest lists packages under.
const BUILT_FROM: &[&str] = &["dependencies", "build-dependencies"];
const TESTED_WITH: &[&str] = &["dev-dependencies"];

/// The workspace's own packages that a package lists under `kinds`, by its manifest.
fn own_dependencies(package: &str, kinds: &[&str]) -> BTreeSet<String> {
    let manifest: toml::Table =
        fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap().parse().unwrap();
    let mut tables = vec![&manifest];
    tables.extend(
        manifest
            .get("target")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(|targets| targets.values().filter_map(toml::Value::as_table)),
    );
    let mut found = BTreeSet::new();
    for table in tables {
        for &kind in kinds {
            let names =
                table.get(kind).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            found.extend(names.filter_map(|name| name.strip_prefix("tidewall-")).map(str::to_owned));
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    for (package, allowed) in [
        ("origin/api", &[][..]),
        ("assets", &[]),
        ("edge", &["api"]),
        ("origin", &["api"]),
        ("app", &["api", "assets"]),
        ("bench", &["api", "assets", "origin"]),
        (".", &["api", "app", "assets", "bench", "edge", "origin"]),
    ] {
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let own = own_dependencies(package, &[BUILT_FROM, TESTED_WITH].concat());
        assert!(own.is_subset(&allowed), "{package} depends on {own:?}, and may on {allowed:?}");
    }
    let command = own_dependencies(".", BUILT_FROM);
    assert!(!command.contains("bench"), "only the command's tests may be built with the benches");
}

/// Modules without I/O, clock or randomness: they are given facts and return decisions.
const PURE: &[&str] = &[
    "app/src/builds.rs",
    "app/src/skew.rs",
    "bench/src/edge/cdn/bill.rs",
    "bench/src/edge/cdn/kept.rs",
    "bench/src/edge/cdn/link.rs",
    "bench/src/edge/cdn/prices.rs",
    "bench/src/figure.rs",
    "bench/src/index/results.rs",
    "bench/src/pool/results.rs",
    "bench/src/report.rs",
    "bench/src/sample.rs",
    "edge/src",
    "origin/api/src",
    "origin/src/advise/counters.rs",
    "origin/src/advise/difference.rs",
    "origin/src/advise/exposition.rs",
    "origin/src/advise/gather.rs",
    "origin/src/advise/log_line.rs",
    "origin/src/advise/page.rs",
    "origin/src/advise/route.rs",
    "origin/src/advise/text.rs",
    "origin/src/backoff.rs",
    "origin/src/cache_group.rs",
    "origin/src/db/cause.rs",
    "origin/src/db/lag.rs",
    "origin/src/db/redact.rs",
    "origin/src/db/route.rs",
    "origin/src/db/survey.rs",
    "origin/src/files/link.rs",
    "origin/src/files/location.rs",
    "origin/src/files/name.rs",
    "origin/src/http/api_version.rs",
    "origin/src/http/conditional.rs",
    "origin/src/http/cookies.rs",
    "origin/src/http/cross_site.rs",
    "origin/src/http/jobs/snapshot.rs",
    "origin/src/http/site/contents.rs",
    "origin/src/http/site/label.rs",
    "origin/src/index/access.rs",
    "origin/src/index/advice.rs",
    "origin/src/index/audit.rs",
    "origin/src/index/candidate.rs",
    "origin/src/index/choose.rs",
    "origin/src/index/condition.rs",
    "origin/src/index/consider.rs",
    "origin/src/index/depth.rs",
    "origin/src/index/facts.rs",
    "origin/src/index/plan.rs",
    "origin/src/index/statement.rs",
    "origin/src/index/values.rs",
    "origin/src/mail/answer.rs",
    "origin/src/notifications/cursor.rs",
    "origin/src/outbox/answer.rs",
    "origin/src/outbox/delivery.rs",
    "origin/src/outbox/invalidation.rs",
    "origin/src/sealing.rs",
    "origin/src/session/account.rs",
    "origin/src/session/refresh.rs",
    "origin/src/session/token.rs",
    "origin/src/shop/groups.rs",
    "origin/src/shop/imports/outcome.rs",
    "origin/src/shop/imports/table.rs",
    "origin/src/shop/orders/checkout.rs",
    "origin/src/shop/pictures/resize.rs",
    "origin/src/shop/reports/axis.rs",
    "origin/src/shop/reports/buckets.rs",
    "origin/src/shop/reports/layout.rs",
    "origin/src/shop/reports/page.rs",
    "origin/src/shop/reports/paint.rs",
    "origin/src/shop/reports/range.rs",
    "origin/src/shop/reports/sheet.rs",
    "origin/src/signing.rs",
    "origin/src/webhooks/answer.rs",
    "origin/src/webhooks/event.rs",
    "origin/src/webhooks/signature.rs",
];
/// The rim of `edge`, where the I/O is, and how programs reach a database.
const RIM: &[&str] = &["edge/src/worker", "origin/api/src/postgres.rs"];
/// What reads a clock, draws a number, or reaches out of the process.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "UtcDateTime::now",
    "OffsetDateTime::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "tokio",
    "worker::",
    "js_sys",
    "web_sys",
    "fastrand",
    "getrandom",
    "rand::",
];

#[test]
fn the_pure_modules_perform_no_io_and_read_no_clock() {
    let mut checked = 0;
    for place in PURE {
        let files = if place.ends_with(".rs") { vec![PathBuf::from(place)] } else { rust_files(place) };
        for file in files.into_iter().filter(|file| !RIM.iter().any(|rim| file.starts_with(rim))) {
            let code = code(&file);
            for word in IMPURE {
                // `crate::worker` is how the rim itself is declared.
                let found = code.lines().find(|line| line.contains(word) && !line.contains("mod worker"));
                assert!(
                    found.is_none(),
                    "{} is pure, but has {word}: {}",
                    file.display(),
                    found.unwrap_or_default()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} files were checked");
}

#[test]
fn only_the_shops_folder_names_the_shop() {
    let mut files = rust_files("edge");
    files.extend(rust_files("origin/src").into_iter().filter(|file| !file.starts_with("origin/src/shop")));
    for file in files {
        let code = code(&file).to_lowercase();
        for word in ["products", "product_id", "cart", "orders"] {
            let found = code.lines().find(|line| line.contains(word) && !line.contains("product_max_age"));
            assert!(found.is_none(), "{} names the shop: {}", file.display(), found.unwrap_or_default());
        }
    }
}

#[test]
fn npm_packages_are_pinned_exactly() {
    let package: serde_json::Value =
        serde_json::from_slice(&fs::read(root().join("package.json")).unwrap()).unwrap();
    for kind in ["dependencies", "optionalDependencies"] {
        for (name, version) in package[kind].as_object().unwrap() {
            let version = version.as_str().unwrap();
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{name} is {version}");
        }
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    for folder in
        ["app/src", "assets/src", "bench/src", "edge/src", "origin/src", "origin/api/src", "src", "tests"]
    {
        for file in rust_files(folder) {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            assert!(text.starts_with("//!"), "{} does not begin with what it is", file.display());
        }
    }
}
