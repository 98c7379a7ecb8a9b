//! The pages, as a browser gets them and as a person sees them.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::browser::Chromium;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("pages::a_person_opens_the_shop_and_a_product", a_person_opens_the_shop_and_a_product),
    ("pages::filters_live_in_the_url", filters_live_in_the_url),
    ("pages::pages_and_assets_say_how_long_they_may_be_kept", pages_and_assets_say_how_long_they_may_be_kept),
    ("pages::the_manifest_is_as_its_schema_describes_it", the_manifest_is_as_its_schema_describes_it),
    ("pages::a_page_lets_live_reload_run_while_developing", a_page_lets_live_reload_run_while_developing),
    (
        "pages::a_page_runs_what_it_was_built_with_and_nothing_else",
        a_page_runs_what_it_was_built_with_and_nothing_else,
    ),
];

fn a_person_opens_the_shop_and_a_product(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/", world.edge())).await;
        // Products of the database, not the shell's placeholders.
        tab.until("document.querySelectorAll('main a[href^=\"/products/\"]').length >= 24").await;
        let primary = world.database(&world.stack.text("/primary")).await;
        let name: String = primary.query_one("SELECT name FROM products WHERE id = 1", &[]).await.unwrap().get(0);
        tab.until(&format!("document.querySelector('main').innerText.includes({name:?})")).await;
        assert_eq!(tab.text("String(performance.getEntriesByType('resource').filter(e => e.name.includes('/api/')).length)").await, "1");

        tab.page.find_element("main a[href=\"/products/1\"]").await.unwrap().click().await.unwrap();
        tab.until("location.pathname === '/products/1'").await;
        tab.until(&format!("document.querySelector('h1')?.innerText.includes({name:?})")).await;
        tab.until(&format!("document.title.includes({name:?})")).await;
        assert_eq!(tab.console(), Vec::<String>::new());

        // The same page, loaded from its own address.
        let mut tab = chromium.open(&format!("{}/products/2", world.edge())).await;
        let name: String = primary.query_one("SELECT name FROM products WHERE id = 2", &[]).await.unwrap().get(0);
        tab.until(&format!("document.querySelector('h1')?.innerText.includes({name:?})")).await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

fn filters_live_in_the_url(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/?category=garden&page=2", world.edge())).await;
        tab.until("document.querySelectorAll('main a[href^=\"/products/\"]').length >= 24").await;
        let primary = world.database(&world.stack.text("/primary")).await;
        let second_page = "SELECT name FROM products WHERE category = 'garden' ORDER BY id OFFSET 24 LIMIT 1";
        let name: String = primary.query_one(second_page, &[]).await.unwrap().get(0);
        tab.until(&format!("document.querySelector('main').innerText.includes({name:?})")).await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

fn pages_and_assets_say_how_long_they_may_be_kept(world: &World) {
    world.run(async {
        let page = world.get(&format!("{}/", world.edge())).await;
        assert_eq!((page.status().as_u16(), field(&page, "cache-control")), (200, "no-cache".into()));
        let etag = field(&page, "etag");
        let html = page.text().await.unwrap();
        let again = world
            .client
            .get(format!("{}/", world.edge()))
            .header("if-none-match", etag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), 304);

        let start = html.find("/assets/").expect("the page names an asset");
        let asset = &html[start..start + html[start..].find('"').unwrap()];
        let asset = world.get(&format!("{}{asset}", world.edge())).await;
        assert_eq!(
            (asset.status().as_u16(), field(&asset, "cache-control")),
            (200, "public, max-age=31536000, immutable".into())
        );
        let missing = world.get(&format!("{}/assets/styles.0000000000000000.css", world.edge())).await;
        assert_eq!((missing.status().as_u16(), field(&missing, "cache-control")), (404, "no-store".into()));
        assert_eq!(field(&missing, "content-type"), "application/problem+json");
    });
}

fn the_manifest_is_as_its_schema_describes_it(_: &World) {
    let read = |path: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap())
            .unwrap()
    };
    let schema = read("origin/api/manifest.schema.json");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let manifest = read("target/dev/site/manifest.json");
    if let Err(error) = validator.validate(&manifest) {
        panic!("{error} at {}", error.instance_path());
    }
    let broken: [(&str, Value); 5] = [
        ("/version", json!(1)),
        ("/build", json!("latest")),
        ("/assets/shop.js/integrity", json!("md5-1")),
        ("/assets/shop.js/path", json!("/shop.js")),
        ("/routes/0/mistyped", json!(1)),
    ];
    for (place, value) in broken {
        let mut other = manifest.clone();
        let (parent, name) = place.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[name] = value;
        assert!(!validator.is_valid(&other), "{place}");
    }
}

/// wrangler appends a script of its own to pages, which their policy names by its hash.
fn a_page_lets_live_reload_run_while_developing(world: &World) {
    let wrangler =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/wrangler/wrangler-dist/ProxyWorker.js");
    let source = fs::read_to_string(wrangler).unwrap();
    let constant =
        |name: &str| source.split(&format!("{name} = \"")).nth(1).unwrap().split('"').next().unwrap();
    let template = source.split("liveReloadScript = `").nth(1).unwrap().split('`').next().unwrap();
    let script = template.split_once("javascript\">").unwrap().1.split("</script>").next().unwrap();
    let script = ["LIVE_RELOAD_PATHNAME", "LIVE_RELOAD_PROTOCOL"]
        .iter()
        .fold(script.to_owned(), |script, name| script.replace(&format!("${{{name}}}"), constant(name)));
    let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(&script)));
    world.run(async {
        let page = world.get(&format!("{}/", world.edge())).await;
        let policy = field(&page, "content-security-policy");
        assert!(policy.contains(&hash), "{hash} is not in {policy}");
    });
}

fn a_page_runs_what_it_was_built_with_and_nothing_else(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/", world.edge())).await;
        tab.until("document.querySelectorAll('main a[href^=\"/products/\"]').length >= 24").await;
        assert_eq!(tab.console(), Vec::<String>::new());
        tab.until(
            "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = true'; \
             document.head.append(script); return true; })()",
        )
        .await;
        assert_eq!(tab.text("String(window.ran)").await, "undefined");
        chromium.close().await;
    });
}
