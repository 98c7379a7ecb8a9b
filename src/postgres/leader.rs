//! Which of the servers that are there the others have to follow.
//!
//! It is the primary, unless a replica was promoted: then that one, on the greater timeline, has
//! taken the writes that came after. What a server that took writes holds is never thrown away.

use crate::postgres::name;

/// What the folder of a server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// 0 is the primary, others are replicas.
    pub(super) index: usize,
    /// The greatest timeline that it knows of. Each promotion begins one.
    pub(super) timeline: u32,
    /// Whether it follows another server, and takes no writes.
    pub(super) is_standby: bool,
}

/// Whom the others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    /// Nobody: there is no server yet.
    Nobody,
    /// The primary.
    Primary,
    /// A replica that was promoted.
    Promoted {
        /// Which one.
        index: usize,
        /// The timeline that its promotion began.
        timeline: u32,
    },
}

/// Why none of the servers can be the one that the others follow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLeader {
    /// All are replicas.
    #[error("there are replicas, but the primary that they follow is gone")]
    PrimaryGone,
    /// Several took writes, none of them after the others.
    #[error("{0} all took writes on timeline {1}, and only one of them can be the primary")]
    Several(String, u32),
}

/// Whom all of `found` have to follow.
pub(super) fn leader(found: &[Found]) -> Result<Leader, NoLeader> {
    if found.is_empty() {
        return Ok(Leader::Nobody);
    }
    let writable = || found.iter().filter(|server| !server.is_standby);
    let timeline = writable().map(|server| server.timeline).max().ok_or(NoLeader::PrimaryGone)?;
    let latest: Vec<usize> =
        writable().filter(|server| server.timeline == timeline).map(|server| server.index).collect();
    match latest[..] {
        [0] => Ok(Leader::Primary),
        [index] => Ok(Leader::Promoted { index, timeline }),
        _ => {
            let names: Vec<String> = latest.into_iter().map(name).collect();
            Err(NoLeader::Several(names.join(" and "), timeline))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writable(index: usize, timeline: u32) -> Found {
        Found { index, timeline, is_standby: false }
    }

    fn standby(index: usize, timeline: u32) -> Found {
        Found { index, timeline, is_standby: true }
    }

    #[test]
    fn replicas_follow_the_primary() {
        assert_eq!(leader(&[]), Ok(Leader::Nobody));
        assert_eq!(leader(&[writable(0, 1)]), Ok(Leader::Primary));
        assert_eq!(leader(&[writable(0, 1), standby(1, 1), standby(2, 1)]), Ok(Leader::Primary));
    }

    #[test]
    fn all_follow_a_replica_that_was_promoted() {
        let promoted = Ok(Leader::Promoted { index: 2, timeline: 2 });
        assert_eq!(leader(&[writable(0, 1), standby(1, 1), writable(2, 2)]), promoted);
        assert_eq!(leader(&[writable(0, 1), standby(1, 2), writable(2, 2)]), promoted);
        // The former primary was made a replica of it, or was put aside by a start that was killed.
        assert_eq!(leader(&[standby(0, 2), writable(2, 2)]), promoted);
        assert_eq!(leader(&[standby(1, 1), writable(2, 2)]), promoted);
    }

    #[test]
    fn of_two_that_were_promoted_the_later_one_leads() {
        let found = [writable(0, 1), writable(1, 2), writable(2, 3)];
        assert_eq!(leader(&found), Ok(Leader::Promoted { index: 2, timeline: 3 }));
    }

    #[test]
    fn nobody_is_chosen_where_the_writes_of_another_would_be_lost() {
        let several = |names: &str, timeline| Err(NoLeader::Several(names.to_owned(), timeline));
        assert_eq!(
            leader(&[writable(0, 1), writable(1, 2), writable(2, 2)]),
            several("replica1 and replica2", 2)
        );
        assert_eq!(leader(&[writable(0, 1), writable(1, 1)]), several("primary and replica1", 1));
        assert_eq!(leader(&[standby(1, 1)]), Err(NoLeader::PrimaryGone));
    }
}
