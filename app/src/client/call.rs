//! How a call is sent, and what its answer says.

use std::cell::Cell;

use gloo::net::http::{Method, Request, RequestBuilder, Response};
use js_sys::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidewall_api::api_version::API_VERSION;
use tidewall_api::headers::{IDEMPOTENCY_KEY, TIDEWALL_API_VERSION, TIDEWALL_BOOKMARK};
use tidewall_api::problem::Problem;
use web_sys::{AbortSignal, RequestCache};

use super::error::ClientError;
use super::renewal::{self, Renewal, renew};
use crate::bookmarks::Bookmarks;
use crate::preload;
use crate::skew::{Skew, skew};

/// The problem of a page that is older than the API.
const CLIENT_OUTDATED: &str = "/problems/client-outdated";

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its `Tidewall-Api-Version`.
    pub(super) version: Option<String>,
    pub(super) body: String,
}

/// What is sent.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    /// JSON.
    pub(super) body: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) signal: Option<AbortSignal>,
    pub(super) cache: RequestCache,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            idempotency_key: None,
            signal: None,
            cache: RequestCache::Default,
        }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn with_body(method: Method, path: impl Into<String>, body: &impl Serialize) -> Self {
        // What is sent here can be written as JSON.
        Self { body: serde_json::to_string(body).ok(), ..Self::new(method, path) }
    }

    pub(super) async fn send(self) -> Result<Answer, ClientError> {
        let mut request = RequestBuilder::new(&self.path)
            .method(self.method)
            .header(TIDEWALL_API_VERSION, &API_VERSION.to_string())
            .cache(self.cache)
            .abort_signal(self.signal.as_ref());
        if let Some(bookmark) = bookmark() {
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

thread_local! {
    /// What answers brought so far.
    static SEEN: Cell<Bookmarks> = Cell::default();
}

/// What a request brings along, so that nobody misses what they have seen.
pub(super) fn bookmark() -> Option<String> {
    SEEN.get().brought(Date::now())
}

/// For everybody.
pub(super) async fn public<T: DeserializeOwned>(call: Call) -> Result<T, ClientError> {
    read(&call.send().await?, API_VERSION)
}

/// For who is logged in. A session's token is short-lived: where it is over it is renewed, once.
pub(super) async fn private<T: DeserializeOwned>(call: Call) -> Result<T, ClientError> {
    let answer = first(call.clone()).await?;
    if answer.status != 401 {
        return read(&answer, API_VERSION);
    }
    match renew().await {
        Renewal::Renewed => public(call).await,
        Renewal::Over => {
            renewal::tell_that_it_is_over();
            read(&answer, API_VERSION)
        }
        Renewal::Failed => Err(ClientError::Network),
    }
}

pub(super) async fn get<T: DeserializeOwned>(path: &str, signal: &AbortSignal) -> Result<T, ClientError> {
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
pub(super) fn read<T: DeserializeOwned>(answer: &Answer, own: u32) -> Result<T, ClientError> {
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
}
