//! Mail, which jobs send.

use std::fmt;

use clap::Args;

use super::error::CommandError;
use crate::db::Db;
use crate::files::{FileStore, LinkKey};
use crate::mail::{Mail, MailSettings};
use crate::outbox::Outbox;
use crate::queue::{Queue, Seal};
use crate::shop::Means;
use crate::signing::Secrets;
use crate::webhooks::{Addresses, Webhooks};

/// How mail is sent.
#[derive(Args)]
pub(super) struct MailArgs {
    /// How mail is sent: smtps://user:password@host:port, smtp://… with ?tls=required for STARTTLS,
    /// or a directory into which it is put as .eml files. Without it no mail is written
    #[arg(long, value_name = "URL|DIR", env = "MAIL", hide_env_values = true)]
    mail: Option<String>,
    /// Whom mail is from
    #[arg(long, value_name = "ADDRESS", env = "MAIL_FROM", default_value = "Tidewall <no-reply@localhost>")]
    mail_from: String,
    /// Where people reach what is served, for links in mail
    #[arg(long, value_name = "URL", env = "PUBLIC_URL", default_value = "http://127.0.0.1:8787")]
    public_url: String,
}

impl MailArgs {
    /// What jobs need, wherever they are enqueued or run.
    pub(super) fn means(
        &self,
        db: &Db,
        secrets: &Secrets,
        files: FileStore,
        outbox: Outbox,
    ) -> Result<Means, CommandError> {
        Ok(Means {
            queue: Queue::new(db.clone(), Some(Seal::new(secrets))),
            files,
            links: LinkKey::new(secrets),
            outbox,
            mail: self.mail()?,
            webhooks: Webhooks::new(secrets, Addresses::Public),
            public_url: self.public_url.trim().trim_end_matches('/').to_owned(),
        })
    }

    fn mail(&self) -> Result<Mail, CommandError> {
        // A variable that is set to nothing is not set.
        let how = self.mail.as_deref().map(str::trim).filter(|how| !how.is_empty());
        Ok(Mail::new(how.map(|how| MailSettings::parse(how, &self.mail_from)).transpose()?))
    }
}

/// Without the URL: it holds a password.
impl fmt::Debug for MailArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailArgs").field("mail_from", &self.mail_from).finish_non_exhaustive()
    }
}
