//! The repository's rules, as tests: which way dependencies point, what the
//! pure modules must not touch, what may not know of the shop, where secrets are named.

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
        ("bench", &["api", "assets", "edge", "origin"]),
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
    "bench/src/report",
    "bench/src/report.rs",
    "bench/src/sample.rs",
    "bench/src/scale/fleet.rs",
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

/// From this file's copy `wrangler dev` takes the secrets of a local Worker.
const EXAMPLE: &str = ".dev.vars.example";

/// Names of what the Worker reads from its environment.
fn read_by_the_worker() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in rust_files("edge/src") {
        let code = code(&file);
        for call in ["variable(", ".secret(", ".var("] {
            for rest in code.split(call).skip(1) {
                let arguments = rest.split(')').next().unwrap_or_default();
                names.extend(arguments.split('"').nth(1).map(str::to_owned));
            }
        }
    }
    names
}

#[test]
fn local_secrets_are_ignored_and_their_example_names_what_the_worker_reads() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let place = |wanted: &str| ignored.lines().position(|line| line == wanted);
    // Of two lines the later one counts.
    assert!(place("/.dev.vars*").is_some() && place("/.dev.vars*") < place("!/.dev.vars.example"));

    let read = read_by_the_worker();
    let wrangler: toml::Table = fs::read_to_string(root().join("wrangler.toml")).unwrap().parse().unwrap();
    // What isn't there for everybody to see is a secret.
    let is_secret = |name: &&String| wrangler["vars"].get(name.as_str()).is_none();
    let secrets: BTreeSet<String> = read.iter().filter(is_secret).cloned().collect();

    let example = fs::read_to_string(root().join(EXAMPLE)).unwrap();
    let lines: Vec<&str> = example.lines().collect();
    let (mut named, mut set) = (BTreeSet::new(), BTreeSet::new());
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with("# ")) {
        let Some((name, _)) = line.split_once('=') else { continue };
        assert!(at > 0 && lines[at - 1].starts_with("# "), "{EXAMPLE} doesn't say what {name} is");
        if !name.starts_with('#') {
            set.insert(name.to_owned());
        }
        named.insert(name.trim_start_matches('#').to_owned());
    }
    assert_eq!(named, read, "what {EXAMPLE} names, and what the Worker reads");
    assert_eq!(set, secrets, "what {EXAMPLE} sets, and the secrets that the Worker reads");
}

/// Whether git may track a file or folder of this name.
fn is_tracked(name: &str) -> bool {
    let is_local_secret = name.starts_with(".dev.vars") && name != EXAMPLE;
    let is_made = [".git", ".wrangler", "node_modules", "target"].contains(&name) || name.ends_with(".log");
    !is_local_secret && !is_made
}

/// Every file that git may track, named from the checkout's root.
fn tracked_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if !is_tracked(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// How secrets of well-known services begin, and how many letters and digits follow.
const KNOWN_SECRETS: &[(&str, usize)] =
    &[("AKIA", 16), ("ASIA", 16), ("ghp_", 36), ("gho_", 36), ("ghs_", 36), ("github_pat_", 22)];
/// What a secret is called where it is assigned.
const NAMES_OF_SECRETS: &[&str] = &["password", "secret", "token"];
/// Fewest characters of a secret, and fewest digits among them: what people write has fewer.
const SECRET_CHARS_MIN: usize = 20;
const SECRET_DIGITS_MIN: usize = 2;

/// What a line looks as if it held.
fn secret(line: &str) -> Option<&'static str> {
    let is_kind = |text: &str| text.chars().all(|letter| letter == ' ' || letter.is_ascii_uppercase());
    let mut begun = line.split("-----BEGIN ").skip(1);
    if begun.any(|rest| rest.split_once("PRIVATE KEY-----").is_some_and(|(kind, _)| is_kind(kind))) {
        return Some("a private key");
    }
    let is_known = |&(begin, length): &(&str, usize)| {
        let is_part = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
        line.split(begin).skip(1).any(|rest| rest.chars().take_while(is_part).count() >= length)
    };
    if KNOWN_SECRETS.iter().any(is_known) {
        return Some("a key of a well-known service");
    }
    let lower = line.to_ascii_lowercase();
    let is_assigned = |name: &&str| {
        lower.match_indices(*name).any(|(at, _)| {
            let rest = line[at + name.len()..].trim_start_matches(['"', '\'', ' ']);
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-".contains(letter);
            rest.strip_prefix(['=', ':'])
                .is_some_and(|value| value.split(|letter: char| !is_part(letter)).any(looks_random))
        })
    };
    NAMES_OF_SECRETS.iter().any(is_assigned).then_some("a secret's value")
}

/// Whether a text is of the alphabet of base64 by chance rather than by language.
fn looks_random(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let has_letters = text.chars().any(|letter| letter.is_ascii_alphabetic());
    text.len() >= SECRET_CHARS_MIN && digits >= SECRET_DIGITS_MIN && has_letters
}

#[test]
fn a_secret_is_known_by_its_looks() {
    const RANDOM: &str = "q7Zr1kTf9mXw3bLc5vNd8sHg2pYj4uRa6eWi";
    for kind in ["", "RSA ", "OPENSSH "] {
        assert!(secret(&format!("-----BEGIN {kind}PRIVATE KEY-----")).is_some(), "{kind}");
    }
    for line in [
        format!("AKIA{}", &RANDOM.to_uppercase()[..16]),
        format!("ghp_{RANDOM}"),
        format!("PURGE_TOKEN={RANDOM}"),
        format!("const SECRET: &str = \"{RANDOM}\";"),
        format!("  \"password\": \"{RANDOM}==\","),
    ] {
        assert!(secret(&line).is_some(), "{line}");
    }
    for line in [
        "-----BEGIN CERTIFICATE-----",
        "SECRET: &str = \"a secret of the tests and of none other\"",
        "let token = a_token_works_once_and_then_ends_the_session();",
        "of a token: https://example.com/",
        RANDOM,
    ] {
        assert_eq!(secret(line), None, "{line}");
    }
}

#[test]
fn no_tracked_file_holds_a_secret() {
    let files = tracked_files();
    assert!(files.len() > 500, "only {} files were checked", files.len());
    for file in files {
        let bytes = fs::read(root().join(&file)).unwrap();
        for (number, line) in (1..).zip(String::from_utf8_lossy(&bytes).lines()) {
            let found = secret(line);
            assert!(found.is_none(), "{}:{number} holds {}", file.display(), found.unwrap_or_default());
        }
    }
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn what_the_security_policy_names_is_there() {
    let folders = ["app", "assets", "edge", "origin", "src", "tests"];
    let files = folders.into_iter().flat_map(rust_files);
    let sources: String = files.map(|file| fs::read_to_string(root().join(file)).unwrap()).collect();
    let policy = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let mut checked = 0;
    for row in policy.lines() {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        // A threat, what is done about it, where, and what fails if that breaks.
        let &[_, _, places, tests] = cells.as_slice() else { continue };
        for place in quoted(places) {
            assert!(root().join(place).is_file(), "SECURITY.md names {place}, which isn't there");
        }
        for test in quoted(tests) {
            // Those with a harness of their own are listed by name.
            let is_listed = test.contains("::");
            let name = if is_listed { format!("\"{test}\"") } else { format!("fn {test}(") };
            assert!(sources.contains(&name), "SECURITY.md names the test {test}, which isn't there");
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} tests were looked for");
}

/// What whoever contributes is told, and what is then asked of them.
#[test]
fn contributors_are_told_what_is_asked_for() {
    let told = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let asked = fs::read_to_string(root().join(".ci/run")).unwrap();
    let checks: Vec<_> = asked.lines().filter(is_command).collect();
    assert!(checks.len() >= 5, "{checks:?}");
    for check in checks {
        assert!(told.lines().any(|line| line == check), "CONTRIBUTING.md does not say `{check}`");
    }
    let tests: Vec<_> =
        told.split("--test ").skip(1).filter_map(|rest| rest.split(['`', ' ', ';']).next()).collect();
    assert!(tests.len() >= 8, "{tests:?}");
    for test in tests {
        let file = root().join("tests").join(test);
        assert!(
            file.with_extension("rs").is_file() || file.join("main.rs").is_file(),
            "there is no test {test}"
        );
    }
}

/// A check, and no comment, and nothing that is said or compared.
fn is_command(line: &&str) -> bool {
    line.starts_with("cargo ") || line.starts_with("RUSTDOCFLAGS=")
}
