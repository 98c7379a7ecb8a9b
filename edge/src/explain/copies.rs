//! What the levels of the store have for a URL, and which copy a request gets to.

use serde::{Deserialize, Serialize};

use crate::cache::envelope::{Envelope, Variants};
use crate::cache::level::Level;
use crate::cache::status::Forward;
use crate::cache::usable::Situation;
use crate::cache::validation;
use crate::explain::lifetime::LifetimeAccount;
use crate::explain::reason::{self, Reason};
use crate::explain::standing::{EntryAccount, PositionAccount};
use crate::judge::Judge;

/// What was found under one key of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// It can't be told: the level can't be read, or what is there can't. Why.
    Unknown(String),
    /// A response.
    Response(Box<Envelope>),
    /// What tells the URL's variants apart.
    Variants(Variants),
}

/// What one level has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The level.
    pub level: Level,
    /// Under the URL's key.
    pub url: Held,
    /// Under the key of the variant that the request selects, where the URL has variants.
    pub variant: Option<Held>,
}

/// A level of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelAccount {
    /// Its name.
    pub level: String,
    /// The copy that it has.
    pub copy: Option<CopyAccount>,
    /// The request fields that tell the URL's variants apart, where it knows of any.
    pub varies_by: Option<Vec<String>>,
    /// Why it isn't known what it has.
    pub unknown: Option<String>,
    /// Whether its copy is the one that the decision is about.
    pub is_decisive: bool,
}

/// A stored response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyAccount {
    /// Its status.
    pub status: u16,
    /// Length of its body.
    pub body_bytes: usize,
    /// Its age in seconds: what `Age` says.
    pub age_s: u64,
    /// On which terms it may be used.
    #[serde(flatten)]
    pub lifetime: LifetimeAccount,
    /// Its cache groups.
    pub groups: Vec<String>,
    /// Where it stands in the logs.
    pub position: PositionAccount,
    /// The entries of the control log that are about it.
    pub entries: Vec<EntryAccount>,
    /// The conditions with which an origin is asked whether it still holds.
    pub conditions: Vec<(String, String)>,
    /// Why it may be used: `fresh`, `stale-while-revalidate` …; `None` where it may not.
    pub usable: Option<String>,
    /// Seconds for which it stays fresh, where it may be used.
    pub ttl_s: Option<i64>,
    /// Why it may not be used.
    pub reason: Option<Reason>,
    /// Whether it may be used instead of an error.
    pub bridges_errors: bool,
}

/// What a lookup comes to.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The first copy that is accepted, else the newest.
    pub copy: Option<(Level, &'a Envelope)>,
    /// What tells the URL's variants apart, where it has any.
    pub variants: Option<&'a Variants>,
}

/// What tells the URL's variants apart, by the nearest level that knows it.
pub fn variants<'a>(held: impl IntoIterator<Item = &'a Held>) -> Option<&'a Variants> {
    held.into_iter().find_map(|held| match held {
        Held::Variants(variants) => Some(variants),
        _ => None,
    })
}

/// Follows a request through the levels.
pub fn find<'a>(looks: &'a [Look], judge: &Judge<'_>) -> Found<'a> {
    let of_url = looks.iter().map(|look| (look.level, &look.url));
    match walk(of_url, judge) {
        Walked::Copy(copy) => Found { copy, variants: None },
        Walked::Variants(variants) => {
            let of_variant = looks.iter().filter_map(|look| Some((look.level, look.variant.as_ref()?)));
            match walk(of_variant, judge) {
                Walked::Copy(copy) => Found { copy, variants: Some(variants) },
                // A digest that is another URL's key as well.
                Walked::Variants(_) => Found { copy: None, variants: Some(variants) },
            }
        }
    }
}

enum Walked<'a> {
    Copy(Option<(Level, &'a Envelope)>),
    Variants(&'a Variants),
}

fn walk<'a>(held: impl Iterator<Item = (Level, &'a Held)>, judge: &Judge<'_>) -> Walked<'a> {
    let mut newest: Option<(Level, &Envelope)> = None;
    for (level, held) in held {
        let envelope = match held {
            Held::Nothing | Held::Unknown(_) => continue,
            Held::Variants(variants) => return Walked::Variants(variants),
            Held::Response(envelope) => envelope,
        };
        if judge.usable(envelope, Situation::Lookup).err().is_none_or(Forward::is_of_every_copy) {
            return Walked::Copy(Some((level, envelope)));
        }
        if newest.is_none_or(|(_, newest)| newest.response_time < envelope.response_time) {
            newest = Some((level, envelope));
        }
    }
    Walked::Copy(newest)
}

impl LevelAccount {
    /// Of what one level has, once it is known what a lookup comes to.
    pub fn of(look: &Look, found: &Found<'_>, judge: &Judge<'_>) -> Self {
        let held = match (&look.variant, found.variants) {
            (Some(variant), Some(_)) => variant,
            _ => &look.url,
        };
        let unknown = [held, &look.url].into_iter().find_map(|held| match held {
            Held::Unknown(why) => Some(why.clone()),
            _ => None,
        });
        let copy = match held {
            Held::Response(envelope) => Some(CopyAccount::of(envelope, judge)),
            _ => None,
        };
        Self {
            level: look.level.as_str().to_owned(),
            is_decisive: copy.is_some() && found.copy.is_some_and(|(level, _)| level == look.level),
            copy,
            varies_by: variants([&look.url]).map(|variants| variants.selecting.clone()),
            unknown,
        }
    }
}

impl CopyAccount {
    fn of(envelope: &Envelope, judge: &Judge<'_>) -> Self {
        let usable = judge.usable(envelope, Situation::Lookup);
        let conditions = validation::conditions(&envelope.fields).unwrap_or_default();
        Self {
            status: envelope.status,
            body_bytes: envelope.body_bytes,
            age_s: envelope.age(judge.now).as_secs(),
            lifetime: LifetimeAccount::of(&envelope.terms, envelope.status, &envelope.fields),
            groups: envelope.groups.clone(),
            position: PositionAccount::of(envelope.position),
            entries: EntryAccount::all(envelope, judge),
            conditions: conditions.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            usable: usable.ok().map(|found| found.basis.as_str().unwrap_or("fresh").to_owned()),
            ttl_s: usable.ok().map(|found| found.ttl_s()),
            reason: usable.err().map(reason::forward),
            bridges_errors: judge.usable(envelope, Situation::OriginFailed).is_ok(),
        }
    }
}
