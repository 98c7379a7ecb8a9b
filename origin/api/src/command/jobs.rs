//! `jobs`: background jobs, for those who look after them.

use clap::{Args, Subcommand};

use crate::job::JobState;

/// What is to be done with which jobs.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
// Whoever takes them in may have a group of this name.
#[group(skip)]
pub struct JobsArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: JobsCommand,
}

/// What can be done with jobs.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum JobsCommand {
    /// List the newest jobs, and what waits
    List {
        /// Only those in this state; `discarded` are the dead letters
        #[arg(long)]
        state: Option<JobState>,
        /// Only those of this kind
        #[arg(long)]
        kind: Option<String>,
        /// Only those older than this one
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Show all that is kept of a job, less its secrets
    Show {
        /// The job
        id: i64,
    },
    /// Have a discarded or cancelled job run again
    Retry {
        /// The job
        id: i64,
    },
    /// Cancel a job that has not ended; one that runs is stopped by its worker
    Cancel {
        /// The job
        id: i64,
    },
}

impl JobsArgs {
    /// The arguments that are read as this.
    pub fn to_arguments(&self) -> Vec<String> {
        let Self { json, command } = self;
        let mut all = match command {
            JobsCommand::List { state, kind, before, limit } => {
                let mut list = vec!["list".to_owned(), format!("--limit={limit}")];
                list.extend(state.map(|state| format!("--state={}", state.as_str())));
                list.extend(kind.as_ref().map(|kind| format!("--kind={kind}")));
                list.extend(before.map(|before| format!("--before={before}")));
                list
            }
            JobsCommand::Show { id } => vec!["show".to_owned(), id.to_string()],
            JobsCommand::Retry { id } => vec!["retry".to_owned(), id.to_string()],
            JobsCommand::Cancel { id } => vec!["cancel".to_owned(), id.to_string()],
        };
        all.extend(json.then(|| "--json".to_owned()));
        all
    }
}
