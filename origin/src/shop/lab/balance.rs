//! Who answers, and what becomes of that when one is gone.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use futures::future::join_all;
use tidewall_api::lab::Ping;
use tidewall_api::problem::Problem;

use super::{Lab, On, stack, storage};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::query;

/// Time that another origin has to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Time that it has to say whether it is ready.
const READY_MAX: Duration = Duration::from_millis(500);
/// Seconds from one that is killed to the next: by then it is back.
const KILLS_APART_S: u32 = 5;
/// Time for one's own last answer to get away.
const LAST_ANSWER: Duration = Duration::from_millis(300);

/// What asks other origins.
pub(super) fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build();
    // Fails only where no TLS library can be set up, and then so does all else.
    client.unwrap_or_default()
}

/// Which origin answers. With `via`, the one of that name, as if there were no balancer before it.
#[utoipa::path(get, path = "/api/lab/ping", tag = "lab",
    params(("via" = Option<String>, Query, description = "The origin that is to answer")),
    responses(
        (status = 200, description = "This one", body = Ping),
        (status = 403, description = "Only where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "No such origin", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "That one doesn't answer", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ping(
    State(lab): State<Lab>,
    RawQuery(parameters): RawQuery,
) -> Result<impl IntoResponse, ApiError> {
    let on = lab.on()?;
    let mut via = None;
    query::read(parameters.as_deref(), |name, value| match name {
        "via" => {
            via = Some(value.to_owned());
            Ok(())
        }
        _ => Err("is no parameter of this".to_owned()),
    })?;
    let origin = match via {
        Some(via) if via != lab.origin => {
            let running = on.stack.read().await?;
            let url = running.origins.into_iter().find(|origin| origin.id == via).map(|origin| origin.url);
            let url = url.ok_or_else(|| ApiError::invalid("via", "is no origin's name"))?;
            let asked = on.client.get(format!("{url}/api/lab/ping")).send().await;
            let answered = match asked.and_then(reqwest::Response::error_for_status) {
                Ok(response) => response.json::<Ping>().await,
                Err(error) => Err(error),
            };
            answered.map_err(|_| ApiError::Busy(format!("Origin {via} doesn't answer.")))?.origin
        }
        _ => lab.origin.clone(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(Ping { origin })))
}

/// Kills an origin, as a machine that fails does; it is started again soon. Where no other one is ready,
/// or one was killed a moment ago, that is not done.
#[utoipa::path(post, path = "/api/lab/origins/{id}/kill", tag = "lab",
    params(("id" = String, Path, description = "The origin")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such origin", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is the last", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It doesn't answer, or the database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn kill(
    State(lab): State<Lab>,
    _: Staff,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (on, _) = lab.prepared().await?;
    let origins = on.stack.read().await?.origins;
    let Some(wanted) = origins.iter().find(|origin| origin.id == id) else {
        return Err(ApiError::NotFound("There is no such origin.".to_owned()));
    };
    if id != lab.origin {
        // It ends itself: nobody else knows for sure which process it is.
        return pass_on(on, &wanted.url, &id, &request).await;
    }
    let others = origins.iter().filter(|origin| origin.id != id).map(|other| is_ready(on, &other.url));
    let is_last = !join_all(others).await.contains(&true);
    if is_last || !storage::may_kill(&lab.shop.db, KILLS_APART_S).await? {
        return Err(last_origin());
    }
    tracing::warn!(origin = id, "killed from the Lab");
    tokio::spawn(async {
        tokio::time::sleep(LAST_ANSWER).await;
        stack::end_oneself();
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Has another origin do it, in the name of who asks.
async fn pass_on(on: &On, url: &str, id: &str, request: &HeaderMap) -> Result<StatusCode, ApiError> {
    let mut asked = on.client.post(format!("{url}/api/lab/origins/{id}/kill"));
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = request.get(&name) {
            asked = asked.header(name, value);
        }
    }
    let answer = asked.send().await.map_err(|_| ApiError::Busy(format!("Origin {id} doesn't answer.")))?;
    match answer.status() {
        StatusCode::CONFLICT => Err(last_origin()),
        status if status.is_success() => Ok(StatusCode::NO_CONTENT),
        _ => Err(ApiError::Busy(format!("Origin {id} can't do that now."))),
    }
}

fn last_origin() -> ApiError {
    ApiError::Conflict {
        slug: "last-origin",
        title: "The last origin",
        detail:
            "No other origin is ready at the moment, or one was killed just now, so this one is left alone. \
                 Wait until all are back."
                .to_owned(),
        errors: Default::default(),
    }
}

/// Whether an origin would take requests.
pub(super) async fn is_ready(on: &On, url: &str) -> bool {
    let asked = on.client.get(format!("{url}/readyz")).timeout(READY_MAX).send().await;
    asked.is_ok_and(|answer| answer.status().is_success())
}

/// Restarts all origins one by one, as a deployment does: no request is to fail.
#[utoipa::path(post, path = "/api/ops/rolling-restart", tag = "operation",
    responses(
        (status = 202, description = "It begins"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn restart_all(State(lab): State<Lab>, _: Staff) -> Result<StatusCode, ApiError> {
    lab.on()?.stack.restart().await?;
    Ok(StatusCode::ACCEPTED)
}
