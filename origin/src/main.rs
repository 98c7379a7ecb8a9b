//! The binary: reads its arguments, runs one command, says in one sentence why it
//! could not.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use tidewall_origin::command::Cli;
use tidewall_origin::telemetry;

/// For arguments that can't be used, as clap itself exits.
const EXIT_USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if is_answer(error.kind()) => error.exit(),
        Err(error) => {
            say(&usage_sentence(&error));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    telemetry::init();
    match cli.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&telemetry::chain(&error).to_string());
            if error.is_of_usage() { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// Not a mistake: what was asked for is printed.
fn is_answer(kind: ErrorKind) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(kind, DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion)
}

fn say(sentence: &str) {
    // Nobody is left to tell if stderr is closed.
    let _ = writeln!(std::io::stderr(), "tidewall-origin: {sentence}");
}

/// The first paragraph of what clap says, in one line.
fn usage_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    format!("{}; see --help", paragraph.join(" ").trim_start_matches("error: "))
}
