//! The same origin for the same client: rendezvous hashing (D. Thaler and C. Ravishankar,
//! 1998). Losing one of several origins moves its own clients and no others, and they
//! spread over all that are left. Where nobody tells the client's address there is nothing to
//! go by, and an origin is drawn: else one would get all.

use sha2::{Digest as _, Sha256};

use crate::balance::{Asker, Candidate, Pick};

/// Takes the origin whose name makes the greatest hash with the client's address.
#[derive(Debug)]
pub(super) struct IpHash;

impl Pick for IpHash {
    fn pick(&mut self, candidates: &[Candidate<'_>], asker: &Asker<'_>) -> Option<usize> {
        if asker.client.is_empty() {
            let drawn = asker.draw % (candidates.len() as u64).max(1);
            return candidates.get(drawn as usize).map(|candidate| candidate.origin);
        }
        // By its name and not by its place, which changes when another is taken out.
        let rank = |candidate: &&Candidate<'_>| Sha256::digest(format!("{} {}", candidate.id, asker.client));
        candidates.iter().max_by_key(rank).map(|candidate| candidate.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::candidates;

    fn pick(candidates: &[Candidate<'_>], client: &str) -> usize {
        IpHash.pick(candidates, &Asker { client, kept: None, draw: 0 }).unwrap()
    }

    fn clients() -> impl Iterator<Item = String> {
        (0..3_000).map(|n| format!("198.51.{}.{}", n / 250, n % 250))
    }

    #[test]
    fn a_lost_origin_moves_its_own_clients_alone_and_spreads_them() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
        let left = [all[0], all[2]];
        let mut moved = [0; 3];
        for client in clients() {
            let (before, after) = (pick(&all, &client), pick(&left, &client));
            match before {
                1 => moved[after] += 1,
                _ => assert_eq!(before, after, "{client}"),
            }
        }
        assert!(moved[0].min(moved[2]) > 400, "{moved:?}");
    }

    #[test]
    fn clients_spread_evenly() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
        let mut taken = [0; 3];
        for client in clients() {
            taken[pick(&all, &client)] += 1;
        }
        assert!(taken.iter().all(|taken| (900..1_100).contains(taken)), "{taken:?}");
    }

    #[test]
    fn it_is_the_name_that_counts_and_not_the_place() {
        let (before, after) = (
            candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]),
            candidates(&[("c", 1, 1), ("a", 1, 1), ("b", 1, 1)]),
        );
        for client in clients().take(100) {
            assert_eq!(before[pick(&before, &client)].id, after[pick(&after, &client)].id);
        }
        assert_eq!(IpHash.pick(&[], &Asker { client: "192.0.2.1", kept: None, draw: 0 }), None);
    }

    #[test]
    fn who_has_no_address_does_not_fall_to_one_origin() {
        let all = candidates(&[("a", 1, 1), ("b", 1, 1), ("c", 1, 1)]);
        let mut taken = [0; 3];
        for draw in 0..300 {
            taken[IpHash.pick(&all, &Asker { client: "", kept: None, draw }).unwrap()] += 1;
        }
        assert_eq!(taken, [100; 3]);
        assert_eq!(IpHash.pick(&[], &Asker { client: "", kept: None, draw: 7 }), None);
    }
}
