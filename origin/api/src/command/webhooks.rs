//! `webhooks`: the endpoints that are told what happens, for those who look after them.

use clap::{Args, Subcommand};

/// What is to be done with which endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
// Whoever takes them in may have a group of this name.
#[group(skip)]
pub struct WebhooksArgs {
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: WebhooksCommand,
}

/// What can be done with endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum WebhooksCommand {
    /// List the endpoints, and of each how many messages wait and were discarded
    List,
    /// Have an endpoint be told of events; prints the secret that signs its messages, once. One
    /// that is there already is told of these events instead, and has a new secret
    Add {
        /// Where the messages are sent: https, and out in the world
        #[arg(value_name = "URL")]
        url: String,
        /// An event that it is told of; repeat it for more
        #[arg(long = "event", value_name = "NAME", required = true, num_args = 1..)]
        events: Vec<String>,
    },
    /// Have an endpoint be told of nothing any more, nor of what waits for it
    Remove {
        /// Where the messages are sent
        #[arg(value_name = "URL")]
        url: String,
    },
    /// Send an endpoint a message named `ping`, once
    Test {
        /// Where the messages are sent
        #[arg(value_name = "URL")]
        url: String,
    },
}

impl WebhooksArgs {
    /// The arguments that are read as this.
    pub fn to_arguments(&self) -> Vec<String> {
        let Self { json, command } = self;
        let (name, url, events) = match command {
            WebhooksCommand::List => ("list", None, None),
            WebhooksCommand::Add { url, events } => ("add", Some(url), Some(events)),
            WebhooksCommand::Remove { url } => ("remove", Some(url), None),
            WebhooksCommand::Test { url } => ("test", Some(url), None),
        };
        let mut all = vec![name.to_owned()];
        all.extend(events.into_iter().flatten().map(|event| format!("--event={event}")));
        all.extend(json.then(|| "--json".to_owned()));
        // Whatever it begins with.
        all.extend(url.into_iter().flat_map(|url| ["--".to_owned(), url.clone()]));
        all
    }
}
