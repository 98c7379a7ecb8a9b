//! Mail, sent by jobs: a letter is enqueued in the transaction that gives rise to it, and sent
//! once that has committed, as often as it takes.
//!
//! A letter can reach its reader twice, as when a worker is lost between sending it and saying
//! so: SMTP knows no other way. Both then have the same `Message-ID`, by which mail programs
//! show it once.
//!
//! - `letter`: what may be written, and the message that becomes of it; `answer`: what a
//!   server's refusal means. Pure.
//! - `settings`: how mail is sent. `mailer`: sends it. `job`: the job that does.

mod answer;
mod job;
mod letter;
mod mailer;
mod settings;

pub use job::MailHandler;
pub use letter::{Letter, LetterError};
pub use settings::{MailSettings, MailSettingsError};

use crate::db::Transaction;
use crate::queue::{Handlers, NewJob, NewJobError, Queue};
use mailer::Mailer;

/// The way to send mail; cheap to clone.
#[derive(Clone)]
pub struct Mail {
    mailer: Option<Mailer>,
}

/// Why a letter was not enqueued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// It can't be sent to anybody.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// It can't be written down.
    #[error("the letter can't be written down")]
    Payload(#[from] serde_json::Error),
    /// The queue.
    #[error(transparent)]
    Job(#[from] NewJobError),
}

impl Mail {
    /// Sent like this. Without settings nothing is written down, and nothing sent.
    pub fn new(settings: Option<MailSettings>) -> Self {
        Self { mailer: settings.map(Mailer::new) }
    }

    /// Has `letter` sent once `transaction` commits.
    pub async fn enqueue(
        &self,
        queue: &Queue,
        transaction: &Transaction,
        letter: &Letter,
    ) -> Result<(), EnqueueError> {
        if self.mailer.is_none() {
            return Ok(());
        }
        letter.check()?;
        queue.enqueue(transaction, &NewJob::of::<MailHandler>(letter)?).await?;
        Ok(())
    }

    /// Adds the handler that sends what was enqueued.
    #[must_use]
    pub fn add_to(&self, handlers: Handlers) -> Handlers {
        match &self.mailer {
            Some(mailer) => handlers.with(MailHandler::new(mailer.clone())),
            None => handlers,
        }
    }
}
