//! How programs reach a PostgreSQL server that a URL names, and how that is encrypted: much as libpq does it
//! ("SSL Support" in the manual of PostgreSQL), by `sslmode` and the environment's `PGSSLROOTCERT`.
//!
//! - `disable`: never. `prefer` (and `allow`), as a URL says that says nothing: where the server offers it,
//!   so whoever sits between can talk both out of it. `require`: always.
//! - `PGSSLROOTCERT`: a file of the authorities that may have signed a server's certificate, or `system` for
//!   those of the machine. Wherever a connection is encrypted the certificate, and the name in it, are
//!   checked then; without it nobody knows who is at the other end. `verify-full` and `verify-ca` ask for
//!   both: `require`, and authorities.
//!
//! Other than with libpq, `verify-ca` checks the name as well, a file in the home directory is not looked
//! for, and the settings `sslrootcert`, `sslcert` and `sslkey` are refused.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use rustls_tokio_postgres::{
    MakeRustlsConnect, config_from_ca_cert, config_no_verify, config_platform_verifier,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;

/// The variable that names the authorities.
pub const ROOT_CERT: &str = "PGSSLROOTCERT";
/// Its value for those of the machine.
const SYSTEM: &str = "system";

/// Who may have signed a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Anybody: certificates aren't checked.
    Anybody,
    /// Whom the machine trusts.
    System,
    /// Those of a PEM file.
    File(PathBuf),
}

/// Authorities that can't be used.
#[derive(Debug)]
pub struct AuthoritiesError {
    why: String,
}

/// Why a URL leads to no server. None of these quotes it: it may hold a password.
#[derive(Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It is no URL of PostgreSQL.
    NoUrl,
    /// It has a setting, of this name, that is not known, or has no such value.
    Setting(String),
    /// It wants a server to prove who it is, and doesn't say by whose word.
    NoAuthorities,
}

impl Authorities {
    /// Those that the environment names.
    pub fn of_environment() -> Self {
        Self::named(std::env::var_os(ROOT_CERT))
    }

    fn named(value: Option<OsString>) -> Self {
        match value {
            Some(value) if value == SYSTEM => Self::System,
            Some(value) if !value.is_empty() => Self::File(value.into()),
            _ => Self::Anybody,
        }
    }

    /// How connections to servers that they vouch for are encrypted.
    ///
    /// # Errors
    /// They can't be read.
    pub fn encryption(&self) -> Result<Encryption, AuthoritiesError> {
        let failed = |why: String| AuthoritiesError { why };
        let config = match self {
            Self::Anybody => config_no_verify(),
            Self::System => config_platform_verifier().map_err(|error| failed(error.to_string()))?,
            Self::File(file) => {
                config_from_ca_cert(file).map_err(|error| failed(format!("{}: {error}", file.display())))?
            }
        };
        Ok(Encryption(MakeRustlsConnect::new(config)))
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn read(&self, url: &str) -> Result<Config, UrlError> {
        let url = url.trim();
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(UrlError::NoUrl);
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut config: Config = place.parse().map_err(|_| UrlError::NoUrl)?;
        if config.get_hosts().is_empty() && !query.contains("host") {
            return Err(UrlError::NoUrl);
        }
        let mut known = place.to_owned();
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let setting = match (name, value) {
                ("sslmode", "verify-full" | "verify-ca") if *self == Self::Anybody => {
                    return Err(UrlError::NoAuthorities);
                }
                ("sslmode", "verify-full" | "verify-ca") => "sslmode=require",
                ("sslmode", "allow") => "sslmode=prefer",
                ("sslrootcert", _) => return Err(UrlError::NoAuthorities),
                _ => setting,
            };
            known.push(if known.contains('?') { '&' } else { '?' });
            known.push_str(setting);
            config = known.parse().map_err(|_| UrlError::Setting(name.to_owned()))?;
        }
        // Sockets of this machine are never encrypted.
        if !config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_))) {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(config)
    }
}

impl fmt::Display for AuthoritiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{ROOT_CERT} can't be used: {}; set it to a readable PEM file, to `{SYSTEM}`, or unset it",
            self.why
        )
    }
}

impl std::error::Error for AuthoritiesError {}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => {
                write!(f, "is not a PostgreSQL URL; write it as postgres://user:password@host:port/database")
            }
            Self::Setting(name) => {
                write!(f, "has the setting `{name}`, or a value of it, that is not known here; leave it out")
            }
            Self::NoAuthorities => write!(
                f,
                "has the server's certificate checked, and names no authority in a way that is read here; set \
                 {ROOT_CERT} to their file, or to `{SYSTEM}` for those of this machine, and leave sslrootcert out"
            ),
        }
    }
}

impl std::error::Error for UrlError {}

/// How connections are encrypted.
#[derive(Clone)]
pub struct Encryption(MakeRustlsConnect);

impl<S> MakeTlsConnect<S> for Encryption
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = <MakeRustlsConnect as MakeTlsConnect<S>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<S>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<S>>::Error;

    fn make_tls_connect(&mut self, name: &str) -> Result<Self::TlsConnect, Self::Error> {
        // A socket of this machine has no name. Nothing is encrypted there, but this is asked for first.
        MakeTlsConnect::<S>::make_tls_connect(&mut self.0, if name.is_empty() { "localhost" } else { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str, authorities: &Authorities) -> Result<SslMode, UrlError> {
        authorities.read(url).map(|config| config.get_ssl_mode())
    }

    #[test]
    fn a_mode_is_read_as_libpq_reads_it() {
        let file = Authorities::File("/ca.pem".into());
        for (query, of_anybody, of_file) in [
            ("", Ok(SslMode::Prefer), Ok(SslMode::Prefer)),
            ("?sslmode=allow", Ok(SslMode::Prefer), Ok(SslMode::Prefer)),
            ("?sslmode=disable", Ok(SslMode::Disable), Ok(SslMode::Disable)),
            ("?connect_timeout=5&sslmode=require", Ok(SslMode::Require), Ok(SslMode::Require)),
            ("?sslmode=verify-full", Err(UrlError::NoAuthorities), Ok(SslMode::Require)),
            (
                "?a=1&sslmode=verify-ca",
                Err(UrlError::Setting("a".into())),
                Err(UrlError::Setting("a".into())),
            ),
            ("?sslrootcert=/a", Err(UrlError::NoAuthorities), Err(UrlError::NoAuthorities)),
            (
                "?sslcert=/a",
                Err(UrlError::Setting("sslcert".into())),
                Err(UrlError::Setting("sslcert".into())),
            ),
            (
                "?sslmode=x",
                Err(UrlError::Setting("sslmode".into())),
                Err(UrlError::Setting("sslmode".into())),
            ),
        ] {
            let url = format!("postgres://u:p@h/db{query}");
            assert_eq!(mode(&url, &Authorities::Anybody), of_anybody, "{query}");
            assert_eq!(mode(&url, &file), of_file, "{query}");
        }
    }

    #[test]
    fn what_is_no_url_is_not_read_at_all() {
        for text in ["", "mysql://h/db", "host=h dbname=d sslmode=verify-full", "postgres:///db"] {
            assert_eq!(mode(text, &Authorities::Anybody), Err(UrlError::NoUrl), "{text}");
        }
    }

    #[test]
    fn a_password_may_be_anything() {
        let config = Authorities::Anybody.read("postgres://u:sslmode=verify-full@h/db").unwrap();
        assert_eq!(config.get_password(), Some(&b"sslmode=verify-full"[..]));
    }

    #[test]
    fn sockets_of_this_machine_are_not_encrypted() {
        let url = "postgres://u@%2Fvar%2Frun/db?sslmode=require";
        assert_eq!(mode(url, &Authorities::Anybody), Ok(SslMode::Disable));
    }

    #[test]
    fn whoever_is_named_is_asked_and_who_can_not_be_read_is_told() {
        let named = |value: &str| Authorities::named(Some(value.into()));
        assert_eq!(Authorities::named(None), Authorities::Anybody);
        assert_eq!((named(""), named("system")), (Authorities::Anybody, Authorities::System));
        assert!(Authorities::Anybody.encryption().is_ok());
        let no_certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for file in ["/nowhere/ca.pem", no_certificate] {
            let why = named(file).encryption().err().unwrap().to_string();
            assert!(why.contains(file) && why.contains("unset it"), "{why}");
        }
    }
}
