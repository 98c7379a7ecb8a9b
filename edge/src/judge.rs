//! What there is to judge a response by, in one place for all that ask: the request, its
//! reader's positions, the view of the control log. First the log decides, then the rules
//! of caching.

use crate::cache::envelope::Envelope;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::Forward;
use crate::cache::storable::{Exchange, Storable, Unstored, storable};
use crate::cache::usable::{Situation, Usable, usable};
use crate::control::bookmark::Demand;
use crate::control::log::Known;
use crate::control::position::{Position, ReadAt};
use crate::control::servable::servable;
use crate::control::view::{Subject, Validity, View};
use crate::fields::Fields;
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

/// A response that an origin has given or, by a 304, renewed.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub response: &'a Fields,
    /// When the origin was asked.
    pub request_time: Timestamp,
    /// When the head of its answer was there.
    pub response_time: Timestamp,
    /// How far the view had read when it was asked; `None` without a view.
    pub fence: Option<Known>,
    /// Where its answer was read.
    pub read_at: ReadAt,
}

impl Judge<'_> {
    /// Whether a stored response may be used.
    pub fn usable(&self, stored: &Envelope, situation: Situation) -> Result<Usable, Forward> {
        let view = self.view.filter(|_| self.is_view_current);
        let validity = servable(view, self.demand, &self.subject(&stored.groups), stored.position)
            .map_err(Forward::Fenced)?;
        usable(stored, &self.asked, self.privacy, situation, validity, self.now)
    }

    /// Whether a response may be stored, as the answer to a GET and as far as its head
    /// tells, and where it then stands.
    pub fn storable(&self, answered: &Answered<'_>) -> Result<(Storable, Position), Unstored> {
        let Answered { status, response, request_time, response_time, fence, read_at } = *answered;
        let storable = storable(&Exchange {
            method: "GET",
            asked: self.asked,
            privacy: self.privacy,
            status,
            response,
            request_time,
            response_time,
        })?;
        let position = Position { fence: fence.ok_or(Unstored::NoView)?, read_at };
        match servable(self.view, Demand::Nothing, &self.subject(&storable.groups), position) {
            Ok(Validity::Valid) => Ok((storable, position)),
            Ok(Validity::StaleSince(_)) | Err(_) => Err(Unstored::Invalidated),
        }
    }

    /// A response in these groups, as the control log knows it.
    pub fn subject<'a>(&'a self, groups: &'a [String]) -> Subject<'a> {
        Subject { groups, uri: self.key, path: self.path }
    }
}
