//! What a command tells the person who waits for it.

#![expect(clippy::print_stdout, reason = "a command's results go to standard output")]

use std::io::Write as _;
use std::time::Instant;

use crate::failure::Failure;

/// Tells progress on standard error, with the time since the command began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    started: Instant,
}

impl Progress {
    /// Begins to count.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// One step: what is being done, or what came of it.
    pub(crate) fn step(&self, what: impl AsRef<str>) {
        eprintln!("{:7.1} s  {}", self.started.elapsed().as_secs_f64(), what.as_ref());
    }

    /// The command failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        eprintln!("tidewall: {failure}");
    }

    /// What was asked for, on standard output.
    pub(crate) fn result(&self, text: &str) {
        // Whoever has read enough, such as `head`, needn't read on.
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    }

    /// A table of what runs where.
    pub(crate) fn table(&self, rows: &[(String, String)]) {
        let width = rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
        println!();
        for (what, value) in rows {
            println!("  {what:<width$}  {value}");
        }
        println!();
    }
}
