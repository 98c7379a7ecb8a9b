//! The person's browser.

use std::process::Stdio;

use tokio::process::Command;

/// Opens `url` where there is a display to open it on.
pub(super) fn open(url: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some()) {
        "xdg-open"
    } else {
        return;
    };
    let opened = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // It may become the browser itself, which a Ctrl-C for us must not close.
        .process_group(0)
        .spawn();
    // The URL was printed: without a browser nothing is lost.
    if let Ok(mut opener) = opened {
        tokio::spawn(async move { opener.wait().await });
    }
}
