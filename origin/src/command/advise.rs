//! `advise`: which of the seven tools the product needs now.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tidewall_api::advice::{Entry, InPlace, Prices, advise as decide, score};
use tidewall_api::command::advise;
use time::OffsetDateTime;
use url::Url;

use super::database::DatabaseArgs;
use super::error::CommandError;
use super::output::{json, print, text};
use crate::advise::{self as advisor, Ledger, Question, look};
use crate::shutdown::Shutdown;
use crate::timestamp::rfc3339;

/// What is asked. An edge's token comes from `TIDEWALL_PURGE_TOKEN` alone: arguments can be read by
/// everybody on the machine.
#[derive(Debug, Args)]
pub(super) struct AdviseArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    asked: advise::AdviseArgs,
}

pub(super) async fn advise(args: AdviseArgs) -> Result<(), CommandError> {
    let AdviseArgs { database, asked } = args;
    let prices = match &asked.prices {
        Some(file) => read_prices(file)?,
        None => Prices::own(),
    };
    let ledger = asked.ledger.clone().map(Ledger::new);
    // Known before the looking, which takes a while.
    let earlier = ledger.as_ref().map(Ledger::read).transpose()?.unwrap_or_default();
    let question = question(&database, &asked)?;
    let shutdown = Shutdown::on_signals().map_err(CommandError::Signals)?;
    let evidence = look(&question, shutdown.begun()).await?;
    let mut report = decide(&evidence, &prices);
    let at = rfc3339(OffsetDateTime::now_utc());
    let entry = Entry::new(at.clone(), question.system(), &report, &evidence);
    report.scores = score(&earlier, &entry);
    if let Some(ledger) = &ledger {
        ledger.add(&entry)?;
    }
    // Nobody is left to tell if stdout is closed.
    let _ = print(&if asked.json { json(&report) } else { text(&advisor::text(&report)) });
    match &asked.html {
        Some(file) => std::fs::write(file, advisor::page(&report, &at))
            .map_err(|source| CommandError::Page { file: file.clone(), source }),
        None => Ok(()),
    }
}

fn read_prices(file: &Path) -> Result<Prices, CommandError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| CommandError::Prices { file: file.to_owned(), source: source.into() })?;
    Prices::read(&text)
        .map_err(|source| CommandError::Prices { file: file.to_owned(), source: source.into() })
}

fn question(database: &DatabaseArgs, asked: &advise::AdviseArgs) -> Result<Question, CommandError> {
    let (primary, replicas) = match database.servers() {
        Ok(servers) => servers,
        // A log may be all that there is.
        Err(CommandError::NoDatabase) => (Vec::new(), Vec::new()),
        Err(error) => return Err(error),
    };
    let url = |text: &String| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(CommandError::NoUrl),
    };
    let edge = asked.edge.as_ref().map(url).transpose()?;
    let in_place = asked.in_place.iter().map(|tool| InPlace { tool: *tool, how: "as was said".to_owned() });
    Ok(Question {
        primary,
        replicas,
        database_cpus: asked.database_cpus.map(f64::from),
        access_log: asked.access_log.clone(),
        origins: asked.origin.iter().map(url).collect::<Result<_, _>>()?,
        edge: edge.map(|edge| (edge, std::env::var("TIDEWALL_PURGE_TOKEN").ok())),
        is_host: asked.host,
        users: asked.users.map(|users| users as f64),
        in_place: in_place.collect(),
        interval: Duration::from_secs(asked.interval.into()),
    })
}
