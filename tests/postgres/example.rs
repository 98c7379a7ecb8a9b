//! The example service of the library's documentation, on real servers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::tidewall::client;
use crate::variables;
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] =
    &[("example::whoever_wrote_a_note_finds_it_on_a_replica", whoever_wrote_a_note_finds_it_on_a_replica)];

/// The example; killed when dropped.
struct Service(Child);

impl Service {
    /// Starts it on a free port; returns it with its URL.
    fn start(world: &World) -> (Self, String) {
        let mut command = Command::new(built());
        command
            .env("DATABASE_URL", world.url(0))
            .env("REPLICA_URLS", format!("{},{}", world.url(1), world.url(2)))
            .env("PORT", "0")
            .stdout(Stdio::piped());
        for variable in variables::of_this_process() {
            command.env_remove(variable);
        }
        let mut service = Self(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(service.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().to_owned();
        assert!(url.starts_with("http://"), "{line:?}");
        (service, url)
    }
}

/// Where it is. Of the whole workspace's features, with which `cargo test --workspace` has built it: with
/// those of its own package everything would be built again.
fn built() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "--locked",
        "--workspace",
        "--example",
        "notes",
    ]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    for variable in variables::of_this_process() {
        build.env_remove(variable);
    }
    assert!(build.status().unwrap().success());
    Path::new(env!("CARGO_BIN_EXE_tidewall")).with_file_name("examples").join("notes")
}

impl Drop for Service {
    fn drop(&mut self) {
        // It fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn whoever_wrote_a_note_finds_it_on_a_replica(world: &World) {
    world.run(async {
        let (_service, url) = Service::start(world);
        let client = client();
        until("replicas serve the writer", || async {
            let mut on_replicas = 0;
            for number in 0..50 {
                let text = format!("milk {number}");
                let written = client.post(format!("{url}/notes")).body(text.clone()).send().await.unwrap();
                assert_eq!(written.status(), 201);
                let bookmark = written.headers()["tidewall-bookmark"].clone();
                let id = written.text().await.unwrap();
                let read = client.get(format!("{url}/notes/{}", id.trim()));
                let read = read.header("tidewall-bookmark", bookmark).send().await.unwrap();
                on_replicas += u32::from(read.headers()["tidewall-lsn"] != "primary");
                assert_eq!(read.text().await.unwrap(), text);
            }
            on_replicas >= 25
        })
        .await;
        assert_eq!(client.get(format!("{url}/notes/0")).send().await.unwrap().status(), 404);
    });
}
