//! Sends messages: to a mail server, or into a directory.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use lettre::transport::smtp;
use lettre::{AsyncTransport as _, Message};
use tokio::fs;

use super::letter::{Letter, LetterError};
use super::settings::{MailSettings, Way};

/// Sends letters; cheap to clone.
#[derive(Clone)]
pub(super) struct Mailer(MailSettings);

/// Why a letter was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// It can't be.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// The server, or the way there.
    #[error("the mail server did not take the letter")]
    Smtp(#[from] smtp::Error),
    /// The directory.
    #[error("the letter can't be put into the directory for mail")]
    File(#[from] io::Error),
}

impl Mailer {
    pub(super) fn new(settings: MailSettings) -> Self {
        Self(settings)
    }

    /// Sends the letter of the job `job`.
    pub(super) async fn send(&self, letter: &Letter, job: i64) -> Result<(), SendError> {
        let MailSettings { from, way } = &self.0;
        let message = letter.message(from, job, SystemTime::now())?;
        match way {
            Way::Smtp(transport) => transport.send(message).await.map(drop)?,
            Way::Directory(directory) => put(directory, job, &message).await?,
        }
        Ok(())
    }
}

/// Puts a message under its job's name, where another attempt replaces it. It gets that name
/// when it is complete.
async fn put(directory: &Path, job: i64, message: &Message) -> io::Result<()> {
    fs::create_dir_all(directory).await?;
    let unfinished = directory.join(format!(".{job}.eml"));
    fs::write(&unfinished, message.formatted()).await?;
    fs::rename(&unfinished, directory.join(format!("{job}.eml"))).await
}
