//! The pages, as a browser gets them and as a person sees them.

use crate::support::browser::Chromium;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("pages::a_person_opens_the_shop_and_a_product", a_person_opens_the_shop_and_a_product),
    ("pages::filters_live_in_the_url", filters_live_in_the_url),
    ("pages::pages_and_assets_say_how_long_they_may_be_kept", pages_and_assets_say_how_long_they_may_be_kept),
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
