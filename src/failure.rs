//! Why a command failed, for the person who typed it.

use std::fmt;

/// One plain sentence that says what failed and what to do, and, where another
/// program failed, the last lines it printed.
#[derive(Debug)]
pub(crate) struct Failure {
    sentence: String,
    output: Option<String>,
    code: u8,
}

/// What this process ends with, unless another program's failure has a code of its own.
const CODE: u8 = 1;

impl Failure {
    /// A failure that `sentence` says all about.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), output: None, code: CODE }
    }

    /// Adds what the failed program printed.
    pub(crate) fn with_output(mut self, output: impl Into<String>) -> Self {
        self.output = Some(output.into()).filter(|output| !output.trim().is_empty());
        self
    }

    /// With the code that another program ended with, for whoever asks for this one's.
    pub(crate) fn with_code(self, code: Option<u8>) -> Self {
        Self { code: code.filter(|code| *code != 0).unwrap_or(CODE), ..self }
    }

    /// What this process ends with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        if let Some(output) = &self.output {
            for line in output.trim_end().lines() {
                write!(f, "\n  | {line}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Says what was being done with a file when the system refused.
pub(crate) trait IoContext<T> {
    /// Turns an I/O error into "cannot {doing} {path}: …".
    fn or_fail(self, doing: &str, path: &std::path::Path) -> Result<T, Failure>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn or_fail(self, doing: &str, path: &std::path::Path) -> Result<T, Failure> {
        self.map_err(|error| {
            let advice =
                if error.kind() == std::io::ErrorKind::StorageFull { "; free some space" } else { "" };
            Failure::new(format!("cannot {doing} {}: {error}{advice}", path.display()))
        })
    }
}
