//! Which servers there are.

use tokio_postgres::config::SslMode;

/// Where the database is reached. Has no `Debug`: it holds passwords.
#[derive(Clone)]
pub struct DbSettings {
    pub(super) primary: tokio_postgres::Config,
    pub(super) replicas: Vec<tokio_postgres::Config>,
}

/// A setting that can't be used. Never quotes a URL: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No PostgreSQL URL.
    #[error("{what} is not a PostgreSQL URL; write it as postgres://user:password@host:port/database")]
    Url {
        /// Which setting.
        what: String,
    },
    /// Asks for encryption.
    #[error("{what} asks for sslmode=require, but connections to the database can't be encrypted yet")]
    Tls {
        /// Which setting.
        what: String,
    },
}

impl DbSettings {
    /// Reads the URL of the primary and those of its replicas.
    pub fn parse(primary: &str, replicas: &[String]) -> Result<Self, SettingsError> {
        Ok(Self {
            primary: parse("the database URL", primary)?,
            replicas: replicas
                .iter()
                .enumerate()
                .map(|(index, url)| parse(&format!("the URL of replica {}", index + 1), url))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn parse(what: &str, url: &str) -> Result<tokio_postgres::Config, SettingsError> {
    let no_url = || SettingsError::Url { what: what.to_owned() };
    let config: tokio_postgres::Config = url.trim().parse().map_err(|_| no_url())?;
    if config.get_hosts().is_empty() {
        return Err(no_url());
    }
    if config.get_ssl_mode() == SslMode::Require {
        return Err(SettingsError::Tls { what: what.to_owned() });
    }
    Ok(config)
}

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
    fn encryption_is_refused_rather_than_left_out() {
        let message = "the database URL asks for sslmode=require, but connections to the database can't be encrypted yet";
        check("postgres://h/db?sslmode=require", &[], Some(message));
    }
}
