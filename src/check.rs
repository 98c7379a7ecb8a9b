//! `tidewall check`: whether what runs keeps a promise that its users rely on.

mod stateless;

use crate::cli::CheckCommand;
use crate::failure::Failure;
use crate::progress::Progress;

/// Checks, and prints what was found.
///
/// # Errors
/// It could not be checked, or the promise is broken.
pub(crate) async fn run(command: &CheckCommand, progress: &Progress) -> Result<(), Failure> {
    match command {
        CheckCommand::Stateless(args) => stateless::run(args, progress).await,
    }
}
