//! The shop's API as typed calls.

mod call;
mod error;
mod renewal;

use gloo::net::http::{Method, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidewall_api::account::{Credentials, SignedIn, User};
use tidewall_api::advice::Report;
use tidewall_api::api_version::API_VERSION;
use tidewall_api::cart::{Cart, CartQuantity};
use tidewall_api::headers::{TIDEWALL_API_VERSION, TIDEWALL_BOOKMARK};
use tidewall_api::job::{Job, ReportRequest};
use tidewall_api::lab::Lab;
use tidewall_api::manifest::{BUILD_PATH, PREDECESSOR};
use tidewall_api::ops::{Jobs, Overview, QueueView};
use tidewall_api::order::{NewOrder, Order, OrderPage};
use tidewall_api::product::{Product, ProductPage};
use web_sys::{AbortSignal, RequestCache, RequestCredentials};

use crate::query::ProductQuery;
use crate::{paths, preload};
use call::{Answer, Call, get, private, public, read};
pub use error::ClientError;
pub use renewal::when_logged_out;

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
    if let Some(bookmark) = call::bookmark() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_name_its_content_before() {
        assert_eq!(before("</assets/a.1.js>; rel=\"predecessor-version\""), Some("/assets/a.1.js"));
        assert_eq!(before("</assets/a.1.js>; rel=\"preload\""), None);
        assert_eq!(before(""), None);
    }
}
