//! The shop's API as typed calls.

use gloo::net::http::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tidewall_api::api_version::API_VERSION;
use tidewall_api::headers::TIDEWALL_API_VERSION;
use tidewall_api::manifest::BUILD_PATH;
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductPage};
use web_sys::{AbortSignal, RequestCache};

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

async fn get<T: DeserializeOwned>(path: &str, signal: &AbortSignal) -> Result<T, ClientError> {
    let mut answer = match preload::take(path).await {
        Some(Ok(response)) => receive(response.into()).await?,
        Some(Err(_)) => return Err(ClientError::Network),
        None => fetch(path, signal, RequestCache::Default).await?,
    };
    if skew(API_VERSION, answer.version.as_deref()) == Skew::AnswerIsOlder {
        // Most likely a copy from before a deploy; what it is a copy of isn't.
        answer = fetch(path, signal, RequestCache::Reload).await?;
    }
    read(&answer, API_VERSION)
}

async fn fetch(path: &str, signal: &AbortSignal, cache: RequestCache) -> Result<Answer, ClientError> {
    let request = Request::get(path)
        .header(TIDEWALL_API_VERSION, &API_VERSION.to_string())
        .cache(cache)
        .abort_signal(Some(signal));
    receive(request.send().await.map_err(|_| ClientError::Network)?).await
}

async fn receive(response: Response) -> Result<Answer, ClientError> {
    let (status, version) = (response.status(), response.headers().get(TIDEWALL_API_VERSION));
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

    #[test]
    fn only_a_missing_thing_is_not_found() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        assert!(problem(404).is_not_found());
        assert!(!problem(503).is_not_found());
        assert!(!ClientError::Status(404).is_not_found());
    }
}
