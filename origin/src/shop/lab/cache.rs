//! A calculation, kept in one of four ways.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_LOCATION};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use tidewall_api::lab::{NUMBER_MAX, Reckoned, Strategy};
use tidewall_api::problem::Problem;

use super::{Lab, named, storage};
use crate::db::{Position, Written};
use crate::http::accounts::Staff;
use crate::http::caching::{self, CachePolicy};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::position::ReadAfter;
use crate::http::{conditional, position};
use crate::outbox::Invalidation;

/// Where nothing else ends it.
const TTL: Duration = Duration::from_secs(10);
/// Where the next write does.
const UNTIL_WRITTEN: Duration = Duration::from_secs(300);

/// For how long, and under which name, an answer is kept.
fn policy(strategy: Strategy, number: u32) -> Option<CachePolicy> {
    let kept =
        |max_age, groups| CachePolicy { max_age, stale_while_revalidate: None, stale_if_error: None, groups };
    match strategy {
        Strategy::None => None,
        Strategy::Ttl => Some(kept(TTL, Vec::new())),
        Strategy::Event | Strategy::WriteThrough => Some(kept(UNTIL_WRITTEN, vec![group(strategy, number)])),
    }
}

fn group(strategy: Strategy, number: u32) -> String {
    format!("lab:{}:{number}", strategy.as_str())
}

fn keep(headers: &mut HeaderMap, strategy: Strategy, number: u32) {
    match policy(strategy, number) {
        Some(policy) => policy.apply(headers),
        None => {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// A calculation over all orders. Needs no login: a cache answers everybody alike.
#[utoipa::path(get, path = "/api/lab/cache/{strategy}/{number}", tag = "lab",
    params(
        ("strategy" = String, Path, description = "`none`, `ttl`, `event` or `write-through`"),
        ("number" = u32, Path, description = "Of which part of the orders"),
    ),
    responses(
        (status = 200, description = "What it comes to", body = Reckoned),
        (status = 403, description = "Only where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such strategy", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(lab): State<Lab>,
    ReadAfter(bookmark): ReadAfter,
    Path((strategy, number)): Path<(String, u32)>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let strategy = named::<Strategy>(&strategy)?;
    if number > NUMBER_MAX {
        return Err(ApiError::NotFound(format!("Numbers end at {NUMBER_MAX}.")));
    }
    let (on, tables) = lab.opened().await?;
    let _turn = on.calculations.acquire().await.map_err(ApiError::internal)?;
    let bookmark = bookmark.max(tables);
    let reckon = lab
        .shop
        .db
        .read_with(bookmark, |connection| Box::pin(storage::reckon(connection, strategy.as_str(), number)));
    let (reckoned, read_at): (Reckoned, Position) = reckon.await?;
    let mut response = conditional::json(&request, &reckoned)?;
    position::read_at(response.headers_mut(), read_at);
    keep(response.headers_mut(), strategy, number);
    Ok(response)
}

/// Writes to a number. The answer says what that makes invalid: with a lifetime alone, nothing.
#[utoipa::path(post, path = "/api/lab/values/{strategy}/{number}", tag = "lab",
    params(
        ("strategy" = String, Path, description = "`none`, `ttl` or `event`"),
        ("number" = u32, Path, description = "Of which part of the orders"),
    ),
    responses(
        (status = 200, description = "As it is now", body = Reckoned),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such strategy", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn write(
    State(lab): State<Lab>,
    _: Staff,
    Path((strategy, number)): Path<(String, u32)>,
) -> Result<Response, ApiError> {
    written(&lab, named(&strategy)?, number).await
}

/// Writes to a number; the answer takes the place of what was kept.
#[utoipa::path(put, path = "/api/lab/cache/{strategy}/{number}", tag = "lab",
    params(
        ("strategy" = String, Path, description = "`write-through`"),
        ("number" = u32, Path, description = "Of which part of the orders"),
    ),
    responses(
        (status = 200, description = "As it is now, and as a GET would say it", body = Reckoned),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "Another strategy", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn write_through(
    State(lab): State<Lab>,
    _: Staff,
    Path((strategy, number)): Path<(String, u32)>,
) -> Result<Response, ApiError> {
    match named(&strategy)? {
        Strategy::WriteThrough => written(&lab, Strategy::WriteThrough, number).await,
        _ => Err(ApiError::NotFound("Only `write-through` is written so; see /api/lab/values.".to_owned())),
    }
}

async fn written(lab: &Lab, strategy: Strategy, number: u32) -> Result<Response, ApiError> {
    lab.prepared().await?;
    let groups = policy(strategy, number).map(|policy| policy.groups).unwrap_or_default();
    let write = lab.shop.db.write(async |transaction| {
        let reckoned = storage::write(transaction, strategy.as_str(), number).await?;
        let invalidated = lab.shop.outbox.enqueue(transaction, Invalidation::of_groups(&groups)).await?;
        Ok::<_, ApiError>((reckoned, invalidated))
    });
    let Written { value: (reckoned, invalidated), position } = write.await?;
    let mut response = match strategy {
        Strategy::WriteThrough => {
            let mut response = conditional::tagged(&reckoned)?;
            let path = format!("/api/lab/cache/{}/{number}", strategy.as_str());
            let path = HeaderValue::try_from(path).map_err(ApiError::internal)?;
            response.headers_mut().insert(CONTENT_LOCATION, path);
            keep(response.headers_mut(), strategy, number);
            response
        }
        _ => Answer(reckoned).into_response(),
    };
    caching::invalidated(response.headers_mut(), &invalidated);
    position::written(response.headers_mut(), position);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_writes_end_has_a_name_for_them() {
        for (strategy, seconds, groups) in [
            (Strategy::None, None, 0),
            (Strategy::Ttl, Some(10), 0),
            (Strategy::Event, Some(300), 1),
            (Strategy::WriteThrough, Some(300), 1),
        ] {
            let policy = policy(strategy, 7);
            assert_eq!(policy.as_ref().map(|policy| policy.max_age.as_secs()), seconds, "{strategy:?}");
            assert_eq!(policy.map_or(0, |policy| policy.groups.len()), groups, "{strategy:?}");
        }
    }
}
