//! What people come for, from end to end in a browser: an account, a cart, an order, a report.

use chromiumoxide::cdp::browser_protocol::emulation::SetDeviceMetricsOverrideParams;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Chromium, Tab};
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("journeys::somebody_signs_up_buys_and_has_a_report_made", somebody_signs_up_buys_and_has_a_report_made),
    (
        "journeys::what_is_somebodys_own_leads_to_the_login_and_back",
        what_is_somebodys_own_leads_to_the_login_and_back,
    ),
    ("journeys::a_change_that_is_refused_is_taken_back", a_change_that_is_refused_is_taken_back),
    ("journeys::whose_session_has_ended_is_told_so", whose_session_has_ended_is_told_so),
    ("journeys::what_staff_change_is_seen_at_once", what_staff_change_is_seen_at_once),
    ("journeys::an_experiment_tells_both_ways_apart", an_experiment_tells_both_ways_apart),
    ("journeys::no_page_is_wider_than_a_phone", no_page_is_wider_than_a_phone),
    ("journeys::texts_are_whole_without_javascript", texts_are_whole_without_javascript),
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

/// Opens a product that is there, and puts one into the cart.
async fn put_in_cart(tab: &Tab, world: &World, id: i64) {
    tab.page.goto(format!("{}/products/{id}", world.edge())).await.unwrap();
    tab.until("[...document.querySelectorAll('.buy button')].some(b => !b.disabled)").await;
    tab.click(".buy button").await;
    tab.until("document.querySelector('.buy p').innerText.includes('1 in your cart')").await;
    tab.until("document.querySelector('.count')?.innerText.startsWith('1')").await;
}

fn somebody_signs_up_buys_and_has_a_report_made(world: &World) {
    world.run(async {
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "buyer@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        let primary = world.database(&world.stack.text("/primary")).await;
        let in_stock = "SELECT id FROM products WHERE stock > 20 ORDER BY id LIMIT 1";
        let id: i64 = primary.query_one(in_stock, &[]).await.unwrap().get(0);
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

fn texts_are_whole_without_javascript(world: &World) {
    world.run(async {
        for (page, text) in [
            ("/toolkit", "Which, and when"),
            ("/lab", "Reading what was just written"),
            ("/lab", "500 ms for a lookup"),
        ] {
            let answer = world.client.get(format!("{}{page}", world.edge())).send().await.unwrap();
            let html = answer.text().await.unwrap();
            assert!(html.contains(text), "{page} lacks {text}");
        }
    });
}

/// Takes the session's cookies away.
fn clear_session() -> chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams {
    chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams::default()
}
