//! What is kept of a run: a file for each bench, and a report of all that is kept.

use std::path::Path;
use std::{fs, io};

use crate::catalog::Bench;
use crate::report::html::html;
use crate::report::markdown::markdown;
use crate::report::{Report, measured_by};

/// Keeps the results of each bench in `folder`, in place of those of an earlier run, and writes the
/// report of all that are there anew, as Markdown and as a page.
///
/// # Errors
/// A file can't be written, or one that is there can't be read.
pub fn keep(folder: &Path, report: &Report) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for bench in Bench::ALL {
        let of_bench = measured_by(report, *bench);
        if !of_bench.results.is_empty() {
            fs::write(file(folder, *bench), serde_json::to_vec_pretty(&of_bench)?)?;
        }
    }
    let mut kept = Vec::new();
    for bench in Bench::ALL {
        match fs::read(file(folder, *bench)) {
            Ok(json) => kept.push(serde_json::from_slice::<Report>(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    fs::write(folder.join("report.md"), markdown(&kept))?;
    fs::write(folder.join("report.html"), html(&kept))
}

fn file(folder: &Path, bench: Bench) -> std::path::PathBuf {
    folder.join(format!("{}.json", bench.name()))
}
