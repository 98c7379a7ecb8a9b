//! What an origin answers now, and whether that would be stored.

use serde::{Deserialize, Serialize};

use crate::cache::storable::Unstored;
use crate::cache::validation;
use crate::control::log::Known;
use crate::control::position::ReadAt;
use crate::explain::lifetime::LifetimeAccount;
use crate::explain::reason::{self, Reason};
use crate::explain::standing::PositionAccount;
use crate::fields::Fields;
use crate::judge::{Answered, Judge};
use crate::time::Timestamp;

/// Fields of an answer that the decision may hang on; others are not shown.
const SHOWN: [&str; 18] = [
    "age",
    "cache-control",
    "cache-groups",
    "cdn-cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "set-cookie",
    "tidewall-lsn",
    "vary",
    "www-authenticate",
    "x-accel-buffering",
];

/// What is shown of a field whose value is a secret of somebody's.
const HIDDEN: &str = "…";

/// An origin's answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Whose.
    pub origin: &'a str,
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub fields: &'a Fields,
    /// When it was asked for.
    pub request_time: Timestamp,
    /// When its head was there.
    pub response_time: Timestamp,
    /// Position of the view when it was asked for; `None` without a view.
    pub fence: Option<Known>,
}

/// What became of asking.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// An origin answered. Its body, where it was read: whether it can be stored.
    Answered(Answer<'a>, Result<(), Unstored>),
    /// None did, or it broke off. Why.
    Failed(&'a str),
}

/// What an origin answers now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshAccount {
    /// Who answered; `None` where nobody did.
    pub origin: Option<String>,
    /// With which status.
    pub status: Option<u16>,
    /// The fields that the decision may hang on.
    pub fields: Vec<(String, String)>,
    /// Whether it would be stored.
    pub is_stored: bool,
    /// Why it would not.
    pub reason: Option<Reason>,
    /// On which terms it would be.
    pub lifetime: Option<LifetimeAccount>,
    /// In which groups.
    pub groups: Vec<String>,
    /// Where it would stand.
    pub position: Option<PositionAccount>,
    /// The request fields that would tell its variants apart.
    pub varies_by: Vec<String>,
    /// Whether it could be asked about once it is stale.
    pub has_validator: bool,
    /// Why there is no answer.
    pub failure: Option<String>,
}

impl Answer<'_> {
    /// As it is judged.
    pub fn answered(&self) -> Answered<'_> {
        Answered {
            status: self.status,
            response: self.fields,
            request_time: self.request_time,
            response_time: self.response_time,
            fence: self.fence,
            read_at: ReadAt::of(self.fields),
        }
    }
}

impl FreshAccount {
    /// Of what became of asking.
    pub fn of(asked: &Asked<'_>, judge: &Judge<'_>) -> Self {
        let nothing = Self {
            origin: None,
            status: None,
            fields: Vec::new(),
            is_stored: false,
            reason: None,
            lifetime: None,
            groups: Vec::new(),
            position: None,
            varies_by: Vec::new(),
            has_validator: false,
            failure: None,
        };
        let (answer, body) = match asked {
            Asked::Failed(why) => return Self { failure: Some((*why).to_owned()), ..nothing },
            Asked::Answered(answer, body) => (answer, *body),
        };
        let answered = Self {
            origin: Some(answer.origin.to_owned()),
            status: Some(answer.status),
            fields: shown(answer.fields),
            has_validator: validation::conditions(answer.fields).is_some(),
            ..nothing
        };
        match judge.storable(&answer.answered()).and_then(|decision| body.map(|()| decision)) {
            Err(reason) => Self { reason: Some(reason::unstored(reason)), ..answered },
            Ok((storable, position)) => Self {
                is_stored: true,
                lifetime: Some(LifetimeAccount::of(&storable.terms, answer.status, answer.fields)),
                groups: storable.groups,
                position: Some(PositionAccount::of(position)),
                varies_by: storable.selecting,
                ..answered
            },
        }
    }
}

fn shown(fields: &Fields) -> Vec<(String, String)> {
    let shown = fields.iter().filter(|(name, _)| SHOWN.contains(name));
    shown
        .map(|(name, value)| (name.to_owned(), if name == "set-cookie" { HIDDEN } else { value }.to_owned()))
        .collect()
}
