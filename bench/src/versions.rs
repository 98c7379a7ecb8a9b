//! Versions of what takes part in a run and is no contestant.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::database::connect;
use crate::error::Reason;

/// Longest wait for one of them.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Those that can be learned: of the compiler, of Node, and of the server at `primary` where there is one.
pub async fn all(primary: Option<&str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // `rustc 1.95.0 (59807616e 2026-04-14)`, `v20.20.2`
    for (program, name) in [("rustc", "rustc"), ("node", "Node.js")] {
        if let Some(version) = told(program).await {
            found.insert(name.to_owned(), version);
        }
    }
    if let Some(primary) = primary
        && let Ok(Ok(version)) = timeout(ANSWER_MAX, server(primary)).await
    {
        found.insert("PostgreSQL".to_owned(), version);
    }
    found
}

/// What a program says of itself, as a number.
async fn told(program: &str) -> Option<String> {
    let said = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(ANSWER_MAX, said).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    number(&text).filter(|_| output.status.success())
}

async fn server(primary: &str) -> Result<String, Reason> {
    let client = connect(&primary.parse()?).await?;
    let version: String = client.query_one("SHOW server_version", &[]).await?.try_get(0)?;
    number(&version).ok_or_else(|| Reason::new(&format!("no version: {version}")))
}

/// The first word that begins as a version does.
fn number(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        for (text, version) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)\n", Some("1.95.0")),
            ("v20.20.2\n", Some("20.20.2")),
            ("18.1 (Debian 18.1-1)", Some("18.1")),
            ("unknown", None),
        ] {
            assert_eq!(number(text).as_deref(), version, "{text}");
        }
    }
}
