//! Which state of the sources is measured.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Longest wait for git.
const GIT_MAX: Duration = Duration::from_secs(10);

/// The commit, with `-dirty` where files differ from it; `None` without git or a repository.
pub async fn commit() -> Option<String> {
    let described = Command::new("git")
        // Without any tag, so that the commit itself is named.
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(GIT_MAX, described).await.ok()?.ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
