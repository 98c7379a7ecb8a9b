//! The app's own tests, in wasm: in node, and in Chromium.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;
#[path = "../src/cargo/variables.rs"]
mod variables;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::browser::Chromium;
use crate::support::tidewall::{output, path_with_node};

/// `cargo test` for the app's test `name`, by the runner that was built with this test.
fn cargo_test(name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(root)
        .args(["test", "--package", "tidewall-app", "--target", "wasm32-unknown-unknown"])
        .args(["--profile", "dev", "--test", name])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner())
        .env("PATH", path_with_node());
    for variable in variables::of_this_process() {
        command.env_remove(variable);
    }
    command
}

fn runner() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("examples").join("wasm_test_runner")
}

/// Cargo and the runner that it starts, killed when dropped.
struct Server(Child);

impl Server {
    fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only where they have ended already.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

#[test]
fn components_work_in_wasm_in_node_and_in_chromium() {
    // The npm packages and the wasm target are installed by the command itself.
    assert!(output(&["build", "--dev"]).status.success());
    let output = cargo_test("node").output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("test result: ok"), "{text}");
    assert!(!text.contains("ok. 0 passed"), "{text}");

    let mut server = Server::start(
        cargo_test("browser")
            // It serves the tests to whichever browser comes, and says where.
            .env("NO_HEADLESS", "1")
            .env("WASM_BINDGEN_TEST_ADDRESS", "127.0.0.1:0")
            .stdout(Stdio::piped()),
    );
    // The runner goes on talking, so somebody has to go on listening.
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = said.find_map(|line| line.find("http://").map(|start| line[start..].trim().to_owned()));
    let url = url.expect("the runner says where it serves the tests");
    let outcome = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&url).await;
        tab.until("document.body.innerText.includes('test result:')").await;
        let text = tab.text("document.body.innerText").await;
        chromium.close().await;
        text
    });
    drop(server);
    assert!(outcome.contains("test result: ok") && !outcome.contains("ok. 0 passed"), "{outcome}");
}
