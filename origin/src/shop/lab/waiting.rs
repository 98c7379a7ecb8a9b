//! Work that takes a while: done before the answer, or after it.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use tidewall_api::job::Job;
use tidewall_api::lab::{Took, WORK_SECONDS_MAX, Work};
use tidewall_api::problem::Problem;
use tokio::time::{Instant, sleep};

use super::{Lab, nothing};
use crate::db::Written;
use crate::http::accounts::Staff;
use crate::http::error::ApiError;
use crate::http::json::Json;
use crate::http::path::Path;
use crate::http::position;
use crate::queue::{Handler, JobContext, JobError, Limits, NewJob, Outcome, Retention};

/// Steps in each second of work, as they are told.
const STEPS: u32 = 4;

/// Does it: waits, as for a slow service of somebody else's.
pub(in crate::shop) struct WaitingHandler;

impl Handler for WaitingHandler {
    const KIND: &'static str = "lab_work";
    const ATTEMPTS_MAX: i32 = 3;
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// In a line of their own: nobody else's jobs wait for the Lab's.
    const LIMITS: Limits = Limits { concurrency: Some(8), ..Limits::NONE };
    const RETENTION: Retention =
        Retention { completed: Duration::from_mins(10), failed: Duration::from_mins(10) };
    type Payload = Work;
    type Output = ();

    async fn run(&self, work: Work, job: JobContext) -> Result<Outcome<()>, JobError> {
        let steps = work.seconds * STEPS;
        for step in 1..=steps {
            sleep(Duration::from_secs(1) / STEPS).await;
            job.progress.set(step.into(), steps.into());
        }
        Ok(Outcome::Done(()))
    }
}

/// Does work that takes so long, before the answer or after it.
#[utoipa::path(post, path = "/api/lab/queue/{how}", tag = "lab", request_body = Work,
    params(("how" = String, Path, description = "`blocking` or `queued`")),
    responses(
        (status = 200, description = "It is done", body = Took),
        (status = 202, description = "Will be done; `Location` names the job", body = Job),
        (status = 400, description = "The body can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only for staff, and where `tidewall dev` runs the system", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "Neither", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too long", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach, or it took longer than a request may", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(super) async fn work(
    State(lab): State<Lab>,
    Staff(claims): Staff,
    Path(how): Path<String>,
    Json(work): Json<Work>,
) -> Result<Response, ApiError> {
    lab.on()?;
    if !(1..=WORK_SECONDS_MAX).contains(&work.seconds) {
        return Err(ApiError::invalid("seconds", format!("is not 1 to {WORK_SECONDS_MAX}")));
    }
    match how.as_str() {
        "blocking" => {
            let begun = Instant::now();
            sleep(Duration::from_secs(work.seconds.into())).await;
            Ok(Answer(Took { ms: begun.elapsed().as_secs_f64() * 1_000.0 }).into_response())
        }
        "queued" => {
            let job =
                NewJob::of::<WaitingHandler>(&work).map_err(ApiError::internal)?.owned_by(claims.user.id);
            let jobs = &lab.shop.jobs;
            let asked = lab
                .shop
                .db
                .write(async |transaction| jobs.accepted(jobs.queue.enqueue(transaction, &job).await?.job));
            let Written { value: answer, position } = asked.await?;
            let mut response = answer.into_response();
            position::written(response.headers_mut(), position);
            Ok(response)
        }
        _ => Err(nothing()),
    }
}
