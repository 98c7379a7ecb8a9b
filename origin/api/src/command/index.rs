//! `index`: which indexes a workload lacks, and which it has in vain.

use std::path::PathBuf;

use clap::Args;

/// What is asked about indexes.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
// Whoever takes them in may have a group of this name.
#[group(skip)]
pub struct IndexArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Build what is proposed, while others write; measure again; keep it, or take it back
    #[arg(long)]
    pub apply: bool,
    /// Look at the statements in this file, separated by semicolons, instead of those counted by
    /// pg_stat_statements
    #[arg(long, value_name = "FILE")]
    pub statements: Option<PathBuf>,
    /// Try indexes on copies of at most so many rows; of a larger table so many are drawn
    #[arg(long, value_name = "ROWS", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub sample_rows: u64,
}

impl IndexArgs {
    /// The arguments that are read as this.
    pub fn to_arguments(&self) -> Vec<String> {
        let Self { json, apply, statements, sample_rows } = self;
        let mut all = vec![format!("--sample-rows={sample_rows}")];
        all.extend(json.then(|| "--json".to_owned()));
        all.extend(apply.then(|| "--apply".to_owned()));
        all.extend(statements.as_ref().map(|file| format!("--statements={}", file.display())));
        all
    }
}
