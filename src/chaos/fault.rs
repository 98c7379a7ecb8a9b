//! What fails, and how; and what that may cost whoever uses the system meanwhile.

use std::fmt;
use std::time::Duration;

use crate::failure::Failure;
use crate::wrangler::origin_id;

/// Origins of the system.
pub(super) const ORIGINS: usize = 2;
/// Its replicas.
pub(super) const REPLICAS: usize = 2;

/// A part of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Edge,
    /// One of them, from 0 on.
    Origin(usize),
    /// All of them at once.
    Origins,
    Primary,
    /// One of them, from 0 on.
    Replica(usize),
    /// All of them at once.
    Replicas,
    Worker,
    /// Where the edge stores answers.
    Kv,
    /// The object that keeps the control log.
    Control,
}

impl Part {
    /// The services that it consists of, as the supervisor calls them.
    pub(super) fn services(self) -> Vec<String> {
        let origin = |index| format!("origin-{}", origin_id(index));
        let replica = |index: usize| format!("replica{}", index + 1);
        match self {
            // The runtime of the edge has the stores in its processes.
            Self::Edge | Self::Kv | Self::Control => vec!["edge".to_owned()],
            Self::Origin(index) => vec![origin(index)],
            Self::Origins => (0..ORIGINS).map(origin).collect(),
            Self::Primary => vec!["primary".to_owned()],
            Self::Replica(index) => vec![replica(index)],
            Self::Replicas => (0..REPLICAS).map(replica).collect(),
            Self::Worker => vec!["worker".to_owned()],
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origins => f.write_str("origins"),
            Self::Replicas => f.write_str("replicas"),
            Self::Kv => f.write_str("kv"),
            Self::Control => f.write_str("control"),
            one => f.write_str(&one.services().concat()),
        }
    }
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// Its processes are killed.
    Kill,
    /// Its processes stand still for a while.
    Stop,
    /// What others ask it, and what it answers, comes late for a while.
    Slow,
    /// The same of a part that nobody asks over a network: it runs for a fifth of the time.
    RunSlow,
    /// What others ask it, and what it answers, doesn't come through for a while. What it asks others does.
    Cut,
    /// It is told to stop, and started again.
    Restart,
    /// Its clock is a minute ahead for a while.
    ClockAhead,
    /// Its clock is a minute behind for a while.
    ClockBehind,
    /// There is no room for what it writes, for a while.
    DiskFull,
    /// Its database takes no writes for a while.
    Locked,
}

impl Blow {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Slow | Self::RunSlow => "slow",
            Self::Cut => "cut",
            Self::Restart => "restart",
            Self::ClockAhead => "clock-ahead",
            Self::ClockBehind => "clock-behind",
            Self::DiskFull => "disk-full",
            Self::Locked => "locked",
        }
    }
}

/// How bad it may be for one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// Every request is answered as ever, if later.
    Nothing,
    /// Some get a 503 that says when to come again, or hear that nobody knows whether it was done.
    Refused,
    /// Some get another error, or none at all.
    Failed,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) part: Part,
    pub(super) blow: Blow,
}

impl Fault {
    /// What it may do to reads of what is public, and to everything else.
    pub(super) fn may_cost(self) -> [Cost; 2] {
        match (self.part, self.blow) {
            (_, Blow::ClockAhead | Blow::ClockBehind | Blow::Slow | Blow::RunSlow) => [Cost::Nothing; 2],
            // Nobody is there who could answer; there is one of it here, where a platform has many.
            (Part::Edge, Blow::Kill | Blow::Restart) => [Cost::Failed; 2],
            (Part::Origins | Part::Replicas, _) => [Cost::Refused; 2],
            (Part::Primary, _) => [Cost::Nothing, Cost::Refused],
            _ => [Cost::Nothing; 2],
        }
    }
}

impl Fault {
    /// How long it lasts, where it isn't over at once: so long, but longer than a request waits for an
    /// origin where there is no other.
    pub(super) fn lasts(self, hold: Duration) -> Duration {
        match (self.part, self.blow) {
            (Part::Origins, Blow::Stop | Blow::Cut) => hold * 3,
            _ => hold,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.blow.name())
    }
}

/// Every fault.
fn all() -> Vec<Fault> {
    use Blow::{ClockAhead, ClockBehind, Cut, DiskFull, Kill, Locked, Restart, RunSlow, Slow, Stop};
    const CLOCKS: &[Blow] = &[ClockAhead, ClockBehind];
    const NETWORKED: &[Blow] = &[Kill, Stop, Slow, Cut, Restart];
    const ALONE: &[Blow] = &[Kill, Stop, RunSlow, Restart];
    let mut parts = vec![(Part::Edge, ALONE)];
    parts.extend((0..ORIGINS).map(|index| (Part::Origin(index), NETWORKED)));
    parts.push((Part::Origins, &[Kill, Stop, Cut]));
    parts.extend((0..REPLICAS).map(|index| (Part::Replica(index), NETWORKED)));
    parts.push((Part::Replicas, &[Kill, Stop, Cut]));
    parts.push((Part::Worker, ALONE));
    parts.push((Part::Primary, NETWORKED));
    parts.push((Part::Primary, &[DiskFull]));
    parts.extend([Part::Kv, Part::Control].map(|part| (part, &[Locked] as &[_])));
    parts.extend([Part::Edge, Part::Origin(0), Part::Primary, Part::Worker].map(|part| (part, CLOCKS)));
    let of = |(part, blows): (Part, &'static [Blow])| blows.iter().map(move |&blow| Fault { part, blow });
    parts.into_iter().flat_map(of).collect()
}

/// The faults of these names, and those of the parts of these names; all where nothing is named.
///
/// # Errors
/// There is none of such a name.
pub(super) fn chosen(names: &[String]) -> Result<Vec<Fault>, Failure> {
    let is = |fault: &Fault, name: &String| fault.to_string() == *name || fault.part.to_string() == *name;
    let all = all();
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|fault| is(fault, name))) {
        let known: Vec<String> = all.iter().map(Fault::to_string).collect();
        return Err(Failure::new(format!("there is no fault `{unknown}`; there are: {}", known.join(", "))));
    }
    let is_chosen = |fault: &Fault| names.is_empty() || names.iter().any(|name| is(fault, name));
    Ok(all.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let chosen = chosen(&asked).map_err(|failure| failure.to_string())?;
        Ok(chosen.iter().map(Fault::to_string).collect())
    }

    #[test]
    fn every_fault_has_a_name_of_its_own_and_is_chosen_by_it() {
        let all = names(&[]).unwrap();
        let mut different = all.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), all.len());
        for name in &all {
            assert_eq!(names(&[name]).unwrap(), std::slice::from_ref(name));
        }
    }

    #[test]
    fn a_part_stands_for_its_faults() {
        assert_eq!(
            names(&["worker"]).unwrap(),
            [
                "worker/kill",
                "worker/stop",
                "worker/slow",
                "worker/restart",
                "worker/clock-ahead",
                "worker/clock-behind"
            ]
        );
        assert_eq!(names(&["origin-b/cut", "origin-b/cut"]).unwrap(), ["origin-b/cut"]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let refused = names(&["worker", "moon/full"]).unwrap_err();
        assert!(refused.starts_with("there is no fault `moon/full`; there are: edge/kill, "), "{refused}");
    }
}
