//! The access log of a product's server, in the Combined Log Format with the seconds that each answer
//! took behind it, as nginx writes them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::error::Reason;

/// Takes in one line after the other.
pub(super) struct Log(Mutex<BufWriter<File>>);

/// A line.
pub(super) struct Line<'a> {
    pub(super) reader: &'a str,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

impl Log {
    pub(super) fn create(path: &Path) -> Result<Self, Reason> {
        Ok(Self(Mutex::new(BufWriter::new(File::create(path)?))))
    }

    pub(super) fn add(&self, line: &Line<'_>) -> Result<(), Reason> {
        let format = format_description!(
            "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
        );
        let at = OffsetDateTime::now_utc().format(format)?;
        let Line { reader, method, target, status, bytes, took } = line;
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = took.as_secs_f64();
        writeln!(
            file,
            "{reader} - - [{at}] \"{method} {target} HTTP/1.1\" {status} {bytes} \"-\" \"-\" {seconds:.3}"
        )?;
        Ok(())
    }

    /// Writes what is left to the file.
    pub(super) fn flush(&self) -> Result<(), Reason> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }
}
