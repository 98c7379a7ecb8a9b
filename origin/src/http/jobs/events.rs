//! GET `/api/jobs/{id}/events`: how a job goes on, told as it does.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tidewall_api::problem::Problem;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use super::snapshot::{self, Step};
use super::{JobRoutes, Jobs, effect};
use crate::http::accounts::Caller;
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::position;
use crate::http::streams::{self, Place};
use crate::queue::{JobRow, Queue};
use crate::session::TOKEN_LIFETIME;
use crate::shutdown::Shutdown;
use crate::watcher::{Watcher, Watching};

/// Longest that one stream goes on: whoever comes back shows again that they may.
const STREAM_MAX: Duration = TOKEN_LIFETIME;

/// Looks at jobs for all who follow one.
pub(super) type JobWatcher = Watcher<i64, JobRow>;

/// A watcher of the jobs of `jobs`. It asks the primary: whoever follows a job must not see it
/// go back in time.
pub(super) fn watcher(jobs: &Jobs) -> JobWatcher {
    let db = jobs.queue.db().clone();
    Watcher::new(move |ids: Vec<i64>| {
        let db = db.clone();
        Box::pin(async move {
            let connection = db.writer().await?;
            let jobs = Queue::find_all(&connection, &ids).await?;
            Ok(jobs.into_iter().map(|job| (job.id, job)).collect())
        })
    })
}

/// How a job of one's own goes on, as Server-Sent Events: an event `job` with the job as data
/// whenever it stands differently. The stream ends with the job. Whoever comes back with
/// `Last-Event-ID` isn't told again what that names, and after the end gets 204.
#[utoipa::path(get, path = "/api/jobs/{id}/events", tag = "jobs",
    params(
        ("id" = i64, Path, description = "The job"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was received"),
    ),
    responses(
        (status = 200, description = "Events, whose data is the job", content_type = "text/event-stream",
            body = String),
        (status = 204, description = "The job has ended, and that was told"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such job", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is out of reach, or too much is going on", body = Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(in crate::http) async fn follow(
    State(routes): State<JobRoutes>,
    caller: Caller,
    Path(id): Path<String>,
    request: HeaderMap,
) -> Result<Response, ApiError> {
    let place = routes.streams.begin(caller.user().id)?;
    let (job, position) = {
        let (connection, job) = super::find(&routes.jobs, &caller, &id).await?;
        let position = effect(&connection, &job).await;
        (job, position)
    };
    let told = streams::last_event_id(&request).map(str::to_owned);
    let mut response = if snapshot::step(told.as_deref(), Some(&job)) == Step::End {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let mut watching = routes.watcher.watch(job.id);
        watching.have_read();
        let follower = Follower {
            jobs: routes.jobs,
            told,
            first: Some(job),
            watching,
            until: Instant::now() + STREAM_MAX,
            shutdown: routes.shutdown,
            has_ended: false,
            _place: place,
        };
        streams::respond(stream::unfold(follower, async |mut follower| {
            follower.next().await.map(|event| (event, follower))
        }))
    };
    position::written(response.headers_mut(), position);
    Ok(response)
}

/// One stream.
struct Follower {
    jobs: Jobs,
    /// The snapshot that was told last.
    told: Option<String>,
    /// The job as it was when the stream began.
    first: Option<JobRow>,
    watching: Watching<JobRow>,
    until: Instant,
    shutdown: Shutdown,
    has_ended: bool,
    _place: Place,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        while !self.has_ended {
            let job = match self.first.take() {
                Some(job) => Some(job),
                None => tokio::select! {
                    seen = self.watching.next() => seen,
                    () = self.shutdown.begun() => return None,
                    () = sleep_until(self.until) => return None,
                },
            };
            let step = snapshot::step(self.told.as_deref(), job.as_ref());
            match (step, job) {
                (Step::Tell | Step::TellLast, Some(job)) => {
                    self.has_ended = step == Step::TellLast;
                    let id = snapshot::id(&job);
                    let event = self.event(job, &id)?;
                    self.told = Some(id);
                    return Some(event);
                }
                (Step::Wait, _) => {}
                (Step::End, _) | (_, None) => return None,
            }
        }
        None
    }

    fn event(&self, job: JobRow, id: &str) -> Option<Event> {
        let number = job.id;
        let view = self.jobs.view(job, OffsetDateTime::now_utc());
        let event = view
            .and_then(|job| Event::default().event("job").id(id).json_data(job).map_err(ApiError::internal));
        event.inspect_err(|error| tracing::error!(job = number, %error, "a job can't be told")).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use axum::response::IntoResponse as _;
    use futures::poll;
    use tidewall_api::job::JobState;
    use time::macros::datetime;

    use super::*;
    use crate::db::{Db, DbSettings};
    use crate::files::LinkKey;
    use crate::http::streams::Streams;
    use crate::signing::Secrets;

    /// A stream of a running job, over a database that can't be reached.
    fn follower(shutdown: Shutdown) -> Follower {
        // Nothing listens on port 1.
        let db = Db::new(DbSettings::parse("postgres://nobody@127.0.0.1:1/none", &[]).unwrap());
        let secrets = Secrets::new("a secret of the tests and of none other", None).unwrap();
        let jobs = Jobs { queue: Queue::new(db, None), links: LinkKey::new(&secrets) };
        let at = datetime!(2026-01-01 0:00 UTC);
        let job = JobRow {
            id: 7,
            kind: "report".to_owned(),
            state: JobState::Running,
            progress: 0.5,
            attempt: 1,
            attempts_max: 5,
            result: None,
            error: None,
            owner: Some(1),
            created_at: at,
            run_at: Some(at),
            finished_at: None,
        };
        Follower {
            watching: watcher(&jobs).watch(7),
            jobs,
            told: None,
            first: Some(job),
            until: Instant::now() + STREAM_MAX,
            shutdown,
            has_ended: false,
            _place: Streams::default().begin(1).unwrap(),
        }
    }

    #[tokio::test]
    async fn a_stream_outlasts_the_database_and_ends_when_the_process_stops() {
        let (stop, shutdown) = Shutdown::manual();
        let mut follower = follower(shutdown);
        let event = follower.next().await.unwrap();
        let told = axum::response::Sse::new(stream::iter([Ok::<_, std::convert::Infallible>(event)]));
        let told = axum::body::to_bytes(told.into_response().into_body(), 4096).await.unwrap();
        let told = String::from_utf8(told.to_vec()).unwrap();
        assert!(told.starts_with("event: job\nid: 1.running.0.5\ndata: {\"id\":7,"), "{told}");
        let mut next = pin!(follower.next());
        for _ in 0..100 {
            assert!(poll!(&mut next).is_pending(), "there is nothing to tell, and no end");
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
        assert!(next.await.is_none());
    }
}
