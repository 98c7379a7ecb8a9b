//! How much of something one client may do in a minute, counted in the database, so that it
//! makes no difference at which origin.
//!
//! What is counted costs more than this: a password's hash, a job.

use std::time::Duration;

use crate::db::{Db, DbError, HotStatement};

/// What counts: any of it within so long.
const WINDOW: &str = "interval '1 minute'";

/// What a client does too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much of it within a minute")]
pub struct RateLimited {
    /// When there may be one more.
    pub retry_after: Duration,
}

/// Removes two rows of clients that have gone for each that is counted: so there are never many.
fn take_sql() -> String {
    format!(
        "
    WITH gone AS (
        DELETE FROM rate_limits WHERE (action, client) IN (
            SELECT action, client FROM rate_limits
            WHERE expires_at < now() AND (action, client) <> ($1, $2)
            ORDER BY expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO rate_limits AS r (action, client, taken_at, was_allowed, expires_at)
    VALUES ($1, $2, ARRAY[clock_timestamp()], true, clock_timestamp() + {WINDOW})
    ON CONFLICT (action, client) DO UPDATE SET (taken_at, was_allowed, expires_at) = (
        SELECT CASE WHEN cardinality(recent) < $3 THEN recent || clock_timestamp() ELSE recent END,
            cardinality(recent) < $3, clock_timestamp() + {WINDOW}
        FROM (SELECT ARRAY(
            SELECT taken FROM unnest(r.taken_at) AS taken
            WHERE taken > clock_timestamp() - {WINDOW} ORDER BY taken
        ) AS recent) AS kept
    )
    RETURNING was_allowed,
        extract(epoch FROM taken_at[1] + {WINDOW} - clock_timestamp())::double precision AS retry_after_s"
    )
}

/// Counts one `action` of `client`, unless there were `per_minute` within the last minute; at
/// least one may be.
pub async fn take(
    db: &Db,
    action: &str,
    client: &str,
    per_minute: u32,
) -> Result<Result<(), RateLimited>, DbError> {
    let per_minute = i32::try_from(per_minute.max(1)).unwrap_or(i32::MAX);
    let connection = db.writer().await?;
    let row = connection.query_one(&take_sql(), &[&action, &client, &per_minute]).await?;
    let read = || Ok((row.try_get(0)?, row.try_get::<_, f64>(1)?));
    let (was_allowed, retry_after_s): (bool, f64) = read().map_err(|error| connection.failed(error))?;
    if was_allowed {
        return Ok(Ok(()));
    }
    let retry_after = Duration::try_from_secs_f64(retry_after_s).unwrap_or(Duration::ZERO);
    Ok(Err(RateLimited { retry_after }))
}

/// What requests run.
pub fn hot_statements() -> Vec<HotStatement> {
    vec![HotStatement::new("count what a client does", take_sql(), &["'a'", "'127.0.0.1'", "20"])]
}
