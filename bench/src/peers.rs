//! What contestants are called: with the version that is locked in this
//! checkout, since a figure is true of that one only.

const CARGO_LOCK: &str = include_str!("../../Cargo.lock");
const PACKAGE_JSON: &str = include_str!("../../package.json");

/// A crate with its version.
pub fn cargo(package: &str) -> String {
    named(package, package, locked(CARGO_LOCK, package))
}

/// An npm package with its version: `node pg 8.0.0`.
pub fn npm(package: &str) -> String {
    named(&format!("node {package}"), package, pinned(PACKAGE_JSON, package))
}

fn named(label: &str, package: &str, version: Option<String>) -> String {
    debug_assert!(version.is_some(), "{package} is not locked");
    version.map_or_else(|| label.to_owned(), |version| format!("{label} {version}"))
}

/// The version that Cargo.lock has of a crate, the first where it has several.
fn locked(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines();
    lines.find(|line| field(line, "name") == Some(package))?;
    lines.next().and_then(|line| field(line, "version")).map(str::to_owned)
}

/// The value of a line such as `name = "serde"`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"')
}

/// The version that package.json pins of an npm package.
fn pinned(manifest: &str, package: &str) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_str(manifest).ok()?;
    manifest["dependencies"][package].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"bb8\"\nversion = \"0.9.1\"\ndependencies = [\n \"tokio\",\n]\n\n[[package]]\nname = \"bb8-postgres\"\nversion = \"0.9.0\"\n";

    #[test]
    fn a_locked_version_is_found_by_the_whole_name() {
        for (package, version) in
            [("bb8", Some("0.9.1")), ("bb8-postgres", Some("0.9.0")), ("postgres", None), ("tokio", None)]
        {
            assert_eq!(locked(LOCK, package).as_deref(), version, "{package}");
        }
    }

    #[test]
    fn a_pinned_version_is_found() {
        let manifest = r#"{"dependencies":{"pg":"8.0.0"}}"#;
        assert_eq!(pinned(manifest, "pg").as_deref(), Some("8.0.0"));
        assert_eq!(pinned(manifest, "pg-pool"), None);
    }

    #[test]
    fn every_peer_has_a_version_in_this_checkout() {
        for package in [
            "apalis-postgres",
            "bb8",
            "deadpool-postgres",
            "graphile_worker",
            "pgmq",
            "sqlx",
            "tokio-postgres",
        ] {
            assert!(locked(CARGO_LOCK, package).is_some(), "{package}");
        }
        for package in ["graphile-worker", "pg", "pg-boss"] {
            assert!(pinned(PACKAGE_JSON, package).is_some(), "{package}");
        }
    }
}
