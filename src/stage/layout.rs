//! What runs at each of the article's four stages.

use tidewall_api::advice::{STAGES, Stage, Tool};

/// Jobs that an origin works on beside requests, where no worker does.
const JOBS: u16 = 2;
/// Origins, once there are several.
const ORIGINS: u16 = 2;
/// Replicas, once there are any.
const REPLICAS: u16 = 2;

/// The parts of a system at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The edge serves assets and keeps answers.
    pub(crate) has_edge: bool,
    pub(crate) origins: u16,
    /// Work after the answer has a process of its own.
    pub(crate) has_worker: bool,
    pub(crate) replicas: u16,
}

impl Layout {
    /// What the stage of this number has: what it adds, and what those before it did. One server and one
    /// database are there in any case; indexes and pooled connections come with the origin.
    pub(crate) fn of(number: u8) -> Self {
        let has = |tool| {
            let mut reached = STAGES.iter().filter(|stage| stage.number <= number);
            reached.any(|stage| stage.adds.contains(&tool))
        };
        Self {
            // They share a process, and balancing comes after both.
            has_edge: has(Tool::Cdn) || has(Tool::Cache) || has(Tool::LoadBalancer),
            origins: if has(Tool::LoadBalancer) { ORIGINS } else { 1 },
            has_worker: has(Tool::Queue),
            replicas: if has(Tool::ReadReplica) { REPLICAS } else { 0 },
        }
    }

    /// How many jobs each origin works on.
    pub(crate) fn jobs(self) -> u16 {
        if self.has_worker { 0 } else { JOBS }
    }
}

/// The stage of this number, from 1 to 4; the last one where there is none of it.
pub(crate) fn stage(number: u8) -> Stage {
    STAGES.into_iter().find(|stage| stage.number == number).unwrap_or(STAGES[STAGES.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_adds_its_tools_and_takes_none_away() {
        let layout =
            |has_edge, origins, has_worker, replicas| Layout { has_edge, origins, has_worker, replicas };
        assert_eq!(Layout::of(1), layout(false, 1, false, 0));
        assert_eq!(Layout::of(2), layout(true, 1, false, 0));
        assert_eq!(Layout::of(3), layout(true, 2, true, 0));
        assert_eq!(Layout::of(4), layout(true, 2, true, 2));
    }

    #[test]
    fn jobs_are_worked_on_at_every_stage() {
        for number in 1..=4 {
            let layout = Layout::of(number);
            assert_ne!(layout.has_worker, layout.jobs() > 0, "{number}");
        }
    }
}
