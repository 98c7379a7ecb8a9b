//! The app's parts in a page: mounted, looked at and used.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy knows none outside of #[test]")]

use std::time::Duration;

use gloo_timers::future::sleep;
use js_sys::futures::JsFuture;
use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use tidewall_api::problem::Problem;
use tidewall_api::product::Product;
use tidewall_app::client::ClientError;
use tidewall_app::components::alert::Alert;
use tidewall_app::components::card::{CardSkeleton, ProductCard};
use tidewall_app::components::failure::Failure;
use tidewall_app::components::pager::Pager;
use tidewall_app::components::update_notice::UpdateNotice;
use tidewall_app::lab::chart::Chart;
use tidewall_app::lab::tally::Point;
use tidewall_app::lookout::Lookout;
use tidewall_app::pages::toolkit::Calculator;
use tidewall_app::preload;
use tidewall_app::query::ProductQuery;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Element, HtmlElement};

wasm_bindgen_test_configure!(run_in_browser);

/// Shows a view in an element of its own, which stays until the page is closed.
fn mounted<V: IntoView + 'static>(view: impl FnOnce() -> V + 'static) -> HtmlElement {
    let place: HtmlElement = document().create_element("div").unwrap().unchecked_into();
    document().body().unwrap().append_child(&place).unwrap();
    mount_to(place.clone(), view).forget();
    place
}

fn find(place: &HtmlElement, selector: &str) -> Element {
    place.query_selector(selector).unwrap().unwrap_or_else(|| panic!("{selector} in {}", place.inner_html()))
}

fn text(place: &HtmlElement, selector: &str) -> String {
    find(place, selector).text_content().unwrap_or_default()
}

fn attribute(place: &HtmlElement, selector: &str, name: &str) -> Option<String> {
    find(place, selector).get_attribute(name)
}

#[wasm_bindgen_test]
fn a_card_shows_its_product_and_leads_to_it() {
    let product = Product {
        id: 42,
        name: "Brass desk lamp".to_owned(),
        category: "Lighting".to_owned(),
        price_cents: 1_999,
        stock: 0,
        description: String::new(),
        image: "/assets/pictures/07.svg".to_owned(),
        updated_at: "2026-11-24T01:02:03.456Z".to_owned(),
    };
    let place = mounted(move || view! { <ProductCard product=product lazy=false /> });
    assert_eq!(text(&place, "h2"), "Brass desk lamp");
    assert_eq!(attribute(&place, "h2 a", "href").as_deref(), Some("/products/42"));
    assert_eq!(attribute(&place, ".card-category a", "href").as_deref(), Some("/?category=Lighting"));
    assert_eq!(text(&place, ".price"), "$19.99");
    assert_eq!(text(&place, ".stock-out"), "Out of stock");
    assert_eq!(attribute(&place, "img", "loading").as_deref(), Some("eager"));
}

#[wasm_bindgen_test]
fn a_pager_marks_the_page_it_is_on() {
    let query = ProductQuery::parse("?category=Lighting&page=2");
    let place = mounted(move || view! { <Pager query=query last=3 /> });
    assert_eq!(text(&place, "[aria-current=page]"), "2");
    assert_eq!(attribute(&place, "[rel=prev]", "href").as_deref(), Some("/?category=Lighting"));
    assert_eq!(attribute(&place, "[rel=next]", "href").as_deref(), Some("/?category=Lighting&page=3"));
    assert_eq!(find(&place, "ol").child_element_count(), 3);
}

/// Runs the head's script as on the list's page, before a list of one product: the window that it has
/// put its answers into.
fn run_head() -> Object {
    let answer =
        r#"{ "items": [{ "name": "Brass \u003cdesk\u003e lamp", "image": "/assets/pictures/07.svg" }] }"#;
    let fetch = Function::new_with_args("url", &format!("return Promise.resolve(new Response({answer:?}))"));
    let location = JSON::parse(r#"{ "pathname": "/", "search": "" }"#).unwrap();
    let head_window = Object::new();
    let script = Function::new_with_args("location, window, fetch, localStorage", &preload::script());
    let given = Array::of(&[location, head_window.clone().into(), fetch.into(), JsValue::NULL]);
    script.apply(&JsValue::UNDEFINED, &given).unwrap();
    head_window
}

#[wasm_bindgen_test]
async fn the_head_shows_pictures_and_names_where_the_app_will_until_that_is_there() {
    let place = mounted(|| view! { <CardSkeleton /><CardSkeleton /> });
    let picture = || attribute(&place, ".card:first-child .picture", "style").unwrap_or_default();
    let head_window = run_head();
    let take: Function = Reflect::get(&head_window, &"takePreloaded".into()).unwrap().unchecked_into();
    let answer: Promise = take.call1(&JsValue::UNDEFINED, &"/api/products".into()).unwrap().unchecked_into();
    let answer: web_sys::Response = JsFuture::from(answer).await.unwrap().unchecked_into();
    JsFuture::from(answer.text().unwrap()).await.unwrap();
    sleep(Duration::ZERO).await;
    assert_eq!(picture(), "", "the app is there");

    run_head();
    while picture().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(picture().contains("url(\"/assets/pictures/07.svg\")"), "{}", picture());
    assert_eq!(text(&place, ".card:first-child .card-name"), "Brass <desk> lamp");
    let first = find(&place, ".card:first-child");
    assert_eq!(first.query_selector_all("[data-early].skeleton").unwrap().length(), 0);
    assert_eq!(attribute(&place, ".card:last-child .picture", "style"), None);
    place.remove();
}

#[wasm_bindgen_test]
async fn what_was_asked_for_can_be_forgotten() {
    let take = Function::new_with_args("url", "return Promise.resolve(new Response(url))");
    for is_forgotten in [false, true] {
        Reflect::set(&window(), &"takePreloaded".into(), &take).unwrap();
        if is_forgotten {
            preload::forget();
        }
        assert_eq!(preload::take("/api/me").await.is_some(), !is_forgotten);
    }
}

#[wasm_bindgen_test]
fn one_page_needs_no_pager() {
    let place = mounted(|| view! { <Pager query=ProductQuery::default() last=1 /> });
    assert!(place.query_selector("nav").unwrap().is_none());
}

#[wasm_bindgen_test]
fn a_page_that_is_too_old_is_to_be_reloaded_and_not_asked_again() {
    let place = mounted(|| view! { <Failure error=ClientError::Outdated on_retry=|()| {} /> });
    assert_eq!(text(&place, "h2"), "This page is out of date");
    assert_eq!(text(&place, "button"), "Reload");
    let place = mounted(|| view! { <Failure error=ClientError::Updating on_retry=|()| {} /> });
    assert_eq!(text(&place, "h2"), "The shop is being updated");
    assert_eq!(text(&place, "button"), "Try again");
}

#[wasm_bindgen_test]
async fn a_newer_version_is_offered_politely_and_can_be_declined() {
    let owner = Owner::new();
    let (shown, said) = owner.with(|| (RwSignal::new(false), RwSignal::new("")));
    let place = mounted(move || {
        view! {
            <UpdateNotice
                shown=shown
                on_reload=move |()| said.set("reload")
                on_dismiss=move |()| shown.set(false)
            />
            <output>{said}</output>
        }
    });
    assert_eq!(text(&place, "[role=status]"), "");
    assert!(place.query_selector("button").unwrap().is_none());
    let status = find(&place, "[role=status]");
    let focused = document().active_element();

    shown.set(true);
    leptos::task::tick().await;
    assert_eq!(status.text_content().unwrap(), "There is a newer version of the shop.");
    assert!(status.is_connected() && document().active_element() == focused);
    find(&place, "button").unchecked_into::<HtmlElement>().click();
    leptos::task::tick().await;
    assert_eq!(text(&place, "output"), "reload");

    find(&place, ".button-quiet").unchecked_into::<HtmlElement>().click();
    leptos::task::tick().await;
    assert_eq!(text(&place, "[role=status]"), "");
    assert!(place.query_selector("button").unwrap().is_none());
}

/// Waits until the browser, which reads bodies when it likes, has brought it about.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        let later = js_sys::eval("new Promise(resolve => setTimeout(resolve, 5))").unwrap();
        JsFuture::from(later.unchecked_into::<Promise>()).await.unwrap();
    }
    panic!("{what} does not happen");
}

#[wasm_bindgen_test]
async fn a_reader_who_comes_back_after_a_while_is_told_of_a_newer_build() {
    // A document of the build `a`, a server that serves the build `b`, and a clock.
    js_sys::eval(
        "document.head.insertAdjacentHTML('beforeend', '<meta name=tidewall-build content=a>');
         window.asked = []; window.served = 'b'; window.now = 1e12; Date.now = () => window.now;
         window.fetch = request => {
             window.asked.push(new URL(request.url).pathname);
             return Promise.resolve(new Response(JSON.stringify({ build: window.served })));
         };",
    )
    .unwrap();
    let come_back = async |minutes: f64| {
        let script = format!(
            "window.now += {minutes} * 60000;
             document.dispatchEvent(new Event('visibilitychange', {{ bubbles: true }}));"
        );
        js_sys::eval(&script).unwrap();
        leptos::task::tick().await;
    };
    let asked = || js_sys::eval("window.asked.join()").unwrap().as_string().unwrap();
    let place = mounted(|| {
        let lookout = Lookout::begin();
        view! {
            <output>{move || lookout.offers().to_string()}</output>
            <button on:click=move |_| lookout.decline()></button>
        }
    });
    let offered = |offered: &str| text(&place, "output") == offered;
    leptos::task::tick().await;
    come_back(4.0).await;
    assert_eq!(asked(), "");
    come_back(1.0).await;
    assert_eq!(asked(), "/build.json");
    until("an offer", || offered("true")).await;
    find(&place, "button").unchecked_into::<HtmlElement>().click();
    until("an end of the offer", || offered("false")).await;
    // A part that can't be loaded is a reason to look sooner, and not in a loop.
    let fail = "window.served = 'c'; window.now += 10000;
                for (let n = 0; n < 3; n++) window.dispatchEvent(new Event('unhandledrejection'));";
    js_sys::eval(fail).unwrap();
    until("an offer of a third build", || offered("true")).await;
    assert_eq!(asked(), "/build.json,/build.json");
}

#[wasm_bindgen_test]
async fn a_failure_says_why_and_asks_again_when_told() {
    let problem = Problem::new(503, "overloaded", "Too busy", "Try again in 2 seconds.");
    let error = ClientError::Problem(Box::new(problem));
    let owner = Owner::new();
    let asked = owner.with(|| RwSignal::new(0));
    let place = mounted(move || {
        view! {
            <Failure error=error on_retry=move |()| asked.update(|times| *times += 1) />
            <output>{asked}</output>
        }
    });
    assert_eq!(text(&place, "[role=alert] h2"), "Too busy");
    assert_eq!(text(&place, "[role=alert] p"), "Try again in 2 seconds.");
    find(&place, "button").unchecked_into::<HtmlElement>().click();
    leptos::task::tick().await;
    assert_eq!(text(&place, "output"), "1");
}

#[wasm_bindgen_test]
async fn what_was_refused_is_read_out_in_a_place_that_was_there() {
    let owner = Owner::new();
    let error = owner.with(|| RwSignal::new(None));
    let place = mounted(move || view! { <Alert error=error /> });
    assert_eq!(text(&place, "[role=alert]"), "");
    let mut problem = Problem::new(422, "invalid", "Not valid", "Two fields are wrong.");
    problem.errors = [("price".to_owned(), "A price is 1 cent or more.".to_owned())].into();
    error.set(Some(ClientError::Problem(Box::new(problem))));
    leptos::task::tick().await;
    assert_eq!(text(&place, "[role=alert] p:first-child"), "Two fields are wrong.");
    assert_eq!(text(&place, "[role=alert] p:last-child"), "A price is 1 cent or more.");
    error.set(None);
    leptos::task::tick().await;
    assert_eq!(text(&place, "[role=alert]"), "");
}

#[wasm_bindgen_test]
async fn a_chart_has_a_line_for_each_way_that_goes_on() {
    let owner = Owner::new();
    let lines = owner.with(|| RwSignal::new(vec![Vec::new(), Vec::new()]));
    let place = mounted(move || view! { <Chart lines=lines /> });
    let path = |way: u32| attribute(&place, &format!(".way-{way}"), "d").unwrap();
    assert_eq!((path(0), path(1)), (String::new(), String::new()));
    lines.update(|lines| lines[1] = (0..3).map(|at| Point { at, ms: 40.0 }).collect());
    leptos::task::tick().await;
    assert_eq!(path(0), "");
    assert!(path(1).starts_with('M') && path(1).contains('L'), "{}", path(1));
    assert!(text(&place, "svg").contains("ms"), "{}", place.inner_html());
}

#[wasm_bindgen_test]
async fn more_users_have_more_tools_and_a_larger_bill() {
    let place = mounted(|| view! { <Calculator /> });
    let month = || {
        let amount = text(&place, ".bill tfoot td");
        amount.trim_start_matches('$').parse::<f64>().unwrap()
    };
    let few = month();
    assert!(!text(&place, ".bill caption").contains("queue"), "{}", text(&place, ".bill caption"));
    let users: web_sys::HtmlInputElement = find(&place, "input[type=range]").unchecked_into();
    users.set_value("100");
    users.dispatch_event(&web_sys::Event::new("input").unwrap()).unwrap();
    leptos::task::tick().await;
    assert_eq!(text(&place, "label output").trim(), "1,000,000");
    assert!(text(&place, ".bill caption").contains("queue"), "{}", text(&place, ".bill caption"));
    assert!(month() > 2.0 * few, "{} and {few}", month());
    assert_eq!(users.get_attribute("aria-valuetext").as_deref().map(str::trim), Some("1,000,000"));
}
