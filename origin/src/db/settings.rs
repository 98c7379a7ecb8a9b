//! Which servers there are, and how many connections to keep to each.

use std::time::Duration;

use tidewall_api::postgres::{Authorities, Encryption, UrlError};
use tokio_postgres::config::{Host, SslMode};

/// Where the database is reached. Has no `Debug`: it holds passwords.
#[derive(Clone)]
pub struct DbSettings {
    /// Every server, the one that is the primary to begin with first.
    pub(super) servers: Vec<tokio_postgres::Config>,
    pub(super) pool: PoolSettings,
    /// How connections to them are encrypted.
    pub(super) encryption: Encryption,
}

/// How many connections to keep to each server, and for how long. Every number is
/// of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Connections that are kept open, so that a request finds one ready.
    pub min: usize,
    /// Most connections to the primary, all that a process makes counted.
    pub max: usize,
    /// Most connections to a replica, likewise.
    pub replica_max: usize,
    /// A connection beyond `min` that was not used for so long is closed.
    pub idle: Duration,
    /// A connection is replaced at this age, give or take a tenth that is drawn
    /// when it is made, so that connections made together don't end together.
    pub lifetime: Duration,
    /// Longest wait for a connection: a caller that waits longer is better told to come back.
    pub acquire_deadline: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            min: 5,
            max: 20,
            replica_max: 50,
            idle: Duration::from_secs(30),
            lifetime: Duration::from_mins(30),
            acquire_deadline: Duration::from_secs(2),
        }
    }
}

/// Of a server's connections one is its monitor's, and these are kept for
/// [`super::Db::reserved`].
pub(super) const RESERVED: usize = 2;
/// The least that leaves a connection for everybody else.
const MAX_LEAST: usize = RESERVED + 2;

impl PoolSettings {
    fn check(&self) -> Result<(), SettingsError> {
        if self.max < MAX_LEAST || self.replica_max < MAX_LEAST {
            return Err(SettingsError::PoolTooSmall { least: MAX_LEAST });
        }
        if self.min > self.max.min(self.replica_max) {
            return Err(SettingsError::MinPastMax);
        }
        Ok(())
    }

    /// How old a connection gets for which `random` was drawn, uniform over its range.
    pub(super) fn lifetime(&self, random: u16) -> Duration {
        let tenth = self.lifetime / 10;
        self.lifetime - tenth + (tenth * 2).mul_f64(f64::from(random) / f64::from(u16::MAX))
    }
}

/// A setting that can't be used. Never quotes a URL: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A URL that leads to no server.
    #[error("{what} {why}")]
    Url {
        /// Which setting.
        what: String,
        /// Why.
        why: UrlError,
    },
    /// The authorities that may sign a server's certificate can't be used.
    #[error("{0}")]
    Authorities(String),
    /// Leaves no connection for requests.
    #[error(
        "a pool needs at least {least} connections: one watches the server and two are kept for emergencies"
    )]
    PoolTooSmall {
        /// The least it needs.
        least: usize,
    },
    /// Keeps more connections than it may make.
    #[error("a pool can't keep more connections open than it may have; lower its min, or raise its max")]
    MinPastMax,
}

impl DbSettings {
    /// Reads the URL of the primary and those of its replicas. A URL may name
    /// several hosts, `postgres://user@a:5433,b:5434/database`: whichever of all
    /// these servers is the primary, now and after a promotion, is found out.
    pub fn parse(primary: &str, replicas: &[String]) -> Result<Self, SettingsError> {
        let authorities = Authorities::of_environment();
        let mut servers = parse("the database URL", primary, &authorities)?;
        for (number, url) in (1..).zip(replicas) {
            servers.extend(parse(&format!("the URL of replica {number}"), url, &authorities)?);
        }
        let encryption =
            authorities.encryption().map_err(|error| SettingsError::Authorities(error.to_string()))?;
        let mut seen = Vec::new();
        servers.retain(|server| {
            let address = (server.get_hosts().to_vec(), server.get_ports().to_vec());
            let is_new = !seen.contains(&address);
            seen.push(address);
            is_new
        });
        Ok(Self { servers, pool: PoolSettings::default(), encryption })
    }

    /// Each of the servers, for who connects by itself.
    pub(crate) fn servers(&self) -> Vec<tokio_postgres::Config> {
        self.servers.clone()
    }

    /// The same with another size of the pools.
    pub fn with_pool(self, pool: PoolSettings) -> Result<Self, SettingsError> {
        pool.check()?;
        Ok(Self { pool, ..self })
    }
}

/// The servers that a URL names.
fn parse(
    what: &str,
    url: &str,
    authorities: &Authorities,
) -> Result<Vec<tokio_postgres::Config>, SettingsError> {
    let config = authorities.read(url).map_err(|why| SettingsError::Url { what: what.to_owned(), why })?;
    Ok((0..config.get_hosts().len()).map(|index| one_of(&config, index)).collect())
}

/// The same settings for one of the hosts. There is no way to take a host away
/// from a configuration, so one is made anew from all that a URL can set.
fn one_of(all: &tokio_postgres::Config, index: usize) -> tokio_postgres::Config {
    let mut one = tokio_postgres::Config::new();
    match &all.get_hosts()[index] {
        Host::Tcp(host) => one.host(host),
        #[cfg(unix)]
        Host::Unix(path) => one.host_path(path),
    };
    if let Some(address) = all.get_hostaddrs().get(index) {
        one.hostaddr(*address);
    }
    // One port may stand for all hosts.
    let ports = all.get_ports();
    if let Some(port) = ports.get(index).or_else(|| ports.first().filter(|_| ports.len() == 1)) {
        one.port(*port);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(database) = all.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    one.application_name(all.get_application_name().unwrap_or("tidewall"));
    one.ssl_mode(all.get_ssl_mode()).ssl_negotiation(all.get_ssl_negotiation());
    one.channel_binding(all.get_channel_binding());
    // Sockets of this machine are never encrypted.
    if !matches!(&all.get_hosts()[index], Host::Tcp(_)) {
        one.ssl_mode(SslMode::Disable);
    }
    one.connect_timeout(all.get_connect_timeout().copied().unwrap_or(CONNECT_MAX));
    one.tcp_user_timeout(all.get_tcp_user_timeout().copied().unwrap_or(UNACKNOWLEDGED_MAX));
    one.keepalives(all.get_keepalives());
    // tokio-postgres' own default is two hours, after which nobody waits any more.
    one.keepalives_idle(all.get_keepalives_idle().min(KEEPALIVE_IDLE));
    one.keepalives_interval(all.get_keepalives_interval().unwrap_or(KEEPALIVE_INTERVAL));
    one.keepalives_retries(all.get_keepalives_retries().unwrap_or(KEEPALIVE_RETRIES));
    one
}

/// Longest wait for a server to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// What a peer doesn't acknowledge for so long is lost, and the connection with it.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// A connection that is silent for so long is asked whether it is still there,
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// so often,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// so many times.
const KEEPALIVE_RETRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(primary: &str, replicas: &[&str], message: Option<&str>) {
        let replicas: Vec<String> = replicas.iter().map(|&url| url.to_owned()).collect();
        let error = DbSettings::parse(primary, &replicas).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), message);
    }

    #[test]
    fn urls_of_postgres_are_read() {
        check("postgres://u:p@127.0.0.1:5433/db", &["postgresql://127.0.0.1:5434/db"], None);
        check(" postgres://u@localhost/db?sslmode=disable\n", &[], None);
    }

    #[test]
    fn a_bad_url_is_named_and_not_quoted() {
        let form = "is not a PostgreSQL URL; write it as postgres://user:password@host:port/database";
        check("mysql://u:secret@h/db", &[], Some(&format!("the database URL {form}")));
        check("", &[], Some(&format!("the database URL {form}")));
        check(
            "postgres://h/db",
            &["postgres://h/db", "h:secret"],
            Some(&format!("the URL of replica 2 {form}")),
        );
    }

    #[test]
    fn of_several_hosts_a_socket_is_not_encrypted() {
        let settings = DbSettings::parse("postgres://u@%2Frun,h/db?sslmode=require", &[]).unwrap();
        let modes: Vec<_> = settings.servers.iter().map(|server| server.get_ssl_mode()).collect();
        assert_eq!(modes, [SslMode::Disable, SslMode::Require]);
    }

    fn addresses(primary: &str, replicas: &[&str]) -> Vec<String> {
        let replicas: Vec<String> = replicas.iter().map(|&url| url.to_owned()).collect();
        let settings = DbSettings::parse(primary, &replicas).unwrap();
        let address = |server: &tokio_postgres::Config| {
            let Host::Tcp(host) = &server.get_hosts()[0] else { panic!("no host name") };
            assert_eq!((server.get_hosts().len(), server.get_user()), (1, Some("u")));
            format!("{host}:{}", server.get_ports().first().copied().unwrap_or_default())
        };
        settings.servers.iter().map(address).collect()
    }

    #[test]
    fn every_host_of_every_url_is_a_server_once() {
        assert_eq!(
            addresses("postgres://u@a:1,b:2/db", &["postgres://u@c:3/db", "postgres://u@b:2/db"]),
            ["a:1", "b:2", "c:3"]
        );
        assert_eq!(addresses("postgres://u@a:7,b:7/db", &["postgres://u@b:7/db"]), ["a:7", "b:7"]);
    }

    #[test]
    fn a_pool_that_can_not_work_is_refused() {
        let with = |pool| DbSettings::parse("postgres://h/db", &[]).unwrap().with_pool(pool).err();
        let standard = PoolSettings::default();
        assert_eq!(with(standard), None);
        assert_eq!(
            with(PoolSettings { max: 3, min: 1, ..standard }),
            Some(SettingsError::PoolTooSmall { least: 4 })
        );
        assert_eq!(with(PoolSettings { min: 21, ..standard }), Some(SettingsError::MinPastMax));
    }

    #[test]
    fn lifetimes_differ_by_a_tenth_at_most() {
        let pool = PoolSettings { lifetime: Duration::from_secs(100), ..PoolSettings::default() };
        assert_eq!(pool.lifetime(0), Duration::from_secs(90));
        assert_eq!(pool.lifetime(u16::MAX), Duration::from_secs(110));
    }
}
