//! A write, and the read that comes after it.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use tidewall_api::lab::{LAG_LEASE_S, LAG_MS_MAX, Lag, ReadBack, ReadFrom};
use tidewall_api::problem::Problem;
use tokio::time::Instant;

use super::{Lab, lag, named, storage};
use crate::db::{Position, Written};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::path::Path;

/// Writes, and reads what was written.
#[utoipa::path(post, path = "/api/lab/replicas/{from}", tag = "lab",
    params(("from" = String, Path, description = "`eventual`, `primary` or `bookmark`")),
    responses(
        (status = 200, description = "What was read", body = ReadBack),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "None of them", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn read_back(
    State(lab): State<Lab>,
    _: Staff,
    Path(from): Path<String>,
) -> Result<Answer<ReadBack>, ApiError> {
    let (_, tables) = lab.prepared().await?;
    let from = named(&from)?;
    let db = &lab.shop.db;
    let id = fastrand::i64(0..storage::COUNTERS);
    let written = db.write(async |transaction| storage::count(transaction, id).await);
    let Written { value: count, position } = written.await?;
    let begun = Instant::now();
    let (read, by_primary) = match from {
        ReadFrom::Primary => (storage::counted(&*db.writer().await?, id).await?, true),
        ReadFrom::Eventual | ReadFrom::Bookmark => {
            let bookmark = if from == ReadFrom::Bookmark { position } else { tables };
            let (read, position) =
                db.read_with(bookmark, |connection| Box::pin(storage::counted(connection, id))).await?;
            (read, matches!(position, Position::Primary))
        }
    };
    let ms = begun.elapsed().as_secs_f64() * 1_000.0;
    Ok(Answer(ReadBack { is_stale: read < count, by_primary, ms }))
}

/// Holds all replicas back for a while; asked for again, for a while more.
#[utoipa::path(put, path = "/api/lab/lag", tag = "lab", request_body = Lag,
    responses(
        (status = 204, description = "They are"),
        (status = 400, description = "The body can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "The replicas are somebody else's", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn hold_back(
    State(lab): State<Lab>,
    _: Staff,
    Json(Lag { milliseconds }): Json<Lag>,
) -> Result<StatusCode, ApiError> {
    let (on, _) = lab.prepared().await?;
    if milliseconds > LAG_MS_MAX {
        return Err(ApiError::invalid("milliseconds", format!("is more than {LAG_MS_MAX}")));
    }
    if !on.lags {
        return Err(ApiError::Conflict {
            slug: "foreign-replicas",
            title: "Not our replicas",
            detail: "These replicas run without `tidewall dev`, which leaves their settings alone."
                .to_owned(),
            errors: Default::default(),
        });
    }
    // The lease first, by itself: what follows is undone, whoever is lost in between.
    let seconds = if milliseconds == 0 { 0 } else { LAG_LEASE_S };
    lab.shop.db.write(async |transaction| storage::extend_lag(transaction, seconds).await).await?;
    let held = lab.shop.db.write(async |transaction| {
        storage::extend_lag(transaction, seconds).await?;
        lag::hold(&on.stack, milliseconds).await
    });
    held.await?;
    Ok(StatusCode::NO_CONTENT)
}
