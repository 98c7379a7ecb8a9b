//! What there is to judge a response by: the request, its reader's positions, the view.

use crate::cache::envelope::Envelope;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::Forward;
use crate::cache::storable::{Exchange, Storable, Unstored, storable};
use crate::cache::usable::{Situation, Usable, usable};
use crate::control::bookmark::Demand;
use crate::control::position::{Position, ReadAt};
use crate::control::servable::servable;
use crate::control::view::{Subject, Validity, View};
use crate::explain::fresh::Answer;
use crate::explain::standing::EntryAccount;
use crate::time::Timestamp;

/// The circumstances of one request.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The URL's key.
    pub key: &'a str,
    /// Its path.
    pub path: &'a str,
    /// What the client wants.
    pub asked: RequestDirectives,
    /// What marks the request as one person's.
    pub privacy: Privacy,
    /// What the isolate knows of the control log.
    pub view: Option<&'a View>,
    /// Whether it is recent enough to answer from the store.
    pub is_view_current: bool,
    /// What the reader's bookmark asks for.
    pub demand: Demand,
    /// When the request is answered.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Whether a stored response may be used.
    pub fn usable(&self, stored: &Envelope, situation: Situation) -> Result<Usable, Forward> {
        let view = self.view.filter(|_| self.is_view_current);
        let validity = servable(view, self.demand, &self.subject(&stored.groups), stored.position)
            .map_err(Forward::Fenced)?;
        usable(stored, &self.asked, self.privacy, situation, validity, self.now)
    }

    /// Whether an answer of an origin may be stored, as far as its head tells, and where
    /// it then stands.
    pub fn storable(&self, answer: &Answer<'_>) -> Result<(Storable, Position), Unstored> {
        let storable = storable(&Exchange {
            method: "GET",
            asked: self.asked,
            privacy: self.privacy,
            status: answer.status,
            response: answer.fields,
            request_time: answer.request_time,
            response_time: answer.response_time,
        })?;
        let fence = answer.fence.ok_or(Unstored::NoView)?;
        let position = Position { fence, read_at: ReadAt::of(answer.fields) };
        match servable(self.view, Demand::Nothing, &self.subject(&storable.groups), position) {
            Ok(Validity::Valid) => Ok((storable, position)),
            Ok(Validity::StaleSince(_)) | Err(_) => Err(Unstored::Invalidated),
        }
    }

    /// The entries of the control log about a response at this position.
    pub fn entries(&self, groups: &[String], position: Position) -> Vec<EntryAccount> {
        let entries = self.view.map(|view| view.entries(&self.subject(groups))).unwrap_or_default();
        entries.iter().map(|(key, mark)| EntryAccount::of(key, *mark, position)).collect()
    }

    fn subject<'a>(&'a self, groups: &'a [String]) -> Subject<'a> {
        Subject { groups, uri: self.key, path: self.path }
    }
}
