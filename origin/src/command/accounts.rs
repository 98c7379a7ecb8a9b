//! Who asks: secrets, cookies, and what a client may do.

use axum::http::HeaderName;
use clap::Args;

use super::error::CommandError;
use crate::db::Db;
use crate::http::accounts::{Accounts, RateLimits};
use crate::http::client::ClientAddress;
use crate::http::cookies::CookieNames;
use crate::session::{SessionKeys, Sessions};
use crate::signing::Secrets;

/// How those who ask are known.
#[derive(Debug, Args)]
pub(super) struct AccountArgs {
    /// Give cookies that browsers take over plain HTTP, for one's own machine; else they are
    /// `Secure`, and their names begin with `__Host-`
    #[arg(long)]
    plain_cookies: bool,
    /// The request field in which a proxy in front says the client's address, such as
    /// X-Forwarded-For; only where nobody else can reach this origin. Else clients are known by
    /// the address that they connect from
    #[arg(long, value_name = "FIELD", env = "CLIENT_ADDRESS_FIELD", value_parser = optional_field)]
    client_address_field: Option<OptionalField>,
    #[command(flatten)]
    limits: RateLimits,
}

/// A variable that is set to nothing is not set.
#[derive(Clone, Debug)]
struct OptionalField(Option<HeaderName>);

fn optional_field(text: &str) -> Result<OptionalField, String> {
    let field = (!text.trim().is_empty()).then(|| text.trim().parse().map_err(|_| "is no field's name"));
    Ok(OptionalField(field.transpose()?))
}

impl AccountArgs {
    pub(super) fn accounts(&self, db: &Db, secrets: &Secrets) -> Accounts {
        let told_in = self.client_address_field.clone().and_then(|OptionalField(field)| field);
        Accounts {
            sessions: Sessions::new(db.clone(), SessionKeys::new(secrets)),
            db: db.clone(),
            cookies: if self.plain_cookies { CookieNames::Plain } else { CookieNames::Host },
            clients: ClientAddress { told_in },
            limits: self.limits,
        }
    }
}

/// The secrets that sign, which come from the environment alone: arguments can be read by
/// everybody on the machine.
pub(super) fn secrets() -> Result<Secrets, CommandError> {
    let signs = std::env::var("TIDEWALL_SECRET").map_err(|_| CommandError::NoSecret)?;
    let accepted = std::env::var("TIDEWALL_SECRET_ACCEPTED").ok().filter(|secret| !secret.is_empty());
    Ok(Secrets::new(&signs, accepted.as_deref())?)
}
