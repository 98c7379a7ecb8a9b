//! The ledger's file: a line of JSON for each time that something was advised.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use tidewall_api::advice::Entry;

use super::AdviseError;

/// A file, there or not yet.
pub struct Ledger {
    file: PathBuf,
}

impl Ledger {
    /// The one at this place.
    pub fn new(file: PathBuf) -> Self {
        Self { file }
    }

    /// What is in it, the oldest first. A line that is none, such as of another version, is passed over.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(&self) -> Result<Vec<Entry>, AdviseError> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(AdviseError::Ledger { file: self.file.clone(), source }),
        };
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let entries = lines.filter_map(|line| match serde_json::from_str(line) {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "a line of the ledger is none; passing over it");
                None
            }
        });
        Ok(entries.collect())
    }

    /// Writes one down.
    ///
    /// # Errors
    /// It can't be written.
    pub fn add(&self, entry: &Entry) -> Result<(), AdviseError> {
        let failed = |source| AdviseError::Ledger { file: self.file.clone(), source };
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut line = serde_json::to_string(entry).map_err(|error| failed(error.into()))?;
        line.push('\n');
        // In one piece: two that write at once don't write into each other's lines.
        let file = OpenOptions::new().create(true).append(true).open(&self.file);
        file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(failed)
    }
}
