//! The job that makes a report.

use serde::{Deserialize, Serialize};
use tidewall_api::job::ReportRequest;
use tokio_postgres::types::ToSql;

use super::range::DayRange;
use super::sheet::{OrderLine, Sheet};
use crate::db::{Db, DbError, HotStatement, ReadConnection};
use crate::files::{FileError, FileName, FileNameError, FileResult, FileStore, Unfinished};
use crate::queue::{Handler, JobContext, JobError};

/// Makes reports.
pub(in crate::shop) struct ReportHandler {
    pub(in crate::shop) db: Db,
    pub(in crate::shop) files: FileStore,
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

/// The statements of one report: each of its kinds gets plans of its own.
struct Statements {
    count: &'static str,
    lines: &'static str,
}

const ALL: Statements = Statements {
    count: "SELECT count(*) FROM orders WHERE created_at >= $1 AND created_at < $2",
    lines: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM orders AS o JOIN users AS u ON u.id = o.user_id
    WHERE o.created_at >= $1 AND o.created_at < $2
    ORDER BY o.id",
};

const OF_CUSTOMER: Statements = Statements {
    count: "SELECT count(*) FROM orders WHERE created_at >= $1 AND created_at < $2 AND user_id = $3",
    lines: "
    SELECT o.id, o.created_at, o.status, u.name, u.email, o.total_cents
    FROM orders AS o JOIN users AS u ON u.id = o.user_id
    WHERE o.created_at >= $1 AND o.created_at < $2 AND o.user_id = $3
    ORDER BY o.id",
};

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
    #[error("the file could not be written")]
    File(#[from] FileError),
    #[error(transparent)]
    Name(#[from] FileNameError),
}

impl Handler for ReportHandler {
    const KIND: &'static str = "report";
    type Payload = Report;
    type Output = FileResult;

    async fn run(&self, report: Report, job: JobContext) -> Result<FileResult, JobError> {
        let range = DayRange::of(&report.request)
            .map_err(|error| JobError::discard("the report's days are not valid", error))?;
        self.make(range, report.of, &job).await.map_err(|error| {
            let message = match &error {
                ReportError::Db(_) => "the database could not be read",
                ReportError::Sheet(_) | ReportError::File(_) | ReportError::Name(_) => {
                    "the file could not be written"
                }
            };
            JobError::retry(message, error)
        })
    }
}

impl ReportHandler {
    async fn make(&self, range: DayRange, of: Of, job: &JobContext) -> Result<FileResult, ReportError> {
        let name = file_name(job.id, job.attempt)?;
        let mut file = self.files.begin(&name);
        let connection = self.db.read(job.position).await?;
        write_lines(connection, range, of, job, &mut file).await?;
        file.finish().await?;
        Ok(FileResult { file: name })
    }
}

async fn write_lines(
    connection: ReadConnection,
    range: DayRange,
    of: Of,
    job: &JobContext,
    file: &mut Unfinished,
) -> Result<(), ReportError> {
    let DayRange { begin, end } = range;
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&begin, &end];
    let Statements { count, lines } = match &of {
        Of::All => ALL,
        Of::Customer(customer) => {
            params.push(customer);
            OF_CUSTOMER
        }
    };
    let counted = connection.query_one(count, &params).await?;
    let total = u64::try_from(counted.get::<_, i64>(0)).unwrap_or(0);

    let mut sheet = Sheet::new()?;
    let mut done = 0;
    let mut lines = connection.into_rows(lines, &params).await?;
    while let Some(row) = lines.next().await? {
        sheet.push(&OrderLine {
            id: row.get(0),
            created_at: row.get(1),
            status: row.get(2),
            customer: row.get(3),
            email: row.get(4),
            total_cents: row.get(5),
        })?;
        done += 1;
        if done % LINES_PER_WRITE == 0 {
            file.write(&sheet.take()?).await?;
            job.progress.set(done, total);
        }
    }
    file.write(&sheet.take()?).await?;
    Ok(())
}

/// What a report of one day runs.
pub(in crate::shop) fn hot_statements() -> Vec<HotStatement> {
    let day: &[&str] = &["timestamptz '2026-10-01'", "timestamptz '2026-10-02'"];
    let customers: &[&str] = &["timestamptz '2026-10-01'", "timestamptz '2026-10-02'", "4711"];
    vec![
        HotStatement::new("how many orders a report has", ALL.count, day),
        HotStatement::new("the lines of a report", ALL.lines, day),
        HotStatement::new("how many orders a customer's report has", OF_CUSTOMER.count, customers),
        HotStatement::new("the lines of a customer's report", OF_CUSTOMER.lines, customers),
    ]
}

/// Each attempt writes a file of its own, so one that lost its lease and does not
/// know it yet can't spoil the next one's.
fn file_name(job: i64, attempt: i32) -> Result<FileName, FileNameError> {
    FileName::new(format!("{job}-{attempt}.csv"))
}
