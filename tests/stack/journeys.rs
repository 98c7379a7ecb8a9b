//! What people come for, from end to end in a browser: an account, a cart, an order, a report.

use crate::support::browser::{Chromium, Tab};
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("journeys::somebody_signs_up_buys_and_has_a_report_made", somebody_signs_up_buys_and_has_a_report_made),
    (
        "journeys::what_is_somebodys_own_leads_to_the_login_and_back",
        what_is_somebodys_own_leads_to_the_login_and_back,
    ),
    ("journeys::a_change_that_is_refused_is_taken_back", a_change_that_is_refused_is_taken_back),
];

/// Signs up by the form that the tab shows. The way there is a link, which leads on before the app is there.
async fn sign_up(tab: &Tab, email: &str) {
    tab.until("document.querySelector('.aside a')?.innerText === 'Make one'").await;
    tab.click(".aside a").await;
    tab.until("document.querySelector('h1').innerText === 'Make an account'").await;
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
        let chromium = Chromium::launch().await;
        let mut tab = chromium.open(&format!("{}/login", world.edge())).await;
        sign_up(&tab, "refused@example.com").await;
        tab.until("location.pathname === '/' && document.body.innerText.includes('Log out')").await;
        put_in_cart(&tab, world, 1).await;
        // The session ends elsewhere: the cart is not this page's any more.
        let primary = world.database(&world.stack.text("/primary")).await;
        let end =
            "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE email = 'refused@example.com')";
        primary.execute(end, &[]).await.unwrap();
        tab.page.execute(clear_session()).await.unwrap();
        tab.click(".buy button").await;
        tab.until("document.querySelector('[role=alert] .alert') !== null").await;
        tab.until("document.querySelector('.buy p').innerText.includes('1 in your cart')").await;
        // The refused request is the only thing that the console tells.
        assert!(tab.console().iter().all(|line| line.contains("401")), "{:?}", tab.console());
        chromium.close().await;
    });
}

/// Takes the session's cookies away.
fn clear_session() -> chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams {
    chromiumoxide::cdp::browser_protocol::network::ClearBrowserCookiesParams::default()
}
