//! What is kept of a run: a file for each bench, a report of all that is kept, and the table of
//! docs/scale.md.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::catalog::Bench;
use crate::report::html::html;
use crate::report::markdown::{growths, markdown};
use crate::report::{Report, measured_by};

/// Between these the document has its table.
const MARKERS: [&str; 2] = ["<!-- scale -->", "<!-- /scale -->"];

/// Where what is kept goes.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The folder with a file for each bench, and the reports.
    pub folder: &'a Path,
    /// The document that has what [`Bench::Scale`] came to.
    pub document: &'a Path,
}

impl Kept<'_> {
    /// Keeps the results of each bench in place of those of an earlier run, and writes the report of
    /// all that are there anew, as Markdown and as a page.
    ///
    /// # Errors
    /// A file can't be written, or one that is there can't be read; the document has no place for
    /// the table.
    pub fn keep(&self, report: &Report) -> io::Result<()> {
        fs::create_dir_all(self.folder)?;
        for bench in Bench::ALL {
            let own = measured_by(report, *bench);
            if own.results.is_empty() {
                continue;
            }
            let mut json = serde_json::to_vec_pretty(&own)?;
            json.push(b'\n');
            fs::write(self.file(*bench), json)?;
            if *bench == Bench::Scale {
                self.write_document(&own)?;
            }
        }
        let kept = Bench::ALL.iter().map(|bench| self.read(*bench));
        let kept: Vec<Report> = kept.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        fs::write(self.folder.join("report.md"), markdown(&kept))?;
        fs::write(self.folder.join("report.html"), html(&kept))
    }

    /// What is kept of a bench; `None` where it was never measured, or told in an earlier form.
    fn read(&self, bench: Bench) -> io::Result<Option<Report>> {
        match fs::read(self.file(bench)) {
            Ok(json) => Ok(serde_json::from_slice(&json).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn file(&self, bench: Bench) -> PathBuf {
        self.folder.join(format!("{}.json", bench.name()))
    }

    fn write_document(&self, report: &Report) -> io::Result<()> {
        let text = fs::read_to_string(self.document)?;
        let none = || io::Error::other(format!("{} has no {}", self.document.display(), MARKERS[0]));
        fs::write(self.document, between(&text, &growths(report)).ok_or_else(none)?)
    }
}

/// The text with this table in its place.
fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKERS[0])?;
    let (_, after) = rest.split_once(MARKERS[1])?;
    Some(format!("{before}{}\n{}\n{}{after}", MARKERS[0], table.trim_end(), MARKERS[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Better, Measurement};
    use crate::sample::Sample;

    /// A run of one bench that came to this.
    fn run(name: &'static str, figure: f64) -> Report {
        let sample = Sample::new(vec![figure]).unwrap();
        Report {
            machine: "2 CPUs".to_owned(),
            commit: None,
            day: "2026-11-30".to_owned(),
            versions: [].into(),
            results: vec![Measurement::new(name, "ms", Better::Lower, &sample)],
        }
    }

    #[test]
    fn a_run_takes_the_place_of_one_of_the_same_bench_alone() {
        let folder = std::env::temp_dir().join(format!("tidewall-bench-results-{}", std::process::id()));
        let document = folder.join("scale.md");
        let kept = Kept { folder: &folder, document: &document };
        for (name, figure) in [("pool/select", 1.0), ("queue/end-to-end", 2.0), ("pool/select", 3.0)] {
            kept.keep(&run(name, figure)).unwrap();
        }
        assert_eq!(kept.read(Bench::Pool).unwrap(), Some(run("pool/select", 3.0)));
        assert_eq!(kept.read(Bench::Queue).unwrap(), Some(run("queue/end-to-end", 2.0)));
        assert_eq!(kept.read(Bench::Edge).unwrap(), None);
        let report = fs::read_to_string(folder.join("report.md")).unwrap();
        assert!(report.contains("`pool/select`, ms, lower is better | 3 |"), "{report}");
        assert!(report.contains("`queue/end-to-end`"), "{report}");
        assert!(fs::read_to_string(folder.join("report.html")).unwrap().contains("queue/end-to-end"));
        // Without a place for its table what was measured is kept all the same.
        assert!(kept.keep(&run("scale/jobs-done", 4.0)).is_err());
        assert_eq!(kept.read(Bench::Scale).unwrap(), Some(run("scale/jobs-done", 4.0)));
        fs::write(&document, "# Scale\n\n<!-- scale -->\n<!-- /scale -->\n").unwrap();
        kept.keep(&run("scale/jobs-done", 5.0)).unwrap();
        let text = fs::read_to_string(&document).unwrap();
        assert!(text.contains("| `scale/jobs-done`, ms | 5 |  |\n<!-- /scale -->"), "{text}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let text = "a\n<!-- scale -->\nold\n<!-- /scale -->\nb\n";
        assert_eq!(between(text, "new\n").unwrap(), "a\n<!-- scale -->\nnew\n<!-- /scale -->\nb\n");
        assert_eq!(between("a\n", "new"), None);
    }

    #[test]
    fn the_document_says_what_is_kept() {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let document = bench.join("../docs/scale.md");
        let kept = Kept { folder: &bench.join("results"), document: &document };
        let text = fs::read_to_string(&document).unwrap();
        let table = match kept.read(Bench::Scale).unwrap() {
            Some(report) => growths(&report),
            None => "Not measured yet: `cargo run -- bench scale` writes the table here.".to_owned(),
        };
        assert_eq!(between(&text, &table).unwrap(), text, "run `cargo run -- bench scale` again");
    }
}
