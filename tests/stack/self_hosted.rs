//! An edge whose storage lasts.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::scripted::Origin;
use crate::support::poll;
use crate::support::tidewall::{Folder, Running};
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    (
        "self_hosted::what_an_edge_stored_and_what_was_purged_outlast_it",
        what_an_edge_stored_and_what_was_purged_outlast_it,
    ),
    (
        "self_hosted::nothing_is_served_of_what_other_origins_answered",
        nothing_is_served_of_what_other_origins_answered,
    ),
];

const SOON: Duration = Duration::from_secs(30);
const TOKEN: &str = "of the tests, and of them alone";

/// An edge with its data in `folder`, before `origin`, always at the same port: what is stored is
/// stored under its address.
struct Edge(Running);

impl Edge {
    fn start(folder: &Folder, port: u16, origin: &Origin) -> Self {
        let (data, port) = (folder.join("data").display().to_string(), port.to_string());
        let args = ["edge", "--edge-port", &port, "--data", &data, "--origin", &origin.url];
        Self(Running::start(&folder.0, &args, &[("PURGE_TOKEN", TOKEN)]))
    }

    /// Where another one is to answer as well.
    fn port(&self) -> u16 {
        self.0.text("/edge").rsplit(':').next().unwrap().parse().unwrap()
    }

    async fn ask(&self, world: &World, path: &str) -> (String, String) {
        let response = world.get(&format!("{}{path}", self.0.text("/edge"))).await;
        let status = field(&response, "cache-status");
        (status, response.text().await.unwrap())
    }

    /// Asks until the answer is a stored one.
    async fn store(&self, world: &World, path: &str) {
        let stored = poll::until_async(SOON, || async {
            self.ask(world, path).await.0.starts_with("tidewall; hit").then_some(())
        });
        stored.await.expect("it is stored");
    }

    /// Waits until it is where it lasts, which is after an answer has gone out.
    async fn kept(&self, world: &World, path: &str) {
        let url = format!("{}/_tidewall/explain?origin=0&url={path}", self.0.text("/edge"));
        let there = poll::until_async(SOON, || async {
            let found = world.client.get(&url).bearer_auth(TOKEN).send().await.ok()?;
            let found: Value = found.json().await.ok()?;
            let mut levels = found["levels"].as_array()?.iter();
            levels.any(|level| level["level"] == "kv" && level["copy"].is_object()).then_some(())
        });
        there.await.expect("KV has it");
    }

    async fn purge(&self, world: &World, group: &str) {
        let purge = world.client.post(format!("{}/_tidewall/purge", self.0.text("/edge")));
        let purged = purge.bearer_auth(TOKEN).json(&json!({ "groups": [group] })).send().await.unwrap();
        assert_eq!(purged.status(), 200);
    }

    fn end(mut self, signal: Signal) {
        self.0.signal(signal);
        self.0.wait();
    }
}

/// An origin that counts what it is asked, and says so.
fn counting(world: &World) -> Origin {
    let origin = Origin::start(&world.runtime);
    for group in ["kept", "purged"] {
        origin.script(&format!("/{group}"), move |asked| {
            format!("200\ncdn-cache-control: max-age=600\ncache-groups: \"{group}\"\n\n{} {group}", asked.nth)
        });
    }
    origin
}

fn what_an_edge_stored_and_what_was_purged_outlast_it(world: &World) {
    let (folder, origin) = (Folder::new(), counting(world));
    world.run(async {
        let edge = Edge::start(&folder, 0, &origin);
        let port = edge.port();
        for path in ["/kept", "/purged"] {
            edge.store(world, path).await;
            edge.kept(world, path).await;
        }
        edge.purge(world, "purged").await;
        edge.end(Signal::TERM);

        let mut purged = vec!["0 purged".to_owned()];
        for signal in [Signal::KILL, Signal::TERM] {
            let edge = Edge::start(&folder, port, &origin);
            edge.kept(world, "/kept").await;
            let (status, body) = edge.ask(world, "/kept").await;
            assert!(status.starts_with("tidewall; hit"), "{status}: {}", edge.0.log());
            assert_eq!(body, "0 kept");
            let (status, body) = edge.ask(world, "/purged").await;
            assert!(!purged.contains(&body), "{status}: what was purged came back: {body}");
            edge.store(world, "/purged").await;
            edge.kept(world, "/purged").await;
            purged.push(edge.ask(world, "/purged").await.1);
            edge.purge(world, "purged").await;
            // The last one kills nothing that another could need.
            edge.end(signal);
            let _left = std::fs::remove_file(folder.join("ready.json"));
        }
        let secrets = Command::new("grep").args(["-rlF", TOKEN]).arg(folder.join("data")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&secrets.stdout), "", "a secret of the environment is in no file");
    });
}

fn nothing_is_served_of_what_other_origins_answered(world: &World) {
    let (folder, origin, other) = (Folder::new(), counting(world), counting(world));
    world.run(async {
        let edge = Edge::start(&folder, 0, &origin);
        let port = edge.port();
        edge.store(world, "/kept").await;
        edge.kept(world, "/kept").await;
        edge.end(Signal::TERM);

        let edge = Edge::start(&folder, port, &other);
        let (status, _) = edge.ask(world, "/kept").await;
        assert!(status.contains("fwd="), "{status}");
        assert_eq!(other.asked("/kept").len(), 1);
        edge.end(Signal::TERM);
    });
}
