//! A statement on a connection of its own, and on one that was kept.

use axum::Json;
use axum::extract::State;
use tidewall_api::lab::Took;
use tidewall_api::problem::Problem;
use tokio::time::Instant;

use super::stack::connect;
use super::{Lab, nothing};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::path::Path;

/// What is asked: a lookup.
const LOOKUP: &str = "SELECT name FROM products WHERE id = $1";

/// Looks something up.
#[utoipa::path(post, path = "/api/lab/pool/{how}", tag = "lab",
    params(("how" = String, Path, description = "`connect` or `pool`")),
    responses(
        (status = 200, description = "What it took", body = Took),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "Neither", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(lab): State<Lab>,
    _: Staff,
    Path(how): Path<String>,
) -> Result<Json<Took>, ApiError> {
    let on = lab.on()?;
    let id = fastrand::i64(1..=1_000);
    let begun = Instant::now();
    match how.as_str() {
        "pool" => {
            lab.shop.db.writer().await?.query_opt(LOOKUP, &[&id]).await?;
        }
        "connect" => {
            // A bound on what is done to the server.
            let _permit = on.connections.acquire().await.map_err(ApiError::internal)?;
            let client = connect(&on.stack.read().await?.primary).await?;
            client.query_opt(LOOKUP, &[&id]).await.map_err(ApiError::internal)?;
        }
        _ => return Err(nothing()),
    }
    Ok(Json(Took { ms: begun.elapsed().as_secs_f64() * 1_000.0 }))
}
