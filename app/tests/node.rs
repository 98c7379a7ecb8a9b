//! What the browser runs, where there is no page: a component's loading as wasm
//! in Node, and the head's script beside the code that it must agree with.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "helpers of tests: clippy knows none outside of #[test]")]

use std::cell::RefCell;
use std::rc::Rc;

use any_spawner::Executor;
use futures::channel::oneshot;
use js_sys::futures::JsFuture;
use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use tidewall_api::format;
use tidewall_app::client::ClientError;
use tidewall_app::loader::{Loaded, Loader};
use tidewall_app::query::ProductQuery;
use tidewall_app::{paths, preload};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::AbortSignal;

/// The head's script, run on the page at `path` with the query `search`.
struct Head {
    /// What it has fetched: the URL and the fields sent along.
    fetched: Vec<(String, String)>,
    window: Object,
    /// The clock's time, in its only place.
    now: Array,
}

impl Head {
    fn run(path: &str, search: &str, is_marked: bool) -> Self {
        let location =
            JSON::parse(&serde_json::json!({ "pathname": path, "search": search }).to_string()).unwrap();
        let (calls, window, now) = (Array::new(), Object::new(), Array::of(&[0.into()]));
        // It answers with the URL that it was asked for.
        let fetch = made(
            "calls",
            "return (url, init) => { calls.push([url, JSON.stringify(init)]); return Promise.resolve(url); };",
            &calls,
        );
        let storage = made(
            "mark",
            "return { getItem: (key) => key === 'tidewall-logged-in' ? mark : null };",
            &if is_marked { "1".into() } else { JsValue::NULL },
        );
        let clock = made("now", "return { now: () => now[0] };", &now);
        let script =
            Function::new_with_args("location, window, fetch, localStorage, performance", &preload::script());
        let given = Array::of(&[location, window.clone().into(), fetch, storage, clock]);
        script.apply(&JsValue::UNDEFINED, &given).unwrap();
        let text = |value: JsValue| value.as_string().unwrap();
        let fetched = calls.iter().map(|call| {
            let call: Array = call.unchecked_into();
            (text(call.get(0)), text(call.get(1)))
        });
        Self { fetched: fetched.collect(), window, now }
    }

    /// What somebody gets who asks the script for the answer to `url`.
    fn take(&self, url: &str) -> JsValue {
        let take = Reflect::get(&self.window, &"takePreloaded".into()).unwrap();
        take.unchecked_into::<Function>().call1(&JsValue::UNDEFINED, &url.into()).unwrap()
    }
}

/// What a function with that body makes of `value`.
fn made(name: &str, body: &str, value: &JsValue) -> JsValue {
    Function::new_with_args(name, body).call1(&JsValue::UNDEFINED, value).unwrap()
}

/// What the head's script asks for there.
fn all_preloaded(path: &str, search: &str, is_marked: bool) -> Vec<String> {
    let fetched = Head::run(path, search, is_marked).fetched.into_iter();
    fetched
        .map(|(url, fields)| {
            assert_eq!(fields, r#"{"headers":{"tidewall-api-version":"1"}}"#);
            url
        })
        .collect()
}

/// The same for a guest.
fn preloaded(path: &str, search: &str) -> Option<String> {
    let mut all = all_preloaded(path, search, false);
    assert!(all.len() < 2, "one page has one first answer");
    all.pop()
}

/// What the app asks for there.
fn fetched(path: &str, search: &str) -> Option<String> {
    match path {
        paths::LIST => Some(ProductQuery::parse(search).api_path()),
        _ => path.strip_prefix("/products/").and_then(paths::product_id).map(paths::product_api),
    }
}

#[wasm_bindgen_test]
fn the_head_asks_for_the_very_list_that_the_app_fetches() {
    for search in [
        "",
        "?",
        "?category=Kitchen",
        "?sort=price_desc&page=2&q=lamp&category=Home+%26+Garden",
        "?category=Home%20%26%20Garden",
        "?q=caf%C3%A9&utm_source=mail",
        "?q=%FF%C3",
        "?q=a+b%2Bc*d-e.f_g~h!i'j(k)l",
        "?q=a&q=b",
        "?q=&q=b",
        "?q=%00%0A",
        "??q=a",
        "?q=a%",
        "?page=1",
        "?page=0",
        "?page=02",
        "?page=+2",
        "?page=%2B2",
        "?page=2.0",
        "?page=2e1",
        "?page=10000",
        "?page=10001",
        "?page=99999999999999999999",
        "?sort=id",
        "?sort=name",
        "?sort=price",
        "?sort=newest",
        "?sort=PRICE",
        "?sort=toString",
    ] {
        assert_eq!(preloaded("/", search), fetched("/", search), "{search}");
    }
}

#[wasm_bindgen_test]
fn the_head_asks_for_the_very_product_that_the_app_fetches() {
    for segment in [
        "42",
        "0",
        "042",
        "-1",
        "4x",
        "",
        "42/",
        "_id",
        "999999999999999999",
        "1000000000000000000",
        "%34%32",
    ] {
        let path = format!("/products/{segment}");
        assert_eq!(preloaded(&path, "?q=a"), fetched(&path, "?q=a"), "{path}");
    }
    assert_eq!(preloaded("/products", ""), None);
    assert_eq!(preloaded("/nothing", ""), None);
}

#[wasm_bindgen_test]
fn the_head_asks_who_is_logged_in_and_for_their_cart_and_orders() {
    let own = [paths::ME_API, paths::CART_API];
    assert_eq!(all_preloaded("/login", "", true), own);
    assert_eq!(all_preloaded("/", "", true), ["/api/products", own[0], own[1]]);
    for (search, page) in [("", 1), ("?page=3", 3), ("?placed=7", 1), ("?page=0", 1), ("?page=x", 1)] {
        let orders = paths::orders_api(page);
        assert_eq!(all_preloaded("/orders", search, true), [own[0], own[1], &orders], "{search}");
    }
    assert_eq!(preloaded("/orders", ""), None);
}

#[wasm_bindgen_test]
async fn the_heads_answer_is_for_who_asks_first_and_for_the_same() {
    let head = Head::run("/products/42", "", false);
    assert!(head.take("/api/products").is_undefined());
    let answer: Promise = head.take("/api/products/42").unchecked_into();
    assert_eq!(JsFuture::from(answer).await.unwrap().as_string().as_deref(), Some("/api/products/42"));
    assert!(head.take("/api/products/42").is_undefined());

    for (age, is_there) in [(10_000, true), (10_001, false)] {
        let head = Head::run("/products/42", "", false);
        JsFuture::from(Promise::resolve(&JsValue::NULL)).await.unwrap();
        head.now.set(0, age.into());
        assert_eq!(!head.take("/api/products/42").is_undefined(), is_there, "{age} ms after it has come");
    }
    let head = Head::run("/products/42", "", false);
    head.now.set(0, 60_000.into());
    assert!(!head.take("/api/products/42").is_undefined(), "it is on its way");
}

#[wasm_bindgen_test]
fn sixty_four_bits_of_cents_are_exact() {
    assert_eq!(format::price(9_007_199_254_740_993), "$90,071,992,547,409.93");
}

/// A request that the test answers.
struct Request {
    question: &'static str,
    signal: AbortSignal,
    answer: oneshot::Sender<Result<&'static str, ClientError>>,
}

/// A mounted component that loads what `question` says.
struct Mounted {
    owner: Owner,
    question: RwSignal<&'static str>,
    loader: Loader<&'static str>,
    requests: Rc<RefCell<Vec<Request>>>,
}

impl Mounted {
    /// Begins with the question `a`; to `known` it already has the answer `old`.
    async fn new(known: &'static str) -> Self {
        // Refused but for the first test: the executor is there then.
        let _ = Executor::init_wasm_bindgen();
        let owner = Owner::new();
        let requests = Rc::<RefCell<Vec<Request>>>::default();
        let question = owner.with(|| RwSignal::new("a"));
        let loader = owner.with(|| {
            let requests = Rc::clone(&requests);
            Loader::new(
                move || question.get(),
                move |question| (*question == known).then_some("old"),
                move |question, signal| {
                    let (answer, answered) = oneshot::channel();
                    requests.borrow_mut().push(Request { question, signal, answer });
                    async move { answered.await.unwrap_or(Err(ClientError::Network)) }
                },
            )
        });
        let mounted = Self { owner, question, loader, requests };
        mounted.settle().await;
        mounted
    }

    /// Lets effects run, and then the requests that they have begun.
    async fn settle(&self) {
        for _ in 0..4 {
            leptos::task::tick().await;
        }
    }

    async fn ask(&self, question: &'static str) {
        self.question.set(question);
        self.settle().await;
    }

    /// Answers the oldest request.
    async fn answer(&self, answer: Result<&'static str, ClientError>) {
        // The asker of a superseded request may be gone.
        let _ = self.requests.borrow_mut().remove(0).answer.send(answer);
        self.settle().await;
    }

    fn asked(&self) -> Vec<(&'static str, bool)> {
        self.requests.borrow().iter().map(|request| (request.question, request.signal.aborted())).collect()
    }

    fn check(&self, shown: Loaded<&'static str>, busy: bool) {
        let found = untrack(|| (self.loader.get(), self.loader.busy()));
        assert_eq!(found, (shown, busy));
    }
}

#[wasm_bindgen_test]
async fn an_answer_is_awaited_and_shown() {
    let mounted = Mounted::new("").await;
    mounted.check(Loaded::Pending, true);
    mounted.answer(Ok("of a")).await;
    mounted.check(Loaded::Ready("of a"), false);
}

#[wasm_bindgen_test]
async fn a_newer_question_aborts_the_older_and_its_answer_is_not_shown() {
    let mounted = Mounted::new("").await;
    mounted.ask("b").await;
    assert_eq!(mounted.asked(), [("a", true), ("b", false)]);
    mounted.answer(Ok("of a")).await;
    mounted.check(Loaded::Pending, true);
    mounted.answer(Ok("of b")).await;
    mounted.check(Loaded::Ready("of b"), false);
}

#[wasm_bindgen_test]
async fn the_last_answer_stays_until_the_next() {
    let mounted = Mounted::new("").await;
    mounted.answer(Ok("of a")).await;
    mounted.ask("b").await;
    mounted.check(Loaded::Ready("of a"), true);
}

#[wasm_bindgen_test]
async fn a_known_answer_is_shown_while_it_is_asked_for_again() {
    let mounted = Mounted::new("b").await;
    mounted.answer(Ok("of a")).await;
    mounted.ask("b").await;
    mounted.check(Loaded::Ready("old"), false);
    mounted.answer(Ok("of b")).await;
    mounted.check(Loaded::Ready("of b"), false);
}

#[wasm_bindgen_test]
async fn a_retry_asks_the_same_again() {
    let mounted = Mounted::new("").await;
    mounted.answer(Err(ClientError::Network)).await;
    mounted.check(Loaded::Failed(ClientError::Network), false);
    mounted.loader.retry();
    mounted.settle().await;
    mounted.check(Loaded::Pending, true);
    assert_eq!(mounted.asked(), [("a", false)]);
}

#[wasm_bindgen_test]
async fn a_page_that_is_left_aborts_its_request() {
    let mounted = Mounted::new("").await;
    mounted.owner.cleanup();
    assert_eq!(mounted.asked(), [("a", true)]);
}
