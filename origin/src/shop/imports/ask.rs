//! POST `/api/imports`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use tidewall_api::job::Job;
use tidewall_api::problem::Problem;

use super::make::{Import, ImportHandler};
use super::table::Table;
use crate::db::{Transaction, Written};
use crate::http::accounts::Staff;
use crate::http::body::{Incoming, essence};
use crate::http::error::ApiError;
use crate::http::idempotency::IdempotencyKey;
use crate::http::position;
use crate::queue::NewJob;
use crate::shop::Shop;
use crate::shop::uploads::{self, Glance};

/// Largest table: some hundred thousand products.
pub(super) const TABLE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Longest first line that is looked at.
const HEADER_BYTES_MAX: usize = 4 * 1024;

const TYPE: &str = "text/csv";
const TYPE_EXPECTED: &str = "Send the table as CSV, with `Content-Type: text/csv`.";

/// Adds products from a table, in the background. Its first line names the columns `name`,
/// `category`, `price_cents`, `stock` and `description`, in any order. The result is a CSV that
/// says of each line which product it became, or what is wrong with which column. Under the
/// same `Idempotency-Key` that is done once.
#[utoipa::path(post, path = "/api/imports", tag = "products",
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this import")),
    request_body(content = String, content_type = "text/csv", description = "The table, at most 10 MiB"),
    responses(
        (status = 202, description = "Will be done; `Location` names the job", body = Job),
        (status = 400, description = "Can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, or sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 408, description = "It stopped coming", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The first line doesn't name the columns", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(shop): State<Shop>,
    Staff(claims): Staff,
    key: IdempotencyKey,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let incoming = Incoming::upload(&head, body, TABLE_BYTES_MAX);
    if essence(&head.headers) != TYPE {
        return Err(ApiError::MediaType(TYPE_EXPECTED));
    }
    incoming.refuse_if_too_large()?;
    let glance = Glance { bytes_max: HEADER_BYTES_MAX, check: first_line };
    let kept = uploads::keep(&shop.files, incoming, Some(glance)).await?;
    let user = claims.user.id;
    let job = NewJob::of::<ImportHandler>(&Import { file: kept.file }).map_err(ApiError::internal)?;
    let job = job.owned_by(user);
    let asked = shop.db.write(async |transaction| {
        let enqueue = async |transaction: &Transaction| {
            shop.jobs.accepted(shop.jobs.queue.enqueue(transaction, &job).await?.job)
        };
        // The same table, whatever it is called here.
        key.once(transaction, user, "POST /api/imports", &kept.digest, enqueue).await
    });
    let Written { value: answer, position } = asked.await?;
    let mut response = answer.into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// Whether a table begins as it should: whoever sends another needn't wait for the job.
fn first_line(beginning: &[u8]) -> Result<(), ApiError> {
    Table::open(beginning).map(drop).map_err(|error| ApiError::invalid("header", error.to_string()))
}
