//! A letter, and the message that becomes of it (RFC 5322). Pure.
//!
//! What a letter says comes from outside, so none of it may become a header of its own: text
//! with a line's end, or any other control character, is refused where a header holds it.

use std::time::SystemTime;

use lettre::Message;
use lettre::address::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest subject: what fits into a few lines anywhere.
const SUBJECT_CHARS_MAX: usize = 200;
/// Longest text: far more than anybody reads, and no burden for a job.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a letter's digest in its id.
const DIGEST_BYTES: usize = 8;

/// Plain text to one reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The address, and nothing else.
    pub to: String,
    /// One line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// Why a letter can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// No mail can go there.
    #[error("the letter's address is none")]
    Address,
    /// It would break the header.
    #[error("the letter's subject must be one line of 1 to {SUBJECT_CHARS_MAX} characters")]
    Subject,
    /// Nobody would read it.
    #[error("the letter's text must have at most {TEXT_BYTES_MAX} bytes")]
    Text,
    /// The parts are right and the whole is not.
    #[error("the letter can't be put into a message: {0}")]
    Message(String),
}

impl Letter {
    /// Whether it can be sent.
    pub fn check(&self) -> Result<(), LetterError> {
        self.address()?;
        let has_line = self.subject.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
        if has_line || !(1..=SUBJECT_CHARS_MAX).contains(&self.subject.chars().count()) {
            return Err(LetterError::Subject);
        }
        if self.text.len() > TEXT_BYTES_MAX { Err(LetterError::Text) } else { Ok(()) }
    }

    fn address(&self) -> Result<Address, LetterError> {
        if self.to.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(LetterError::Address);
        }
        self.to.parse().map_err(|_| LetterError::Address)
    }

    /// The message of the job `job`. Each of its attempts makes one with the same id.
    pub(super) fn message(
        &self,
        from: &Mailbox,
        job: i64,
        sent_at: SystemTime,
    ) -> Result<Message, LetterError> {
        self.check()?;
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, self.address()?))
            .subject(self.subject.clone())
            .date(sent_at)
            .message_id(Some(self.id(job, from.email.domain())))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(Body::new(self.text.clone()));
        message.map_err(|error| LetterError::Message(error.to_string()))
    }

    /// With a digest of what it says: another database counts its jobs from 1 as well.
    fn id(&self, job: i64, domain: &str) -> String {
        let digest = [&self.to, &self.subject, &self.text]
            .into_iter()
            .fold(Sha256::new(), |digest, part| digest.chain_update(part).chain_update([0]))
            .finalize();
        let digest: String = digest[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("<job-{job}.{digest}@{domain}>")
    }
}

/// Has nobody's holiday note answer (RFC 3834, section 5).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    fn letter(to: &str, subject: &str, text: &str) -> Letter {
        Letter { to: to.to_owned(), subject: subject.to_owned(), text: text.to_owned() }
    }

    fn write(letter: &Letter, job: i64) -> Result<String, LetterError> {
        let from = "Shop <no-reply@example.com>".parse().unwrap();
        let message = letter.message(&from, job, UNIX_EPOCH)?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    /// The names of a message's fields.
    fn fields(message: &str) -> Vec<&str> {
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split_once(':').unwrap().0).collect()
    }

    const FIELDS: [&str; 8] = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    #[test]
    fn a_letter_becomes_a_message() {
        let message = write(&letter("ada@example.org", "Your report", "It is there.\n"), 7).unwrap();
        assert_eq!(fields(&message), FIELDS);
        for line in [
            "From: Shop <no-reply@example.com>",
            "To: ada@example.org",
            "Subject: Your report",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(message.contains(&format!("{line}\r\n")), "{line} is missing in\n{message}");
        }
        assert!(message.ends_with("\r\n\r\nIt is there.\r\n"), "{message}");
    }

    #[test]
    fn attempts_have_one_id_and_other_letters_have_another() {
        let id = |letter: &Letter, job| {
            let message = write(letter, job).unwrap();
            let line = message.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
            assert!(line.ends_with("@example.com>"), "{line}");
            line
        };
        let first = letter("ada@example.org", "Hello", "text");
        assert_eq!(id(&first, 7), id(&first, 7));
        assert_ne!(id(&first, 7), id(&first, 8));
        assert_ne!(id(&first, 7), id(&letter("ada@example.org", "Hello", "other"), 7));
    }

    #[test]
    fn what_is_no_address_gets_no_mail() {
        for to in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "Ada <ada@example.org>",
            "ada@example.org, eve@example.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "\"a\r\nb\"@example.org",
            "ada@example.org\n",
            " ada@example.org",
            "ada@exam\u{0}ple.org",
        ] {
            assert_eq!(write(&letter(to, "Hello", "text"), 7), Err(LetterError::Address), "{to:?}");
        }
    }

    #[test]
    fn a_subject_is_one_line_and_a_text_has_a_bound() {
        for subject in ["", "a\r\nBcc: eve@example.org", "a\nb", "a\rb", "a\u{0}b", "a\u{85}b", "a\u{2028}b"]
        {
            assert_eq!(
                write(&letter("a@example.org", subject, ""), 7),
                Err(LetterError::Subject),
                "{subject:?}"
            );
        }
        let long = "ü".repeat(SUBJECT_CHARS_MAX + 1);
        assert_eq!(letter("a@example.org", &long, "").check(), Err(LetterError::Subject));
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        assert_eq!(letter("a@example.org", "a", &long).check(), Err(LetterError::Text));
    }

    proptest! {
        /// Nothing that a letter says becomes a field, or ends the head.
        #[test]
        fn no_letter_writes_a_header(to in ".{0,40}@[a-z]{1,9}.org", subject in ".{1,200}", text in "(.|\r|\n){0,300}") {
            if let Ok(message) = write(&letter(&to, &subject, &text), 7) {
                prop_assert_eq!(fields(&message), FIELDS);
            }
        }

        /// Neither do line ends in any place.
        #[test]
        fn line_ends_are_refused(before in "[ -~]{0,20}", end in "\r\n|\r|\n", after in "[ -~]{0,20}") {
            let text = format!("{before}{end}{after}");
            prop_assert!(letter("a@example.org", &text, "").check().is_err());
            let address = format!("{text}@example.org");
            prop_assert!(letter(&address, "a", "").check().is_err());
        }
    }
}
