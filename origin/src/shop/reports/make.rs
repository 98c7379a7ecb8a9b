//! The job that makes a report.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidewall_api::job::{ReportFormat, ReportRequest};
use time::OffsetDateTime;
use tokio::task::JoinError;

use super::layout::{self, Contents};
use super::paint::{self, PaintError};
use super::range::DayRange;
use super::sheet::Sheet;
use super::storage;
use super::tell::tell;
use crate::db::DbError;
use crate::files::{FileError, FileName, FileNameError, FileResult};
use crate::queue::{Handler, JobContext, JobError, Limits, Outcome};
use crate::shop::Means;

/// Makes reports.
pub(in crate::shop) struct ReportHandler {
    pub(in crate::shop) means: Means,
}

/// What the job is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::shop) struct Report {
    /// What was asked for.
    pub(super) request: ReportRequest,
    /// Whose orders it is about.
    pub(super) of: Of,
}

/// Whose orders a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::shop) enum Of {
    /// Everybody's.
    All,
    /// One customer's.
    Customer(i64),
}

/// Lines between two writes to the file, some 80 kB: memory stays the same
/// however long the report is.
const LINES_PER_WRITE: u64 = 1_000;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("a line could not be formatted")]
    Sheet(#[from] csv::Error),
    #[error("the document could not be drawn")]
    Paint(#[from] PaintError),
    #[error("the drawing broke off")]
    Painter(#[from] JoinError),
    #[error("the file could not be written")]
    File(#[from] FileError),
    #[error(transparent)]
    Name(#[from] FileNameError),
}

impl Handler for ReportHandler {
    const KIND: &'static str = "report";
    // One reads all orders of its days, and computes: more of them leave little to who waits for an
    // answer.
    const LIMITS: Limits = Limits { concurrency: Some(2), per_key: Some(1), ..Limits::NONE };
    type Payload = Report;
    type Output = FileResult;

    async fn run(&self, report: Report, job: JobContext) -> Result<Outcome<FileResult>, JobError> {
        let range = DayRange::of(&report.request)
            .map_err(|error| JobError::discard("the report's days are not valid", error))?;
        let made = self.make(range, &report, &job).await;
        let made = made.map_err(|error| {
            let message = match &error {
                ReportError::Db(_) => "the database could not be read",
                ReportError::Paint(_) | ReportError::Painter(_) => "the document could not be drawn",
                ReportError::Sheet(_) | ReportError::File(_) | ReportError::Name(_) => {
                    "the file could not be written"
                }
            };
            JobError::retry(message, error)
        })?;
        job.complete(async |transaction| {
            if let Some(owner) = job.owner {
                tell(&self.means, transaction, job.id, owner, &made.file).await?;
            }
            Ok(made)
        })
        .await
    }
}

impl ReportHandler {
    async fn make(
        &self,
        range: DayRange,
        report: &Report,
        job: &JobContext,
    ) -> Result<FileResult, ReportError> {
        let file = file_name(job.id, job.attempt, report.request.format)?;
        match report.request.format {
            ReportFormat::Csv => self.make_sheet(&file, range, &report.of, job).await?,
            ReportFormat::Pdf => self.make_document(&file, range, &report.of, job).await?,
        }
        Ok(FileResult { file })
    }

    async fn make_sheet(
        &self,
        name: &FileName,
        range: DayRange,
        of: &Of,
        job: &JobContext,
    ) -> Result<(), ReportError> {
        let mut file = self.means.files.begin(name);
        let connection = self.means.queue.db().read(job.position).await?;
        let total = storage::count(&connection, range, of).await?;
        let mut sheet = Sheet::new()?;
        let mut done = 0;
        let mut lines = storage::lines(connection, range, of).await?;
        while let Some(row) = lines.next().await? {
            sheet.push(&storage::line(&row))?;
            done += 1;
            if done % LINES_PER_WRITE == 0 {
                file.write(&sheet.take()?).await?;
                job.progress.set(done, total);
            }
        }
        file.write(&sheet.take()?).await?;
        file.finish().await?;
        Ok(())
    }

    async fn make_document(
        &self,
        name: &FileName,
        range: DayRange,
        of: &Of,
        job: &JobContext,
    ) -> Result<(), ReportError> {
        const STAGES: u64 = 4;
        let connection = self.means.queue.db().read(job.position).await?;
        let days = storage::days(&connection, range, of).await?;
        job.progress.set(1, STAGES);
        let orders = storage::first(&connection, range, of).await?;
        drop(connection);
        job.progress.set(2, STAGES);
        let title = match of {
            Of::All => "Orders",
            Of::Customer(_) => "Your orders",
        };
        let contents = Contents { title, range, made_at: OffsetDateTime::now_utc(), days, orders };
        let document = tokio::task::spawn_blocking(move || {
            paint::paint(contents.title.to_owned(), &layout::pages(&contents))
        });
        let document = document.await??;
        job.progress.set(3, STAGES);
        self.means.files.put(name, Bytes::from(document)).await?;
        Ok(())
    }
}

/// Each attempt writes a file of its own, so one that lost its lease and does not
/// know it yet can't spoil the next one's.
fn file_name(job: i64, attempt: i32, format: ReportFormat) -> Result<FileName, FileNameError> {
    FileName::new(format!("{job}-{attempt}.{}", format.extension()))
}
