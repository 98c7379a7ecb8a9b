//! `advise`: which of the seven tools a product needs now.

use std::path::PathBuf;

use clap::Args;

use crate::advice::Tool;

/// What is asked of the advisor.
#[derive(Clone, Debug, Default, PartialEq, Args)]
// Whoever takes them in may have a group of this name.
#[group(skip)]
pub struct AdviseArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a page for browsers here as well
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// An access log, in the Common or Combined Log Format, or JSON in lines; - is standard input
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// Seconds between the two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub interval: u32,
    /// Users of a month
    #[arg(long, value_name = "N")]
    pub users: Option<u64>,
    /// This machine is the application's: look at its CPUs as well
    #[arg(long)]
    pub host: bool,
    /// CPUs of the database's machine, where that is another one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub database_cpus: Option<u32>,
    /// A tool that is there already (cdn, cache, load_balancer, index, read_replica, pool, queue); repeat it for more
    #[arg(long, value_name = "TOOL", value_parser = tool)]
    pub in_place: Vec<Tool>,
    /// An origin of Tidewall, whose counters are looked at; repeat it for more
    #[arg(long, value_name = "URL")]
    pub origin: Vec<String>,
    /// An edge of Tidewall; its purge token is in TIDEWALL_PURGE_TOKEN
    #[arg(long, value_name = "URL")]
    pub edge: Option<String>,
    /// Where it is written down what was advised, and compared with what came of it
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Prices instead of those that `tidewall cost --prices-json` prints
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// A tool by its name.
///
/// # Errors
/// There is none of that name.
pub fn tool(name: &str) -> Result<Tool, String> {
    Tool::named(name).ok_or_else(|| {
        let all: Vec<_> = Tool::ALL.iter().map(|tool| tool.name()).collect();
        format!("there is no such tool; there are: {}", all.join(", "))
    })
}

impl AdviseArgs {
    /// The arguments that are read as this.
    pub fn to_arguments(&self) -> Vec<String> {
        let Self { json, html, access_log, interval, users, host, database_cpus, in_place, .. } = self;
        let mut all = vec![format!("--interval={interval}")];
        all.extend(json.then(|| "--json".to_owned()));
        all.extend(host.then(|| "--host".to_owned()));
        let files =
            [("html", html), ("access-log", access_log), ("ledger", &self.ledger), ("prices", &self.prices)];
        for (name, file) in files {
            all.extend(file.as_ref().map(|file| format!("--{name}={}", file.display())));
        }
        all.extend(users.map(|users| format!("--users={users}")));
        all.extend(database_cpus.map(|cpus| format!("--database-cpus={cpus}")));
        all.extend(in_place.iter().map(|tool| format!("--in-place={}", tool.name())));
        all.extend(self.origin.iter().map(|origin| format!("--origin={origin}")));
        all.extend(self.edge.as_ref().map(|edge| format!("--edge={edge}")));
        all
    }
}
