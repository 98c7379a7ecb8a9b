//! `webhooks`: looks after the endpoints that are told what happens.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use tidewall_api::command::webhooks::{self, WebhooksCommand};

use super::accounts;
use super::database::DatabaseArgs;
use super::error::CommandError;
use super::output::{cell, json, print};
use crate::db::Db;
use crate::queue::Queue;
use crate::shop::events::EVENTS;
use crate::timestamp::rfc3339;
use crate::webhooks::{Addresses, EndpointRow, Event, Events, Subscribed, Webhooks, endpoints};

#[derive(Debug, Args)]
pub(super) struct WebhooksArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    asked: webhooks::WebhooksArgs,
}

/// An endpoint, as it is printed.
#[derive(Serialize)]
struct Shown {
    url: String,
    events: Vec<String>,
    created_at: String,
    waiting: i64,
    discarded: i64,
}

impl From<EndpointRow> for Shown {
    fn from(row: EndpointRow) -> Self {
        let EndpointRow { url, events, created_at, waiting, discarded } = row;
        Self { url, events, created_at: rfc3339(created_at), waiting, discarded }
    }
}

pub(super) async fn webhooks(args: WebhooksArgs) -> Result<(), CommandError> {
    let queue = Queue::new(Db::new(args.database.settings()?), None);
    let as_json = args.asked.json;
    let text = match args.asked.command {
        WebhooksCommand::List => {
            let all: Vec<_> = endpoints::list(&queue).await?.into_iter().map(Shown::from).collect();
            if as_json { json(&json!({ "endpoints": all })) } else { table(&all) }
        }
        WebhooksCommand::Add { url, events } => {
            let subscribed = add(queue.db(), &url, &events).await?;
            // Whoever doesn't see it needs another one.
            return print(&added(&subscribed, as_json)).map_err(CommandError::Unseen);
        }
        WebhooksCommand::Remove { url } => {
            let cancelled = endpoints::remove(&queue, &url).await?;
            let cancelled = cancelled.ok_or_else(|| CommandError::NoEndpoint { url: cell(&url) })?;
            if as_json {
                json(&json!({ "url": url, "cancelled": cancelled }))
            } else {
                format!("removed {}; messages that waited for it and are cancelled: {cancelled}", cell(&url))
            }
        }
        WebhooksCommand::Test { url } => {
            let job = endpoints::ping(&queue, &url).await?;
            let job = job.ok_or_else(|| CommandError::NoEndpoint { url: cell(&url) })?.id;
            if as_json {
                json(&json!({ "url": url, "job": job }))
            } else {
                format!("job {job} sends `ping` there, once; `jobs show {job}` says what came of it")
            }
        }
    };
    // Nobody is left to tell if stdout is closed.
    let _ = print(&text);
    Ok(())
}

async fn add(db: &Db, url: &str, events: &[String]) -> Result<Subscribed, CommandError> {
    let events = known(EVENTS, events)?;
    let webhooks = Webhooks::new(&accounts::secrets()?, Addresses::Public);
    let subscribed = db.write(async |transaction| webhooks.subscribe(transaction, url, &events).await);
    Ok(subscribed.await?.value)
}

fn added(subscribed: &Subscribed, as_json: bool) -> String {
    let Subscribed { url, secret, is_new } = subscribed;
    if as_json {
        return json(&json!({ "url": url, "secret": secret, "replaced": !is_new }));
    }
    let what = if *is_new { "added" } else { "was there: replaced the events and the secret of" };
    let note = "The secret signs the messages. It is not shown again.";
    format!("{what} {}\nsecret: {secret}\n{note}", cell(url))
}

/// The events of these names.
fn known(events: Events, names: &[String]) -> Result<Vec<Event>, CommandError> {
    let find = |name: &String| {
        let unknown = || CommandError::UnknownEvent { name: cell(name), known: events.names() };
        events.find(name).ok_or_else(unknown)
    };
    names.iter().map(find).collect()
}

/// One line for each endpoint, in columns.
fn table(endpoints: &[Shown]) -> String {
    let mut text = format!("{:>9} {:>9}  {:<24}  {:<40}  events\n", "waiting", "discarded", "created", "url");
    for endpoint in endpoints {
        let _ = writeln!(
            text,
            "{:>9} {:>9}  {:<24}  {:<40}  {}",
            endpoint.waiting,
            endpoint.discarded,
            endpoint.created_at,
            cell(&endpoint.url),
            cell(&endpoint.events.join(", ")),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_nobody_publishes_is_refused_with_those_there_are() {
        let events = Events::new(&["thing.made", "thing.gone"]);
        let known = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            known(events, &names).map(|found| found.into_iter().map(Event::name).collect::<Vec<_>>())
        };
        assert_eq!(known(&["thing.gone", "thing.made"]).unwrap(), ["thing.gone", "thing.made"]);
        for unknown in ["ping", "thing", ""] {
            let error = known(&["thing.made", unknown]).unwrap_err();
            let expected = format!("there is no event `{unknown}`; there are: thing.made, thing.gone");
            assert_eq!(error.to_string(), expected);
            assert!(error.is_of_usage());
        }
        assert_eq!(known(&["\u{1b}c"]).unwrap_err().to_string().find('\u{1b}'), None);
    }

    #[test]
    fn an_endpoint_is_one_line_that_says_how_it_goes() {
        let endpoint = Shown {
            url: "https://example.com/\n".to_owned(),
            events: vec!["a".to_owned(), "b".to_owned()],
            created_at: "2026-01-01T00:00:00.000Z".to_owned(),
            waiting: 3,
            discarded: 21,
        };
        let text = table(&[endpoint]);
        let line: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line, ["3", "21", "2026-01-01T00:00:00.000Z", "https://example.com/\\n", "a,", "b"]);
        assert_eq!(text.lines().count(), 2);
    }
}
