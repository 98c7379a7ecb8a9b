//! `index`: which indexes the database lacks, and which it has in vain.

use clap::Args;
use tidewall_api::command::index;

use super::database::DatabaseArgs;
use super::error::CommandError;
use super::output::{json, print, text};
use crate::index::{Question, advise, statements};
use crate::shutdown::Shutdown;

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    asked: index::IndexArgs,
}

pub(super) async fn index(args: IndexArgs) -> Result<(), CommandError> {
    let index::IndexArgs { json: as_json, apply, statements: file, sample_rows } = args.asked;
    let statements = match file {
        None => None,
        Some(file) => {
            let read = std::fs::read_to_string(&file);
            let read = read.map_err(|source| CommandError::Statements { file: file.clone(), source })?;
            Some(statements(&read).ok_or(CommandError::NoStatements { file })?)
        }
    };
    let (primary, replicas) = args.database.servers()?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let question = Question { primary, replicas, statements, sample_rows: sample_rows as f64, apply };
    let advice = advise(&question, shutdown.begun()).await?;
    // Nobody is left to tell if stdout is closed.
    let _ = print(&if as_json { json(&advice) } else { text(&advice.to_text()) });
    Ok(())
}
