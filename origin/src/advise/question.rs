//! Where to look.

use std::path::PathBuf;
use std::time::Duration;

use tidewall_api::advice::InPlace;
use tokio_postgres::Config;

/// Everything that can be looked at; what isn't named is `unknown`.
#[derive(Default)]
pub struct Question {
    /// The servers of a database, of which one is written to.
    pub primary: Vec<Config>,
    /// Its replicas.
    pub replicas: Vec<Config>,
    /// CPUs of the primary's machine. Known by itself where that is this one.
    pub database_cpus: Option<f64>,
    /// An access log.
    pub access_log: Option<PathBuf>,
    /// Origins of Tidewall, whose counters are looked at.
    pub origins: Vec<url::Url>,
    /// An edge of Tidewall, with the token that opens its counters.
    pub edge: Option<(url::Url, Option<String>)>,
    /// This machine is the application's.
    pub is_host: bool,
    /// Users of a month.
    pub users: Option<f64>,
    /// What is there already, as somebody says.
    pub in_place: Vec<InPlace>,
    /// Between two looks.
    pub interval: Duration,
}

impl Question {
    /// Whether there is anything to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.primary.is_empty()
            && self.access_log.is_none()
            && self.origins.is_empty()
            && self.edge.is_none()
            && !self.is_host
    }

    /// What is looked at, without secrets: by that a ledger knows it again.
    pub fn system(&self) -> String {
        let database = self.primary.first().map(|config| {
            let host = config.get_hosts().first().map(|host| match host {
                tokio_postgres::config::Host::Tcp(name) => name.clone(),
                tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
            });
            let port = config.get_ports().first().copied().unwrap_or(5_432);
            let name = config.get_dbname().or(config.get_user()).unwrap_or_default();
            format!("{}:{port}/{name}", host.unwrap_or_default())
        });
        let log = self.access_log.as_ref().map(|file| file.display().to_string());
        let edge = self.edge.iter().map(|(url, _)| url);
        let urls = self.origins.iter().chain(edge).map(|url| url.origin().ascii_serialization());
        let all: Vec<_> = database.into_iter().chain(log).chain(urls).collect();
        if all.is_empty() { "this machine".to_owned() } else { all.join(" ") }
    }
}
