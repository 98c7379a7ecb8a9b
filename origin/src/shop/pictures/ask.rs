//! POST `/api/products/{id}/image`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use tidewall_api::job::Job;
use tidewall_api::problem::Problem;

use super::make::{PictureHandler, Upload};
use super::storage;
use crate::db::Written;
use crate::http::accounts::Staff;
use crate::http::body::{Incoming, essence};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::position;
use crate::queue::NewJob;
use crate::shop::products::{parse_id, unknown_product};
use crate::shop::{Shop, uploads};

/// Largest picture: what a phone takes, and no more.
pub(super) const PICTURE_BYTES_MAX: usize = 10 * 1024 * 1024;

const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
const TYPES_EXPECTED: &str =
    "Send the picture as PNG, JPEG or WebP, with `Content-Type: image/png`, `image/jpeg` or `image/webp`.";

/// Gives a product a picture. The sizes that are shown are made in the background; if the
/// picture can't be read, the job says so.
#[utoipa::path(post, path = "/api/products/{id}/image", tag = "products",
    params(("id" = i64, Path, description = "The product")),
    request_body(content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp")),
        description = "The picture, at most 10 MiB"),
    responses(
        (status = 202, description = "Will be made; `Location` names the job", body = Job),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, or sent by another site's page", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "It stopped coming", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Another type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(shop): State<Shop>,
    Staff(claims): Staff,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let incoming = Incoming::upload(&head, body, PICTURE_BYTES_MAX);
    if !TYPES.contains(&essence(&head.headers).as_str()) {
        return Err(ApiError::MediaType(TYPES_EXPECTED));
    }
    incoming.refuse_if_too_large()?;
    let product = known(&shop, &id).await?;
    let file = uploads::keep(&shop.files, incoming, None).await?.file;
    let job = NewJob::of::<PictureHandler>(&Upload { product, file }).map_err(ApiError::internal)?;
    let job = job.owned_by(claims.user.id);
    let asked = shop.db.write(async |transaction| shop.jobs.queue.enqueue(transaction, &job).await);
    let Written { value: enqueued, position } = asked.await?;
    let mut response = shop.jobs.accepted(enqueued.job)?.into_response();
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// The product that a path names, if there is one.
async fn known(shop: &Shop, id: &str) -> Result<i64, ApiError> {
    let id = parse_id(id)?;
    let connection = shop.db.writer().await?;
    if storage::exists(&connection, id).await? { Ok(id) } else { Err(unknown_product()) }
}
