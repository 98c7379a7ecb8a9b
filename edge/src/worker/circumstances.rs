//! What one request is judged by.

use crate::cache::envelope::Envelope;
use crate::cache::privacy::Privacy;
use crate::cache::request::RequestDirectives;
use crate::cache::status::Forward;
use crate::cache::usable::{Situation, Usable};
use crate::judge::Judge;
use crate::time::Timestamp;
use crate::worker::Edge;
use crate::worker::control_log::Standing;

/// What is known of a request before anything stored is looked at.
pub(super) struct Circumstances {
    /// The URL's key.
    pub(super) key: String,
    pub(super) asked: RequestDirectives,
    pub(super) privacy: Privacy,
    pub(super) standing: Standing,
}

impl Circumstances {
    /// Of the edge's request, whose URL has this key.
    pub(super) fn of(edge: &Edge<'_>, key: String, standing: Standing) -> Self {
        let fields = &edge.request.fields;
        Self {
            key,
            asked: RequestDirectives::of(fields, edge.config.client_cache_control),
            privacy: Privacy::of(fields, &edge.config.private),
            standing,
        }
    }

    /// Asks the judge. Short: the view must not be held over a wait.
    pub(super) fn judging<T>(
        &self,
        edge: &Edge<'_>,
        now: Timestamp,
        judging: impl FnOnce(&Judge<'_>) -> T,
    ) -> T {
        edge.isolate.control.with(|view| {
            judging(&Judge {
                key: &self.key,
                path: edge.target.path,
                asked: self.asked,
                privacy: self.privacy,
                view,
                is_view_current: self.standing.has_view,
                demand: self.standing.demand,
                now,
            })
        })
    }

    /// Whether a stored response may be used.
    pub(super) fn usable(
        &self,
        edge: &Edge<'_>,
        stored: &Envelope,
        situation: Situation,
        now: Timestamp,
    ) -> Result<Usable, Forward> {
        self.judging(edge, now, |judge| judge.usable(stored, situation))
    }
}
