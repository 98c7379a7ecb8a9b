//! A browser that has an asset is sent what has changed since.

use std::net::TcpListener;
use std::time::Duration;

use crate::built::{Built, text};
use crate::shelf::Shelf;
use crate::support::browser::Chromium;
use crate::support::poll;
use crate::support::tidewall::Folder;
use crate::workerd::{Setup, Workerd};
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] =
    &[("built::dictionaries::a_browser_is_sent_what_has_changed", a_browser_is_sent_what_has_changed)];

const DEADLINE: Duration = Duration::from_secs(60);

/// A site whose script says which it is.
fn build(number: usize, script: &str) -> Built {
    let mut site = Built::new(&format!("build-{number}"));
    let path = site.asset("app.js", script.as_bytes());
    site.dictionary("app.js");
    site.page(
        "/",
        "/index.html",
        &format!("<!doctype html><title>x</title><script src=\"{path}\"></script>"),
    );
    site
}

fn a_browser_is_sent_what_has_changed(world: &World) {
    world.run(async {
        let script = |number: usize| format!("window.build = {number};\n/*\n{}*/\n", text(1, 3_000));
        let (first, mut second) = (build(1, &script(1)), build(2, &script(2)));
        second.delta("app.js", script(2).as_bytes(), script(1).as_bytes());
        let asset = &second.manifest.assets["app.js"];
        let (delta, dictionary) = (asset.deltas[0].dcb.unwrap(), &asset.deltas[0].dictionary);
        assert!(delta < 200, "{delta} bytes");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let (shelf, objects) = (Shelf::start(&world.runtime), Folder::new());
        let deploy = async |site: &Built| {
            let setup = Setup {
                origins: &[world.scripted().origin()],
                policy: "round-robin",
                kv: &shelf,
                cache_api: &shelf,
                variables: &[],
                objects: &objects.0,
                site: Some(site.folder()),
            };
            Workerd::start_at(world, &setup, &address).await
        };

        let edge = deploy(&first).await;
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{}/", edge.url)).await;
        tab.until("window.build === 1").await;
        // It offers the dictionary for whatever the pattern matches, once it has stored it.
        let probe = "/assets/app.probe.js";
        let stored = poll::until_async(DEADLINE, || async {
            tab.page.evaluate(format!("fetch({probe:?}).then(() => 1)")).await.ok()?;
            (edge.dictionary(world, probe).await == format!(":{dictionary}:")).then_some(())
        });
        assert!(stored.await.is_some(), "no dictionary is offered");

        drop(edge);
        let edge = deploy(&second).await;
        tab.page.reload().await.unwrap();
        tab.until("window.build === 2").await;
        assert_eq!(edge.dictionary(world, &asset.path).await, format!(":{dictionary}:"));
        let sizes = "const entry = performance.getEntriesByType('resource').find(e => e.name.includes('/assets/app.')); \
                     `${entry.encodedBodySize} ${entry.decodedBodySize}`";
        assert_eq!(tab.text(sizes).await, format!("{delta} {}", asset.file.size));
        chromium.close().await;
    });
}
