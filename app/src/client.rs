//! The shop's API as typed calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::net::http::{Method, Request, RequestBuilder, Response};
use js_sys::futures::{JsFuture, future_to_promise};
use js_sys::{Date, Function, Promise, Reflect};
use leptos::prelude::window;
use leptos::wasm_bindgen::prelude::Closure;
use leptos::wasm_bindgen::{JsCast, JsValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidewall_api::account::{Credentials, SignedIn, User};
use tidewall_api::advice::Report;
use tidewall_api::api_version::API_VERSION;
use tidewall_api::cart::{Cart, CartQuantity};
use tidewall_api::headers::{IDEMPOTENCY_KEY, TIDEWALL_API_VERSION, TIDEWALL_BOOKMARK};
use tidewall_api::job::{Job, ReportRequest};
use tidewall_api::lab::Lab;
use tidewall_api::manifest::{BUILD_PATH, PREDECESSOR};
use tidewall_api::ops::{Jobs, Overview, QueueView};
use tidewall_api::order::{NewOrder, Order, OrderPage};
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductPage};
use web_sys::{AbortSignal, RequestCache, RequestCredentials};

use crate::bookmarks::Bookmarks;
use crate::query::ProductQuery;
use crate::skew::{Skew, skew};
use crate::{paths, preload};

/// The problem of a page that is older than the API.
const CLIENT_OUTDATED: &str = "/problems/client-outdated";

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The API says why.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Something between here and the API answered in its place.
    #[error("The shop is having trouble (status {0}). Wait a moment, then try again.")]
    Status(u16),
    /// Nothing answered.
    #[error("The shop could not be reached. Check your connection, then try again.")]
    Network,
    /// Its answers are in another form than this page reads: a newer one, most likely.
    #[error(
        "The shop sent something this page does not understand. Reload the page to get its newest version."
    )]
    Outdated,
    /// This page is newer than what answers it.
    #[error("This page is newer than the rest of the shop. Wait a moment, then try again.")]
    Updating,
}

impl ClientError {
    /// In a few words; the message has the rest.
    pub fn title(&self) -> &str {
        match self {
            Self::Problem(problem) => &problem.title,
            Self::Status(_) => "Something went wrong",
            Self::Network => "No connection",
            Self::Outdated => "This page is out of date",
            Self::Updating => "The shop is being updated",
        }
    }

    /// A reload may help, and asking again would not.
    pub fn wants_reload(&self) -> bool {
        *self == Self::Outdated
    }

    /// Nobody is logged in, or no more.
    pub fn is_logged_out(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 401)
    }

    /// It was not done, and would not be the next time either.
    pub fn is_final(&self) -> bool {
        let status = match self {
            Self::Problem(problem) => problem.status,
            _ => return false,
        };
        (400..500).contains(&status) && !matches!(status, 401 | 408 | 429)
    }

    /// What was asked for does not exist; asking again would not help.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }
}

/// One page of a product list.
///
/// # Errors
/// See [`ClientError`]; when aborted by `signal`, any of them.
pub async fn get_products(query: &ProductQuery, signal: &AbortSignal) -> Result<ProductPage, ClientError> {
    get(&query.api_path(), signal).await
}

/// One product.
///
/// # Errors
/// See [`ClientError`]; when aborted by `signal`, any of them.
pub async fn get_product(id: i64, signal: &AbortSignal) -> Result<Product, ClientError> {
    get(&paths::product_api(id), signal).await
}

/// Who is logged in.
///
/// # Errors
/// See [`ClientError`]; nobody is, or no more.
pub async fn get_me() -> Result<User, ClientError> {
    private(Call::get(paths::ME_API)).await
}

/// Makes an account, and logs in.
///
/// # Errors
/// See [`ClientError`].
pub async fn sign_up(credentials: &Credentials) -> Result<User, ClientError> {
    let signed_in: SignedIn = public(Call::with_body(Method::POST, "/api/users", credentials)).await?;
    preload::forget();
    Ok(signed_in.user)
}

/// Logs in.
///
/// # Errors
/// See [`ClientError`].
pub async fn log_in(credentials: &Credentials) -> Result<User, ClientError> {
    let signed_in: SignedIn = public(Call::with_body(Method::POST, "/api/session", credentials)).await?;
    preload::forget();
    Ok(signed_in.user)
}

/// Logs out.
///
/// # Errors
/// See [`ClientError`].
pub async fn log_out() -> Result<(), ClientError> {
    public(Call::new(Method::DELETE, "/api/session")).await
}

/// What is in the reader's cart.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_cart() -> Result<Cart, ClientError> {
    private(Call::get(paths::CART_API)).await
}

/// Has so many of a product in the cart; 0 takes it out.
///
/// # Errors
/// See [`ClientError`].
pub async fn put_in_cart(product: i64, quantity: i32) -> Result<Cart, ClientError> {
    let path = format!("/api/cart/{product}");
    private(Call::with_body(Method::PUT, path, &CartQuantity { quantity })).await
}

/// Orders what is in the cart. `key` names the order: sent again, it is not ordered twice.
///
/// # Errors
/// See [`ClientError`].
pub async fn place_order(key: &str) -> Result<Order, ClientError> {
    let call = Call::with_body(Method::POST, "/api/orders", &NewOrder {});
    private(Call { idempotency_key: Some(key.to_owned()), ..call }).await
}

/// A page of the reader's orders.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_orders(page: u32, signal: &AbortSignal) -> Result<OrderPage, ClientError> {
    let call = Call::get(paths::orders_api(page));
    private(Call { signal: Some(signal.clone()), ..call }).await
}

/// Asks for a report, which a job makes.
///
/// # Errors
/// See [`ClientError`].
pub async fn ask_for_report(report: &ReportRequest) -> Result<Job, ClientError> {
    private(Call::with_body(Method::POST, "/api/reports", report)).await
}

/// A job of the reader's.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_job(id: i64) -> Result<Job, ClientError> {
    private(Call::get(paths::job_api(id))).await
}

/// Stops a job.
///
/// # Errors
/// See [`ClientError`].
pub async fn cancel_job(id: i64) -> Result<Job, ClientError> {
    private(Call::new(Method::DELETE, paths::job_api(id))).await
}

/// Has a job that failed run again.
///
/// # Errors
/// See [`ClientError`].
pub async fn retry_job(id: i64) -> Result<Job, ClientError> {
    private(Call::new(Method::POST, format!("/api/ops/jobs/{id}/retry"))).await
}

/// How servers and edges are.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_overview() -> Result<Overview, ClientError> {
    private(Call::get("/api/ops/overview")).await
}

/// How the queue is.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_queue() -> Result<QueueView, ClientError> {
    private(Call::get("/api/ops/queue")).await
}

/// The newest jobs of anybody.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_jobs() -> Result<Jobs, ClientError> {
    private(Call::get("/api/ops/jobs")).await
}

/// What of the system can be played with.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_lab() -> Result<Lab, ClientError> {
    private(Call::get("/api/lab")).await
}

/// Sends a body, as who is logged in.
///
/// # Errors
/// See [`ClientError`].
pub async fn post<B: Serialize, T: DeserializeOwned>(path: &str, body: &B) -> Result<T, ClientError> {
    private(Call::with_body(Method::POST, path, body)).await
}

/// Puts a body, as who is logged in.
///
/// # Errors
/// See [`ClientError`].
pub async fn put<B: Serialize, T: DeserializeOwned>(path: &str, body: &B) -> Result<T, ClientError> {
    private(Call::with_body(Method::PUT, path, body)).await
}

/// An answer as anybody would get it, who has not logged in and written nothing; and whether a cache
/// had it (`Cache-Status`, RFC 9211).
///
/// # Errors
/// See [`ClientError`].
pub async fn get_as_anybody<T: DeserializeOwned>(path: &str) -> Result<(T, bool), ClientError> {
    let request = Request::get(path).credentials(RequestCredentials::Omit);
    let response = request.send().await.map_err(|_| ClientError::Network)?;
    let is_hit = response.headers().get("cache-status").is_some_and(|status| status.contains("; hit"));
    let (status, version) = (response.status(), response.headers().get(TIDEWALL_API_VERSION));
    let body = response.text().await.map_err(|_| ClientError::Network)?;
    Ok((read(&Answer { status, version, body }, API_VERSION)?, is_hit))
}

/// What the advisor says of this system; it looks for a few seconds.
///
/// # Errors
/// See [`ClientError`].
pub async fn get_advice() -> Result<Report, ClientError> {
    private(Call::get("/api/ops/advice")).await
}

/// What the edge did with a request for a path (`Cache-Status`), as this reader makes it.
pub async fn cache_status(path: &str) -> Option<String> {
    let mut request = Request::get(path);
    if let Some(bookmark) = SEEN.get().brought(Date::now()) {
        request = request.header(TIDEWALL_BOOKMARK, &bookmark);
    }
    request.send().await.ok()?.headers().get("cache-status")
}

/// Fetches a file of the site, and leaves it; the path of its content before, where the site has that
/// (RFC 5829, section 3.5).
///
/// # Errors
/// See [`ClientError`].
pub async fn fetch_file(path: &str, cache: RequestCache) -> Result<Option<String>, ClientError> {
    let response = Request::get(path).cache(cache).send().await.map_err(|_| ClientError::Network)?;
    // To the end, or it isn't kept.
    response.binary().await.map_err(|_| ClientError::Network)?;
    if !response.ok() {
        return Err(ClientError::Status(response.status()));
    }
    Ok(response.headers().get("link").and_then(|link| before(&link).map(str::to_owned)))
}

/// Where a file's content before is, by the file's `Link`.
fn before(link: &str) -> Option<&str> {
    link.strip_prefix('<')?.strip_suffix(PREDECESSOR)
}

/// The build of the site that is served now; `None` where nobody says.
pub async fn get_build() -> Option<String> {
    #[derive(Deserialize)]
    struct Served {
        build: String,
    }
    let response = Request::get(BUILD_PATH).send().await.ok()?;
    let body = if response.ok() { response.text().await.ok()? } else { return None };
    serde_json::from_str(&body).ok().map(|Served { build }| build)
}

/// What was answered.
struct Answer {
    status: u16,
    /// Its `Tidewall-Api-Version`.
    version: Option<String>,
    body: String,
}

/// What is sent.
#[derive(Clone)]
struct Call {
    method: Method,
    path: String,
    /// JSON.
    body: Option<String>,
    idempotency_key: Option<String>,
    signal: Option<AbortSignal>,
    cache: RequestCache,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            idempotency_key: None,
            signal: None,
            cache: RequestCache::Default,
        }
    }

    fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    fn with_body(method: Method, path: impl Into<String>, body: &impl Serialize) -> Self {
        // What is sent here can be written as JSON.
        Self { body: serde_json::to_string(body).ok(), ..Self::new(method, path) }
    }

    async fn send(self) -> Result<Answer, ClientError> {
        let mut request = RequestBuilder::new(&self.path)
            .method(self.method)
            .header(TIDEWALL_API_VERSION, &API_VERSION.to_string())
            .cache(self.cache)
            .abort_signal(self.signal.as_ref());
        if let Some(bookmark) = SEEN.get().brought(Date::now()) {
            request = request.header(TIDEWALL_BOOKMARK, &bookmark);
        }
        if let Some(key) = self.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, &key);
        }
        let request = match self.body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request.build(),
        };
        // Fails before it is sent only where a header can't be one.
        let request: Request = request.map_err(|_| ClientError::Network)?;
        receive(request.send().await.map_err(|_| ClientError::Network)?).await
    }
}

/// Calls `told` when a session turns out to be over.
pub fn when_logged_out(told: impl Fn() + 'static) {
    LOGGED_OUT.set(Some(Rc::new(told)));
}

thread_local! {
    /// Who is to know that a session is over.
    static LOGGED_OUT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    /// What answers brought so far.
    static SEEN: Cell<Bookmarks> = Cell::default();
    /// A session that is being renewed.
    static RENEWAL: RefCell<Option<Promise>> = const { RefCell::new(None) };
}

/// For everybody.
async fn public<T: DeserializeOwned>(call: Call) -> Result<T, ClientError> {
    read(&call.send().await?, API_VERSION)
}

/// For who is logged in. A session's token is short-lived: where it is over it is renewed, once.
async fn private<T: DeserializeOwned>(call: Call) -> Result<T, ClientError> {
    let answer = first(call.clone()).await?;
    if answer.status != 401 {
        return read(&answer, API_VERSION);
    }
    match renew().await {
        Renewal::Renewed => public(call).await,
        Renewal::Over => {
            if let Some(told) = LOGGED_OUT.with_borrow(Clone::clone) {
                told();
            }
            read(&answer, API_VERSION)
        }
        Renewal::Failed => Err(ClientError::Network),
    }
}

/// What became of a session whose token was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    /// There is a new one.
    Renewed,
    /// It has ended.
    Over,
    /// That can't be said now.
    Failed,
}

impl Renewal {
    /// By the status of an answer; none: there was none.
    fn of(status: Option<u16>) -> Self {
        match status {
            Some(200) => Self::Renewed,
            Some(401 | 403) => Self::Over,
            _ => Self::Failed,
        }
    }
}

/// The name under which one of a browser's tabs renews the session.
const RENEWAL_LOCK: &str = "tidewall-renewal";

/// Renews the session; of several who ask at a time one does, in whichever tab, since a refresh token
/// works once.
async fn renew() -> Renewal {
    let renewal = RENEWAL.with_borrow_mut(|renewal| {
        let begin = || {
            future_to_promise(async {
                let renewed = JsFuture::from(alone(|| future_to_promise(renew_now()))).await;
                RENEWAL.with_borrow_mut(|renewal| *renewal = None);
                renewed
            })
        };
        renewal.get_or_insert_with(begin).clone()
    });
    let status = JsFuture::from(renewal).await.ok().and_then(|status| status.as_f64());
    Renewal::of(status.map(|status| status as u16))
}

/// The status with which it was renewed, if there was an answer.
async fn renew_now() -> Result<JsValue, JsValue> {
    preload::forget();
    let status = |answer: Result<Answer, ClientError>| answer.ok().map(|answer| answer.status);
    // Another tab may have done it while this one waited for its turn.
    let mut renewed = status(Call::get(paths::ME_API).send().await);
    if renewed == Some(401) {
        renewed = status(Call::new(Method::POST, "/api/session/refresh").send().await);
    }
    Ok(renewed.map_or(JsValue::NULL, |status| JsValue::from_f64(status.into())))
}

/// Does it while no other tab does (Web Locks, section 3). A browser that has no locks does it at once.
fn alone(work: impl FnOnce() -> Promise + 'static) -> Promise {
    let navigator = Reflect::get(&window(), &"navigator".into()).ok();
    let locks = navigator.and_then(|navigator| Reflect::get(&navigator, &"locks".into()).ok());
    let request = locks.as_ref().and_then(|locks| Reflect::get(locks, &"request".into()).ok());
    match (locks, request.and_then(|request| request.dyn_into::<Function>().ok())) {
        (Some(locks), Some(request)) => {
            let work = Closure::once_into_js(move |_lock: JsValue| work());
            let waited = request.call2(&locks, &RENEWAL_LOCK.into(), &work);
            waited.map_or_else(|error| Promise::reject(&error), JsCast::unchecked_into)
        }
        _ => work(),
    }
}

async fn get<T: DeserializeOwned>(path: &str, signal: &AbortSignal) -> Result<T, ClientError> {
    let mut answer = first(Call { signal: Some(signal.clone()), ..Call::get(path) }).await?;
    if skew(API_VERSION, answer.version.as_deref()) == Skew::AnswerIsOlder {
        // Most likely a copy from before a deploy; what it is a copy of isn't.
        let call = Call { signal: Some(signal.clone()), cache: RequestCache::Reload, ..Call::get(path) };
        answer = call.send().await?;
    }
    read(&answer, API_VERSION)
}

/// The answer that the page's head has asked for, if it has; or else one that is asked for now, as
/// when the head's request failed.
async fn first(call: Call) -> Result<Answer, ClientError> {
    if call.method == Method::GET
        && let Some(response) = preload::take(&call.path).await
    {
        return receive(response.into()).await;
    }
    call.send().await
}

async fn receive(response: Response) -> Result<Answer, ClientError> {
    let (status, version) = (response.status(), response.headers().get(TIDEWALL_API_VERSION));
    if let Some(bookmark) = response.headers().get(TIDEWALL_BOOKMARK) {
        let mut seen = SEEN.get();
        seen.saw(&bookmark, Date::now());
        SEEN.set(seen);
    }
    let body = response.text().await.map_err(|_| ClientError::Network)?;
    Ok(Answer { status, version, body })
}

/// What an answer says to a page of the version `own`.
fn read<T: DeserializeOwned>(answer: &Answer, own: u32) -> Result<T, ClientError> {
    let Answer { status, version, body } = answer;
    match skew(own, version.as_deref()) {
        Skew::None => {}
        Skew::PageIsOlder => return Err(ClientError::Outdated),
        Skew::AnswerIsOlder => return Err(ClientError::Updating),
    }
    if (200..300).contains(status) {
        // An answer without a body says that it is done.
        let body = if body.is_empty() { "null" } else { body };
        return serde_json::from_str(body).map_err(|_| ClientError::Outdated);
    }
    match serde_json::from_str::<Problem>(body) {
        Ok(problem) if problem.kind == CLIENT_OUTDATED => Err(ClientError::Outdated),
        Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
        Err(_) => Err(ClientError::Status(*status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a page of version 2 reads of an answer.
    fn check_of(version: Option<&str>, status: u16, body: &str, expected: Result<u32, (&str, &str)>) {
        let answer = Answer { status, version: version.map(str::to_owned), body: body.to_owned() };
        let answer = read::<u32>(&answer, 2);
        let found = answer.as_ref().map(|number| *number).map_err(|error| (error.title(), error.to_string()));
        assert_eq!(
            found,
            expected.map_err(|(title, detail)| (title, detail.to_owned())),
            "{version:?} {status} {body}"
        );
    }

    fn check(status: u16, body: &str, expected: Result<u32, (&str, &str)>) {
        check_of(None, status, body, expected);
        check_of(Some("2"), status, body, expected);
    }

    const OUTDATED: (&str, &str) = (
        "This page is out of date",
        "The shop sent something this page does not understand. Reload the page to get its newest version.",
    );

    #[test]
    fn an_answer_is_read() {
        check(200, "7", Ok(7));
    }

    #[test]
    fn a_file_may_name_its_content_before() {
        assert_eq!(before("</assets/a.1.js>; rel=\"predecessor-version\""), Some("/assets/a.1.js"));
        assert_eq!(before("</assets/a.1.js>; rel=\"preload\""), None);
        assert_eq!(before(""), None);
    }

    #[test]
    fn a_problem_speaks_for_itself() {
        let body =
            serde_json::to_string(&Problem::new(503, "overloaded", "Too busy", "Try in 2 s.")).unwrap();
        check(503, &body, Err(("Too busy", "Try in 2 s.")));
    }

    #[test]
    fn an_error_page_of_a_proxy_is_named_by_its_status() {
        let detail = "The shop is having trouble (status 502). Wait a moment, then try again.";
        check(502, "<h1>Bad gateway</h1>", Err(("Something went wrong", detail)));
    }

    #[test]
    fn an_answer_of_another_shape_asks_for_a_reload() {
        check(200, "{}", Err(OUTDATED));
    }

    #[test]
    fn a_newer_answer_is_not_read_but_asks_for_a_reload() {
        let missing = serde_json::to_string(&Problem::new(404, "not-found", "x", "x")).unwrap();
        for (status, body) in [(200, "7"), (404, missing.as_str()), (502, "")] {
            check_of(Some("3"), status, body, Err(OUTDATED));
        }
    }

    #[test]
    fn a_refusal_to_speak_an_old_version_asks_for_a_reload() {
        let body = serde_json::to_string(&Problem::new(409, "client-outdated", "x", "x")).unwrap();
        check(409, &body, Err(OUTDATED));
        let other = serde_json::to_string(&Problem::new(409, "out-of-stock", "Sold out", "Gone.")).unwrap();
        check(409, &other, Err(("Sold out", "Gone.")));
    }

    #[test]
    fn an_older_answer_is_not_read_but_says_that_an_update_is_under_way() {
        let detail = "This page is newer than the rest of the shop. Wait a moment, then try again.";
        let refused = serde_json::to_string(&Problem::new(409, "server-outdated", "x", "x")).unwrap();
        for (status, body) in [(200, "7"), (409, refused.as_str())] {
            check_of(Some("1"), status, body, Err(("The shop is being updated", detail)));
        }
    }

    #[test]
    fn a_session_is_over_only_where_somebody_says_so() {
        for (status, renewal) in [
            (Some(200), Renewal::Renewed),
            (Some(401), Renewal::Over),
            (Some(403), Renewal::Over),
            (Some(503), Renewal::Failed),
            (Some(429), Renewal::Failed),
            (None, Renewal::Failed),
        ] {
            assert_eq!(Renewal::of(status), renewal, "{status:?}");
        }
    }

    #[test]
    fn what_may_have_been_done_is_not_final() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        for (status, is_final) in [(409, true), (422, true), (429, false), (401, false), (503, false)] {
            assert_eq!(problem(status).is_final(), is_final, "{status}");
        }
        assert!(!ClientError::Network.is_final());
    }

    #[test]
    fn only_a_missing_thing_is_not_found() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        assert!(problem(404).is_not_found());
        assert!(!problem(503).is_not_found());
        assert!(!ClientError::Status(404).is_not_found());
    }
}
