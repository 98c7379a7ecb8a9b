//! What people come for, from end to end in a browser: an account, a cart, an order, a report.

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use chromiumoxide::cdp::browser_protocol::network::{
    BlockPattern, DeleteCookiesParams, EventRequestWillBeSent, SetBlockedUrLsParams,
};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Chromium, Tab};
use crate::support::poll;
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("journeys::somebody_signs_up_buys_and_has_a_report_made", somebody_signs_up_buys_and_has_a_report_made),
    (
        "journeys::what_is_somebodys_own_leads_to_the_login_and_back",
        what_is_somebodys_own_leads_to_the_login_and_back,
    ),
    (
        "journeys::a_new_document_leads_back_to_the_list_seen_last",
        a_new_document_leads_back_to_the_list_seen_last,
    ),
    ("journeys::a_change_that_is_refused_is_taken_back", a_change_that_is_refused_is_taken_back),
    ("journeys::whose_session_has_ended_is_told_so", whose_session_has_ended_is_told_so),
    ("journeys::what_staff_change_is_seen_at_once", what_staff_change_is_seen_at_once),
    ("journeys::an_experiment_tells_both_ways_apart", an_experiment_tells_both_ways_apart),
    ("journeys::no_page_is_wider_than_a_phone", no_page_is_wider_than_a_phone),
    ("journeys::pages_are_of_use_without_javascript", pages_are_of_use_without_javascript),
    ("journeys::a_link_out_of_the_shop_waits_for_the_cart", a_link_out_of_the_shop_waits_for_the_cart),
    ("journeys::a_keyboard_is_enough_to_buy", a_keyboard_is_enough_to_buy),
    ("journeys::two_tabs_of_a_browser_share_a_session", two_tabs_of_a_browser_share_a_session),
];

/// Logs in as staff by the form.
async fn log_in_as_staff(tab: &Tab, world: &World) {
    tab.until("document.querySelector('form.form button')?.disabled === false").await;
    tab.fill("input[type=email]", &world.stack.text("/staff/email")).await;
    tab.fill("input[type=password]", &world.stack.text("/staff/password")).await;
    tab.click("form.form button[type=submit]").await;
    tab.until("location.pathname !== '/login' && document.body.innerText.includes('Log out')").await;
}

/// Signs up by the form that the tab shows. The way there is a link, which leads on before the app is there.
async fn sign_up(tab: &Tab, email: &str) {
    tab.until("document.querySelector('.aside a')?.innerText === 'Make one'").await;
    tab.click(".aside a").await;
    tab.until("document.querySelector('h1').innerText === 'Make an account'").await;
    tab.until("document.querySelector('form.form button')?.disabled === false").await;
    tab.fill("input[type=email]", email).await;
    tab.fill("input[type=password]", "correct horse battery").await;
    tab.click("form.form button[type=submit]").await;
}

/// A product that does not run out while a test buys it.
async fn in_stock(primary: &tokio_postgres::Client) -> i64 {
    let first = "SELECT id FROM products WHERE stock > 20 ORDER BY id LIMIT 1";
    primary.query_one(first, &[]).await.unwrap().get(0)
}

/// Opens a product that is there, and puts one into the cart.
async fn put_in_cart(tab: &Tab, world: &World, id: i64) {
    tab.page.goto(format!("{}/products/{id}", world.edge())).await.unwrap();
    tab.until("[...document.querySelectorAll('.buy button')].some(b => !b.disabled)").await;
    tab.click(".buy button").await;
    tab.until("document.querySelector('.buy p').innerText.includes('1 in your cart')").await;
    tab.until("document.querySelector('.count')?.innerText.startsWith('1')").await;
    // Shown before the server has it; with this document it would go.
    let has_it = format!(
        "performance.getEntriesByName(`${{location.origin}}/api/cart/{id}`).some(put => put.responseEnd > 0)"
    );
    tab.until(&has_it).await;
}

fn somebody_signs_up_buys_and_has_a_report_made(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "buyer@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        let primary = world.database(&world.stack.text("/primary")).await;
        let id = in_stock(&primary).await;
        put_in_cart(&tab, world, id).await;

        tab.page.goto(format!("{}/cart", world.edge())).await.unwrap();
        tab.until("document.querySelectorAll('.line').length === 1").await;
        tab.choose(".line select", "3").await;
        tab.until("document.querySelector('.count')?.innerText.startsWith('3')").await;
        tab.until("!document.querySelector('.sum button').disabled").await;
        tab.click(".sum button").await;
        tab.until("location.pathname === '/orders' && document.body.innerText.includes('is placed')").await;
        // Their own order is there at once, whichever copy answers.
        tab.until("document.querySelector('.order')?.innerText.includes('3 ×')").await;
        let sold =
            "SELECT count(*) FROM orders JOIN users ON users.id = user_id WHERE email = 'buyer@example.com'";
        assert_eq!(primary.query_one(sold, &[]).await.unwrap().get::<_, i64>(0), 1);

        tab.page.goto(format!("{}/reports", world.edge())).await.unwrap();
        tab.until("document.querySelector('input[name=to]')?.value.length === 10").await;
        tab.click("form.form button[type=submit]").await;
        tab.until("document.querySelector('.job a')?.href.includes('/api/files/')").await;
        tab.until("document.querySelector('.job').innerText.includes('It is ready.')").await;
        // A reload goes on where it was.
        tab.page.reload().await.unwrap();
        tab.until("document.querySelector('.job a')?.href.includes('/api/files/')").await;
        let url = tab.text("document.querySelector('.job a').href").await;
        let report = world.client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(report.lines().count() >= 2, "{report}");
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

fn what_is_somebodys_own_leads_to_the_login_and_back(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/orders", world.edge())).await;
        tab.until("document.querySelector('.notice a')?.innerText === 'Log in'").await;
        tab.click(".notice a").await;
        tab.until("location.pathname === '/login'").await;
        sign_up(&tab, "returning@example.com").await;
        tab.until("location.pathname === '/orders' && document.body.innerText.includes('ordered nothing')")
            .await;
        tab.click(".site-nav button").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log in')").await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

/// As after a visit to a page that is another program's.
fn a_new_document_leads_back_to_the_list_seen_last(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{}/?sort=name", world.edge())).await;
        tab.until("document.querySelector('.results .card img') !== null").await;
        tab.page.goto(format!("{}/products/1", world.edge())).await.unwrap();
        tab.until("document.querySelector('.back a')?.getAttribute('href') === '/?sort=name'").await;
        chromium.close().await;
    });
}

fn a_change_that_is_refused_is_taken_back(world: &World) {
    world.run(async {
        let made = json!({
            "name": "A lamp that goes", "category": "lamps of journeys", "price_cents": 1_000, "stock": 50, "description": "",
        });
        let made = world.write(Method::POST, &format!("{}/api/products", world.edge()), &made).await;
        let id = made.json::<Value>().await.unwrap()["id"].as_i64().unwrap();
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "refused@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        put_in_cart(&tab, world, id).await;
        assert_eq!(world.delete(&format!("{}/api/products/{id}", world.edge())).await.status(), 204);
        tab.click(".buy button").await;
        tab.until("document.querySelector('[role=alert] .alert') !== null").await;
        // What is in the cart the server knows.
        tab.until("document.querySelector('.buy p').innerText === '' && !document.querySelector('.count')").await;
        // The refused request is the only thing that the console tells.
        assert!(tab.console().iter().all(|line| line.contains("404")), "{:?}", tab.console());
        chromium.close().await;
    });
}

fn whose_session_has_ended_is_told_so(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "ended@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        put_in_cart(&tab, world, 1).await;
        // It ends elsewhere: the cart is not this page's any more.
        let primary = world.database(&world.stack.text("/primary")).await;
        let end =
            "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = 'ended@example.com')";
        primary.execute(end, &[]).await.unwrap();
        tab.page.execute(clear_session()).await.unwrap();
        tab.click(".buy button").await;
        tab.until("document.querySelector('.buy a')?.innerText === 'Log in to buy'").await;
        tab.until("document.body.innerText.includes('Log in') && !document.querySelector('.count')").await;
        chromium.close().await;
    });
}

fn what_staff_change_is_seen_at_once(world: &World) {
    world.run(async {
        let made = json!({
            "name": "A plain lamp", "category": "lamps of journeys", "price_cents": 1_000, "stock": 5, "description": "",
        });
        let made = world.write(Method::POST, &format!("{}/api/products", world.edge()), &made).await;
        let id = made.json::<Value>().await.unwrap()["id"].as_i64().unwrap();
        let page = format!("{}/products/{id}", world.edge());
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login?next=/products/{id}", world.edge())).await;
        log_in_as_staff(&tab, world).await;
        tab.until("document.querySelector('h1').innerText === 'A plain lamp'").await;
        tab.until("document.querySelector('.edit summary') !== null").await;
        tab.click(".edit summary").await;
        tab.page.evaluate("document.querySelector('.edit input[name=price]').value = ''").await.unwrap();
        tab.fill(".edit input[name=price]", "12.34").await;
        tab.click(".edit button[type=submit]").await;
        tab.until("document.querySelector('.product-price').innerText.includes('$12.34')").await;
        // It was shown before it was written.
        tab.until("!document.querySelector('.edit button[type=submit]').disabled").await;
        tab.until("document.querySelector('.edit code')?.innerText.startsWith('tidewall;') === true").await;
        // Whoever comes next, and has written nothing.
        let read = world.client.get(format!("{}/api/products/{id}", world.edge())).send().await.unwrap();
        assert_eq!(read.json::<Value>().await.unwrap()["price_cents"], 1_234);
        // What the server refuses is taken back: no category is that long.
        let long = "document.querySelector('.edit input[name=category]').value = 'x'.repeat(81)";
        tab.page.evaluate(long).await.unwrap();
        tab.click(".edit button[type=submit]").await;
        tab.until("document.querySelector('.edit [role=alert] .alert') !== null").await;
        tab.until("document.querySelector('.product-category').innerText.toLowerCase() === 'lamps of journeys'").await;
        assert!(tab.console().iter().all(|line| line.contains("422")), "{page}: {:?}", tab.console());
        chromium.close().await;
    });
}

fn an_experiment_tells_both_ways_apart(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login?next=/lab", world.edge())).await;
        log_in_as_staff(&tab, world).await;
        tab.until("document.querySelector('#index .lab-run button')?.disabled === false").await;
        tab.click("#index .lab-run button").await;
        let cell = |row: u32, way: u32| {
            format!("document.querySelectorAll('#index .lab-figures tbody tr')[{row}].cells[{way}].innerText")
        };
        // Rows that were read: all of them without an index.
        tab.until(&format!("{} !== '–'", cell(5, 1))).await;
        tab.click("#index .lab-way:nth-of-type(2) input").await;
        tab.until(&format!("{} !== '–'", cell(5, 2))).await;
        let number = |text: String| text.replace(',', "").parse::<f64>().unwrap();
        let (without, with) = (number(tab.text(&cell(5, 1)).await), number(tab.text(&cell(5, 2)).await));
        assert!(with <= 10.0 && without > 100.0, "{without} and {with}");
        tab.until("document.querySelectorAll('#index .plan li').length >= 4").await;
        tab.click("#index .lab-run button").await;
        tab.until("document.querySelector('#index .lab-run button').innerText === 'Start'").await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

/// Every page of the app.
const PAGES: [&str; 9] =
    ["/", "/products/1", "/cart", "/orders", "/reports", "/login", "/toolkit", "/lab", "/ops"];

fn no_page_is_wider_than_a_phone(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{}/login", world.edge())).await;
        let phone = SetDeviceMetricsOverrideParams::builder()
            .width(360)
            .height(740)
            .device_scale_factor(1.0)
            .mobile(true)
            .build()
            .unwrap();
        tab.page.execute(phone).await.unwrap();
        log_in_as_staff(&tab, world).await;
        for page in PAGES {
            tab.page.goto(format!("{}{page}", world.edge())).await.unwrap();
            tab.until("document.body.innerText.includes('Log out')").await;
            tab.until("document.documentElement.scrollWidth <= window.innerWidth").await;
        }
        chromium.close().await;
    });
}

/// As it is with scripts switched off; and as it is before they are there, or where they never come.
fn pages_are_of_use_without_javascript(world: &World) {
    world.run(async {
        for (page, text) in [
            ("/toolkit", "Which, and when"),
            ("/lab", "Reading what was just written"),
            ("/lab", "500 ms for a lookup"),
            ("/", "Switch it on to see the products."),
        ] {
            let answer = world.client.get(format!("{}{page}", world.edge())).send().await.unwrap();
            let html = answer.text().await.unwrap();
            assert!(html.contains(text), "{page} lacks {text}");
        }
        let chromium = Chromium::launch().await;
        let tab = chromium.open("about:blank").await;
        let wasm = BlockPattern::new("*://*:*/assets/*.wasm", true);
        tab.page.execute(SetBlockedUrLsParams::builder().url_pattern(wasm).build()).await.unwrap();
        tab.page.goto(format!("{}/lab", world.edge())).await.unwrap();
        tab.until("document.documentElement.classList.contains('unstarted')").await;
        tab.until("document.body.innerText.includes('Reading what was just written')").await;
        tab.keep("app-never-comes-lab").await;
        // What is searched for is in the URL, where the app finds it once it is there.
        tab.page.goto(format!("{}/", world.edge())).await.unwrap();
        tab.fill(".search input[type=search]", "lamp").await;
        tab.press("Enter").await;
        tab.until("location.pathname === '/' && new URLSearchParams(location.search).get('q') === 'lamp'")
            .await;
        tab.until("document.documentElement.classList.contains('unstarted')").await;
        tab.keep("app-never-comes-shop").await;
        // A password is not: nothing is sent before the app is there.
        tab.page.goto(format!("{}/login", world.edge())).await.unwrap();
        let mut requests = tab.page.event_listener::<EventRequestWillBeSent>().await.unwrap();
        tab.fill("input[type=email]", "nobody@example.com").await;
        tab.fill("input[type=password]", "correct horse battery").await;
        tab.press("Enter").await;
        tab.click("form.form button").await;
        // A request after all that would have been.
        tab.page.goto(format!("{}/toolkit", world.edge())).await.unwrap();
        loop {
            let sent = requests.next().await.unwrap().request.clone();
            assert!(sent.method == "GET" && !sent.url.contains("correct"), "{sent:?}");
            if sent.url.ends_with("/toolkit") {
                break;
            }
        }
        chromium.close().await;
    });
}

/// With the document would go what is under way, and what waits behind it.
fn a_link_out_of_the_shop_waits_for_the_cart(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "hasty@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        let mut primary = world.database(&world.stack.text("/primary")).await;
        let id = in_stock(&primary).await;
        put_in_cart(&tab, world, id).await;
        let own = "FROM cart_items, users WHERE users.id = user_id AND email = 'hasty@example.com'";
        // The page shows what it has sent before that is there.
        let there = poll::until_async(Duration::from_secs(60), || async {
            primary.query_opt(&format!("SELECT 1 {own}"), &[]).await.unwrap()
        });
        there.await.expect("what is put in is there in the end");
        let held = primary.transaction().await.unwrap();
        held.query_one(&format!("SELECT 1 {own} FOR UPDATE OF cart_items"), &[]).await.unwrap();
        for pieces in [2, 3] {
            tab.click(".buy button").await;
            tab.until(&format!("document.querySelector('.count').innerText.startsWith('{pieces}')")).await;
        }
        tab.click(".site-nav a[href='/orders']").await;
        tab.until("document.querySelector('.buy button') !== null && location.pathname !== '/orders'").await;
        held.rollback().await.unwrap();
        tab.until("location.pathname === '/orders' && document.body.innerText.includes('ordered nothing')")
            .await;
        let quantity = primary.query_one(&format!("SELECT quantity {own}"), &[]).await.unwrap();
        assert_eq!(quantity.get::<_, i32>(0), 3);
        chromium.close().await;
    });
}

/// Focus is seen wherever it goes on the way.
fn a_keyboard_is_enough_to_buy(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login", world.edge())).await;
        tab.until("document.querySelector('.aside a')?.innerText === 'Make one'").await;
        tab.until("document.querySelector('form.form button')?.disabled === false").await;
        tab.tab_to(".aside a").await;
        tab.press("Enter").await;
        tab.until("document.querySelector('h1').innerText === 'Make an account'").await;
        tab.tab_to("input[type=email]").await;
        tab.write("keys@example.com").await;
        tab.tab_to("input[type=password]").await;
        tab.write("correct horse battery").await;
        tab.press("Enter").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        let primary = world.database(&world.stack.text("/primary")).await;
        let id = in_stock(&primary).await;
        tab.page.goto(format!("{}/products/{id}", world.edge())).await.unwrap();
        tab.until("[...document.querySelectorAll('.buy button')].some(b => !b.disabled)").await;
        // The way to the content is the first stop.
        tab.press("Tab").await;
        tab.until("document.activeElement.matches('.skip')").await;
        tab.keep("keyboard-skip").await;
        tab.press("Enter").await;
        tab.until("document.activeElement.matches('#main')").await;
        tab.tab_to(".buy button").await;
        tab.press("Enter").await;
        tab.until("document.querySelector('.buy p').innerText.includes('1 in your cart')").await;
        tab.tab_to(".buy p a").await;
        tab.press("Enter").await;
        tab.until("location.pathname === '/cart' && document.querySelectorAll('.line').length === 1").await;
        tab.until("document.querySelector('.sum button')?.disabled === false").await;
        tab.tab_to(".sum button").await;
        tab.keep("keyboard-cart").await;
        tab.press("Enter").await;
        tab.until("location.pathname === '/orders' && document.body.innerText.includes('is placed')").await;
        tab.keep("keyboard-ordered").await;
        assert_eq!(tab.console(), Vec::<String>::new());
        chromium.close().await;
    });
}

/// A refresh token works once, so that two who renew with the same one end the session.
fn two_tabs_of_a_browser_share_a_session(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let one = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&one, "two-tabs@example.com").await;
        one.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        let other = chromium.open(&format!("{}/orders", world.edge())).await;
        other.until("document.body.innerText.includes('ordered nothing')").await;
        for _ in 0..3 {
            // As when it has run out: both tabs need a new one.
            let access = DeleteCookiesParams::builder().name("tw_session").url(world.edge()).build().unwrap();
            one.page.execute(access).await.unwrap();
            let (cart, orders) = (format!("{}/cart", world.edge()), format!("{}/orders", world.edge()));
            let (first, second) = tokio::join!(one.page.goto(cart), other.page.goto(orders));
            first.and(second).unwrap();
            one.until("document.body.innerText.includes('Log out')").await;
            one.until("document.querySelector('main').innerText.includes('nothing in it')").await;
            other.until("document.body.innerText.includes('ordered nothing')").await;
        }
        one.click(".site-nav button").await;
        one.until("location.pathname === '/' && document.body.innerText.includes('Log in')").await;
        other.page.reload().await.unwrap();
        other.until("document.querySelector('.notice a')?.innerText === 'Log in'").await;
        chromium.close().await;
    });
}

/// Takes the session's cookies away.
fn clear_session() -> chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams {
    chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams::default()
}
