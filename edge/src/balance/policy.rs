//! The policies by name.

use crate::balance::Pick;
use crate::balance::ip_hash::IpHash;
use crate::balance::least_connections::LeastConnections;
use crate::balance::round_robin::RoundRobin;
use crate::balance::sticky::Sticky;
use crate::balance::weighted::Weighted;

/// How origins are chosen for some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// How the paths begin.
    pub path: String,
    /// How an origin is chosen for them.
    pub policy: Policy,
}

/// Which of these beginnings of paths counts for a path: the longest.
pub fn longest<'a>(beginnings: impl Iterator<Item = &'a str>, path: &str) -> Option<usize> {
    let matching = beginnings.enumerate().filter(|(_, beginning)| path.starts_with(beginning));
    matching.max_by_key(|(_, beginning)| beginning.len()).map(|(index, _)| index)
}

/// A way to choose among origins, as the configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Each in turn.
    RoundRobin,
    /// Each in turn, as often as its weight says.
    Weighted,
    /// The less loaded of two.
    LeastConnections,
    /// The same for the same client.
    IpHash,
    /// The same for the same browser, by a cookie.
    Sticky,
}

impl Policy {
    /// All, by name.
    const NAMES: [(&'static str, Self); 5] = [
        ("round-robin", Self::RoundRobin),
        ("weighted", Self::Weighted),
        ("least-connections", Self::LeastConnections),
        ("ip-hash", Self::IpHash),
        ("sticky", Self::Sticky),
    ];

    /// The policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, policy)| policy)
    }

    /// Their names, for who has written another.
    pub fn names() -> String {
        Self::NAMES.map(|(name, _)| name).join(", ")
    }

    /// Whether it sends less to who takes longer.
    pub(super) fn goes_by_latency(self) -> bool {
        matches!(self, Self::LeastConnections)
    }

    /// Whether each origin has its turn.
    pub(super) fn takes_turns(self) -> bool {
        matches!(self, Self::RoundRobin | Self::Weighted)
    }

    /// Whether it sends all that a client asks to one origin: then what that meets with tells of
    /// the client as much as of the origin.
    pub(super) fn pins(self) -> bool {
        matches!(self, Self::IpHash | Self::Sticky)
    }

    /// The policy at its beginning; one that takes turns begins at origin `first`.
    pub(super) fn begin(self, first: usize) -> Box<dyn Pick> {
        match self {
            Self::RoundRobin => Box::new(RoundRobin::new(first)),
            Self::Weighted => Box::new(Weighted::new(first)),
            Self::LeastConnections => Box::new(LeastConnections),
            Self::IpHash => Box::new(IpHash),
            Self::Sticky => Box::new(Sticky::new(first)),
        }
    }
}
