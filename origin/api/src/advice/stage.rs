//! The article's four stages, by users, and what each adds.

use serde::Serialize;

use super::evidence::Evidence;
use super::verdict::Tool;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// 1 to 4.
    pub number: u8,
    /// From so many users on.
    pub from: u32,
    /// What it adds.
    pub adds: &'static [Tool],
    /// In a sentence.
    pub what: &'static str,
}

/// All four.
pub const STAGES: [Stage; 4] = [
    Stage {
        number: 1,
        from: 0,
        adds: &[Tool::Index],
        what: "below 1,000 users: one server and one database, and an index where a statement is slow",
    },
    Stage {
        number: 2,
        from: 1_000,
        adds: &[Tool::Cdn, Tool::Cache, Tool::Pool],
        what: "1,000 to 10,000 users: files near their readers, answers kept, connections kept",
    },
    Stage {
        number: 3,
        from: 10_000,
        adds: &[Tool::LoadBalancer, Tool::Queue],
        what: "10,000 to 50,000 users: several servers, and work after the answer",
    },
    Stage {
        number: 4,
        from: 50_000,
        adds: &[Tool::ReadReplica],
        what: "50,000 users and more: copies of the database",
    },
];

/// The stage of so many users.
pub(super) fn of(users: f64) -> Stage {
    STAGES.into_iter().rev().find(|stage| users >= f64::from(stage.from)).unwrap_or(STAGES[0])
}

/// How many users of a month there are, and by what that is known. `None`: nothing says.
pub(super) fn users(evidence: &Evidence) -> Option<(f64, &'static str)> {
    let said = evidence.users.map(|users| (users, "as was said"));
    let clients =
        evidence.traffic.as_ref().and_then(|traffic| traffic.clients).filter(|clients| *clients > 0.0);
    said.or_else(|| clients.map(|clients| (clients, "the clients of the access log, at least")))
}

#[cfg(test)]
mod tests {
    use super::super::traffic::Traffic;
    use super::*;

    #[test]
    fn stages_follow_the_users() {
        for (users, number) in
            [(0.0, 1), (999.0, 1), (1_000.0, 2), (9_999.0, 2), (10_000.0, 3), (50_000.0, 4), (1e9, 4)]
        {
            assert_eq!(of(users).number, number, "{users}");
        }
    }

    #[test]
    fn each_tool_is_added_once() {
        let mut added: Vec<_> = STAGES.iter().flat_map(|stage| stage.adds).collect();
        added.sort();
        assert_eq!(added, Tool::ALL.iter().collect::<Vec<_>>());
    }

    #[test]
    fn who_says_how_many_there_are_is_believed_before_a_log_is() {
        let mut evidence = Evidence::default();
        assert_eq!(users(&evidence), None);
        evidence.traffic = Some(Traffic { clients: Some(20_000.0), ..Traffic::default() });
        assert_eq!(users(&evidence).map(|(users, _)| of(users).number), Some(3));
        evidence.users = Some(5.0);
        assert_eq!(users(&evidence).map(|(users, _)| of(users).number), Some(1));
    }
}
