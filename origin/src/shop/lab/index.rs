//! A user's newest orders, with an index and as if there were none.

use axum::Json;
use axum::extract::State;
use tidewall_api::lab::Planned;
use tidewall_api::problem::Problem;

use super::{Lab, nothing, storage};
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::path::Path;

/// How the statement was run.
enum Undone {
    /// It was, and its transaction is given up.
    Done(Option<Planned>),
    /// It was not.
    Failed(ApiError),
}

impl From<crate::db::DbError> for Undone {
    fn from(error: crate::db::DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs the statement once, and says how. Without the index the planner is told to do without any.
#[utoipa::path(post, path = "/api/lab/index/{how}/{user}", tag = "lab",
    params(
        ("how" = String, Path, description = "`with` or `without`"),
        ("user" = u32, Path, description = "Whose orders"),
    ),
    responses(
        (status = 200, description = "How it was run", body = Planned),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "Neither", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn newest(
    State(lab): State<Lab>,
    _: Staff,
    Path((how, user)): Path<(String, u32)>,
) -> Result<Json<Planned>, ApiError> {
    lab.on()?;
    let with_index = match how.as_str() {
        "with" => true,
        "without" => false,
        _ => return Err(nothing()),
    };
    // Nothing is written: its settings end with its transaction.
    let done = lab.shop.db.write(async |transaction| {
        let explained = storage::explain_newest(transaction, with_index, i64::from(user)).await?;
        Err::<(), Undone>(Undone::Done(Planned::read(&explained)))
    });
    match done.await {
        Err(Undone::Done(Some(planned))) => Ok(Json(planned)),
        Err(Undone::Failed(error)) => Err(error),
        Ok(_) | Err(Undone::Done(None)) => Err(ApiError::internal("a plan of another form")),
    }
}
