//! What the advisor says of this very system.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use tidewall_api::advice::{Prices, advise};
use tidewall_api::problem::Problem;

use super::Lab;
use super::stack::server;
use crate::advise::{Question, look};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(3);

/// Looks at the system twice, a few seconds apart, and says which tools it needs.
#[utoipa::path(get, path = "/api/ops/advice", tag = "operation",
    responses(
        (status = 200, description = "As `tidewall advise --json` prints it", body = Object),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn of_this_system(State(lab): State<Lab>, _: Staff) -> Result<impl IntoResponse, ApiError> {
    let on = lab.on()?;
    let _turn = on.advice.try_acquire().map_err(|_| {
        ApiError::Busy("Somebody has asked a moment ago. Wait until they have their answer.".to_owned())
    })?;
    let running = on.stack.read().await?;
    let url = |text: &String| text.parse().ok();
    let question = Question {
        primary: vec![server(&running.primary)?],
        replicas: running.replicas.iter().map(|url| server(url)).collect::<Result<_, _>>()?,
        origins: running.origins.iter().filter_map(|origin| url(&origin.url)).collect(),
        edge: running.edge.as_ref().and_then(url).map(|edge| (edge, Some(running.purge_token.clone()))),
        is_host: true,
        interval: INTERVAL,
        ..Question::default()
    };
    let evidence = look(&question, std::future::pending()).await.map_err(ApiError::internal)?;
    Ok(([(CACHE_CONTROL, "no-store")], axum::Json(advise(&evidence, &Prices::own()))))
}
