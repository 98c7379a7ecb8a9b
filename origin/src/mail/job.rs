//! The job that sends a letter.

use std::time::Duration;

use super::answer::{Verdict, judge};
use super::letter::Letter;
use super::mailer::{Mailer, SendError};
use crate::backoff::Backoff;
use crate::queue::{Handler, JobContext, JobError, Outcome};

/// Sends letters.
pub struct MailHandler {
    mailer: Mailer,
}

impl MailHandler {
    pub(super) fn new(mailer: Mailer) -> Self {
        Self { mailer }
    }
}

impl Handler for MailHandler {
    const KIND: &'static str = "mail";
    /// It may hold links that open something.
    const SECRETS: &'static [&'static str] = &["/text"];
    /// Some days in all: whoever receives it may be away over a weekend.
    const ATTEMPTS_MAX: i32 = 20;
    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(10), delay_max: Duration::from_hours(6) };
    type Payload = Letter;
    type Output = ();

    async fn run(&self, letter: Letter, job: JobContext) -> Result<Outcome<()>, JobError> {
        self.mailer.send(&letter, job.id).await.map(Outcome::Done).map_err(|error| match verdict(&error) {
            Verdict::Retry => JobError::retry("the letter could not be sent", error),
            Verdict::Discard => JobError::discard("the letter was refused", error),
        })
    }
}

fn verdict(error: &SendError) -> Verdict {
    match error {
        SendError::Letter(_) => Verdict::Discard,
        SendError::Smtp(error) => error.status().map_or(Verdict::Retry, |code| judge(code.into())),
        SendError::File(_) => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::mail::MailSettings;

    fn letter() -> Letter {
        let text = "Dear Ada,\n.\nyours\n".to_owned();
        Letter { to: "ada@example.org".to_owned(), subject: "Hello".to_owned(), text }
    }

    /// A server that takes one letter, or answers to its recipient with `refusal`; what it got.
    async fn serve(listener: TcpListener, refusal: Option<&str>) -> String {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 test\r\n").await.unwrap();
        let (mut got, mut in_data) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap() == 0 {
                return got;
            }
            got.push_str(&line);
            let answer = if in_data {
                if line != ".\r\n" {
                    continue;
                }
                in_data = false;
                "250 taken\r\n".to_owned()
            } else if line.starts_with("DATA") {
                in_data = true;
                "354 go on\r\n".to_owned()
            } else if line.starts_with("RCPT") {
                format!("{}\r\n", refusal.unwrap_or("250 ok"))
            } else {
                "250 ok\r\n".to_owned()
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    async fn send(refusal: Option<&'static str>) -> (Result<(), Verdict>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, refusal));
        let mailer = Mailer::new(MailSettings::parse(&url, "no-reply@example.com").unwrap());
        let sent = mailer.send(&letter(), 7).await.map_err(|error| verdict(&error));
        drop(mailer);
        (sent, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_letter_goes_to_the_mail_server() {
        let (sent, got) = send(None).await;
        assert_eq!(sent, Ok(()));
        assert!(got.contains("RCPT TO:<ada@example.org>"), "{got}");
        assert!(got.contains("Subject: Hello\r\n"), "{got}");
        // RFC 5321, section 4.5.2: a dot alone in a line would end the letter.
        assert!(got.contains("\r\n..\r\nyours\r\n"), "{got}");
    }

    #[tokio::test]
    async fn a_refusal_for_good_discards_and_one_for_now_does_not() {
        assert_eq!(send(Some("550 no such reader")).await.0, Err(Verdict::Discard));
        assert_eq!(send(Some("451 later")).await.0, Err(Verdict::Retry));
    }

    #[tokio::test]
    async fn no_server_is_a_failure_for_now() {
        // Nothing listens on port 1.
        let mailer = Mailer::new(MailSettings::parse("smtp://127.0.0.1:1", "a@example.com").unwrap());
        let error = mailer.send(&letter(), 7).await.unwrap_err();
        assert_eq!(verdict(&error), Verdict::Retry);
    }

    #[tokio::test]
    async fn a_second_attempt_replaces_the_file_of_the_first() {
        let directory = std::env::temp_dir().join(format!("tidewall-mail-{:x}", fastrand::u64(..)));
        let settings = MailSettings::parse(directory.to_str().unwrap(), "no-reply@example.com").unwrap();
        let mailer = Mailer::new(settings);
        for _ in 0..2 {
            mailer.send(&letter(), 7).await.unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files, [directory.join("7.eml")]);
        assert!(std::fs::read_to_string(&files[0]).unwrap().contains("To: ada@example.org\r\n"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
