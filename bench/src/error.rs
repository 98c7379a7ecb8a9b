//! Why something was not measured. [`BenchError`] ends the run; a [`Reason`] of
//! a peer is told beside the results, and the run goes on.

use std::error::Error;
use std::fmt;

use crate::catalog::Bench;

/// Why a run ended without results.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A name that isn't one of [`Bench::ALL`].
    #[error("there is no bench `{name}`; there are: {}", known())]
    Unknown {
        /// As it was typed.
        name: String,
    },
    /// No server was named.
    #[error("DATABASE_URL is not set; run `tidewall bench`, which starts servers of its own")]
    NoDatabase,
    /// The servers can't be made ready.
    #[error("the database can't be made ready to be measured: {reason}")]
    Database {
        /// What it said.
        reason: Reason,
    },
    /// The results can't be kept.
    #[error("the results can't be kept in {folder}: {reason}")]
    Kept {
        /// Where.
        folder: String,
        /// What the system said.
        reason: Reason,
    },
    /// A contestant that the results are about can't go on.
    #[error("{name} can't be measured: {reason}")]
    Contestant {
        /// What it is called.
        name: String,
        /// What it said.
        reason: Reason,
    },
}

fn known() -> String {
    Bench::ALL.iter().map(|bench| bench.name()).collect::<Vec<_>>().join(", ")
}

/// Why a contestant can't go on, in one line: every library has its own errors,
/// and nobody here asks more of them than what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// A reason in these words.
    pub fn new(words: &str) -> Self {
        Self(words.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// What an error says, with its causes. (A reason is no error itself, or this
/// would be two conversions of a reason into a reason.)
impl<E: Error> From<E> for Reason {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_words = cause.to_string();
            // Some errors say their cause's words themselves.
            if !words.contains(&cause_words) {
                words = format!("{words}: {cause_words}");
            }
            source = cause.source();
        }
        Self::new(&words)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("can't connect")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_reason_has_all_causes_in_one_line() {
        let reason = Reason::from(Outer(std::io::Error::other("refused\n  by the server")));
        assert_eq!(reason.to_string(), "can't connect: refused by the server");
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("can't connect: {0}")]
        struct Wordy(#[source] std::io::Error);

        assert_eq!(
            Reason::from(Wordy(std::io::Error::other("refused"))).to_string(),
            "can't connect: refused"
        );
    }
}
