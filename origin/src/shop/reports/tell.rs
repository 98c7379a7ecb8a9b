//! Tells whoever asked for a report that it is there.

use serde_json::json;
use time::OffsetDateTime;

use crate::db::Transaction;
use crate::files::FileName;
use crate::mail::Letter;
use crate::notifications;
use crate::queue::JobError;
use crate::shop::Means;

/// Once `transaction` commits, which ends the job: nobody is told of a report that isn't there,
/// and nobody twice.
pub(super) async fn tell(
    means: &Means,
    transaction: &Transaction,
    job: i64,
    owner: i64,
    file: &FileName,
) -> Result<(), JobError> {
    let now = OffsetDateTime::now_utc();
    if let Some(to) = super::storage::address(transaction, owner).await? {
        let letter = letter(means, to, job, file, now);
        let enqueued = means.mail.enqueue(&means.queue, transaction, &letter).await;
        enqueued.map_err(|error| JobError::retry("the letter could not be written", error))?;
    }
    notifications::enqueue(transaction, owner, "report_done", &json!({ "job": job })).await?;
    Ok(())
}

fn letter(means: &Means, to: String, job: i64, file: &FileName, now: OffsetDateTime) -> Letter {
    let link = format!("{}/api/files/{}", means.public_url, means.links.sign(file, now));
    let text = format!(
        "Your report is done.\n\nFetch it within a day:\n{link}\n\nLater you get a new link here:\n{}/api/jobs/{job}\n",
        means.public_url
    );
    Letter { to, subject: "Your report is done".to_owned(), text }
}
