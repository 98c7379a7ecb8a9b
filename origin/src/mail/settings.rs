//! How mail is sent.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};

/// Longest wait for one answer of a server.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How, and from whom. Has no `Debug`: it may hold a password.
#[derive(Clone)]
pub struct MailSettings {
    pub(super) from: Mailbox,
    pub(super) way: Way,
}

/// Where letters go.
#[derive(Clone)]
pub(super) enum Way {
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into a directory, as files.
    Directory(PathBuf),
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MailSettingsError {
    /// The server. Without the URL, and without the reason, which may quote it: it holds a password.
    #[error(
        "--mail is no smtp:// or smtps:// URL that can be used; write it as smtps://user:password@host:port"
    )]
    Url,
    /// The sender.
    #[error("--mail-from must be an address, such as Shop <no-reply@example.com>")]
    From,
}

impl MailSettings {
    /// Reads `--mail`, a URL or a directory, and `--mail-from`.
    pub fn parse(how: &str, from: &str) -> Result<Self, MailSettingsError> {
        let from = from.parse().map_err(|_| MailSettingsError::From)?;
        let way = if how.starts_with("smtp://") || how.starts_with("smtps://") {
            let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(how);
            Way::Smtp(builder.map_err(|_| MailSettingsError::Url)?.timeout(Some(ANSWER_MAX)).build())
        } else if how.contains("://") {
            return Err(MailSettingsError::Url);
        } else {
            Way::Directory(how.into())
        };
        Ok(Self { from, way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(how: &str, from: &str) -> &'static str {
        match MailSettings::parse(how, from) {
            Ok(MailSettings { way: Way::Smtp(_), .. }) => "smtp",
            Ok(MailSettings { way: Way::Directory(_), .. }) => "directory",
            Err(MailSettingsError::Url) => "bad url",
            Err(MailSettingsError::From) => "bad from",
        }
    }

    #[test]
    fn mail_goes_to_a_server_or_into_a_directory() {
        for (how, expected) in [
            ("smtps://user:password@mail.example.com", "smtp"),
            ("smtp://localhost:2525", "smtp"),
            ("smtp://user:password@mail.example.com?tls=required", "smtp"),
            ("target/mail", "directory"),
            ("/var/mail", "directory"),
            ("smtp://mail.example.com?tls=perhaps", "bad url"),
            ("https://mail.example.com", "bad url"),
            ("SMTPS://mail.example.com", "bad url"),
        ] {
            assert_eq!(check(how, "no-reply@example.com"), expected, "{how}");
        }
        assert_eq!(check("mail", "nobody"), "bad from");
        assert_eq!(check("mail", "Shop <no-reply@example.com>"), "directory");
    }

    #[test]
    fn no_password_is_told() {
        let error =
            MailSettings::parse("smtp://user:hunter2@host?tls=perhaps", "a@example.com").err().unwrap();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
