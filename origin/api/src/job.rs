//! Background jobs and the report that asks for one.

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "command", derive(clap::ValueEnum))]
pub enum JobState {
    /// May be claimed by a worker now.
    Available,
    /// Waits for its `run_at`.
    Scheduled,
    /// Claimed by a worker whose lease holds.
    Running,
    /// Failed, and waits for its next attempt.
    Retryable,
    /// Done.
    Completed,
    /// Failed for good: every attempt was used up.
    Discarded,
    /// Stopped by hand.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Available,
        Self::Scheduled,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Discarded,
        Self::Cancelled,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Discarded | Self::Cancelled)
    }

    /// Reads [`JobState::as_str`] back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A job as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Identifies the job.
    pub id: i64,
    /// What kind of work it is, such as `report`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// Share of the work done, 0 to 1.
    pub progress: f64,
    /// Attempts begun.
    pub attempt: i32,
    /// Attempts it may use.
    pub attempts_max: i32,
    /// What it made, once completed.
    pub result: Option<JobResult>,
    /// Why its last attempt failed, in words for its owner.
    pub error: Option<String>,
    /// When it was enqueued: RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// When it reached a terminal state.
    pub finished_at: Option<String>,
}

/// What a completed job made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobResult {
    /// Where to fetch it; the link expires.
    pub url: String,
}

/// The body of POST `/api/reports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportRequest {
    /// What the report is about.
    pub kind: ReportKind,
    /// The file's format.
    pub format: ReportFormat,
    /// First day, `YYYY-MM-DD`.
    pub from: String,
    /// Last day, included, `YYYY-MM-DD`.
    pub to: String,
}

/// What a report can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ReportKind {
    /// One line for every order.
    Orders,
}

impl ReportFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Pdf => "pdf",
        }
    }
}

/// A report's file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ReportFormat {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// A document to read and print: totals, a chart, and the orders up to a bound.
    Pdf,
}
