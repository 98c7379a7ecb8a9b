//! The shop's API as typed calls.

use gloo::net::http::Request;
use serde::de::DeserializeOwned;
use tidewall_api::problem::Problem;
use tidewall_api::product::{Product, ProductPage};
use web_sys::AbortSignal;

use crate::paths;
use crate::query::ProductQuery;

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
    /// An answer of another version, most likely.
    #[error(
        "The shop sent something this page does not understand. Reload the page to get its newest version."
    )]
    Decode,
}

impl ClientError {
    /// In a few words; the message has the rest.
    pub fn title(&self) -> &str {
        match self {
            Self::Problem(problem) => &problem.title,
            Self::Status(_) => "Something went wrong",
            Self::Network => "No connection",
            Self::Decode => "This page is out of date",
        }
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

async fn get<T: DeserializeOwned>(path: &str, signal: &AbortSignal) -> Result<T, ClientError> {
    let request = Request::get(path).abort_signal(Some(signal));
    let response = request.send().await.map_err(|_| ClientError::Network)?;
    let body = response.text().await.map_err(|_| ClientError::Network)?;
    read(response.status(), &body)
}

fn read<T: DeserializeOwned>(status: u16, body: &str) -> Result<T, ClientError> {
    if (200..300).contains(&status) {
        return serde_json::from_str(body).map_err(|_| ClientError::Decode);
    }
    match serde_json::from_str(body) {
        Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
        Err(_) => Err(ClientError::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: Result<u32, (&str, &str)>) {
        let answer = read::<u32>(status, body);
        let found = answer.as_ref().map(|number| *number).map_err(|error| (error.title(), error.to_string()));
        assert_eq!(found, expected.map_err(|(title, detail)| (title, detail.to_owned())), "{status} {body}");
    }

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
        let detail = "The shop sent something this page does not understand. Reload the page to get its newest version.";
        check(200, "{}", Err(("This page is out of date", detail)));
    }

    #[test]
    fn only_a_missing_thing_is_not_found() {
        let problem = |status| ClientError::Problem(Box::new(Problem::new(status, "x", "x", "x")));
        assert!(problem(404).is_not_found());
        assert!(!problem(503).is_not_found());
        assert!(!ClientError::Status(404).is_not_found());
    }
}
