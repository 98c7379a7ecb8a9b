//! Up to when schedules have fired.

use time::OffsetDateTime;

use crate::db::{DbError, Transaction};

const BEGIN: &str = "INSERT INTO job_schedules (name, fired_at) VALUES ($1, now()) ON CONFLICT DO NOTHING";

const LOCK: &str =
    "SELECT fired_at, clock_timestamp() FROM job_schedules WHERE name = $1 FOR UPDATE SKIP LOCKED";

/// Up to when a schedule has fired, and the present time. Nobody else fires it until the
/// transaction ends. `None`: somebody does so now.
pub(in crate::queue) async fn lock(
    transaction: &Transaction,
    name: &str,
) -> Result<Option<(OffsetDateTime, OffsetDateTime)>, DbError> {
    // One that is new has fired up to now.
    transaction.execute(BEGIN, &[&name]).await?;
    Ok(transaction.query_opt(LOCK, &[&name]).await?.map(|row| (row.get(0), row.get(1))))
}

const FIRED: &str = "UPDATE job_schedules SET fired_at = greatest(fired_at, $2) WHERE name = $1";

/// A schedule has fired up to `until`.
pub(in crate::queue) async fn fired(
    transaction: &Transaction,
    name: &str,
    until: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.execute(FIRED, &[&name, &until]).await?;
    Ok(())
}
