//! Which ports the parts of a stack listen on.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};

use crate::failure::Failure;

/// Free ports are sought from here, below the range that systems give to
/// outgoing connections (Linux: from 32768), so that none of those takes a port
/// while its owner is being restarted.
const FREE_FIRST: u16 = 20_000;
/// The last port that is tried.
const FREE_LAST: u16 = 31_999;

/// Hands out the ports of one stack, none of them twice.
#[derive(Debug)]
pub(crate) struct Ports {
    given: BTreeSet<u16>,
    next: u16,
}

impl Ports {
    /// `start` says where to begin to look for free ports; different stacks pass different numbers.
    pub(crate) fn new(start: u32) -> Self {
        let span = u32::from(FREE_LAST - FREE_FIRST) + 1;
        let offset = u16::try_from(start % span).unwrap_or(0);
        Self { given: BTreeSet::new(), next: FREE_FIRST + offset }
    }

    /// `count` ports: `first` and those after it, or any that are free where `first` is 0.
    ///
    /// # Errors
    /// One of them is taken; the sentence names `flag`.
    pub(crate) fn take(&mut self, first: u16, count: u16, flag: &str) -> Result<Vec<u16>, Failure> {
        (0..count)
            .map(|index| match first.checked_add(index) {
                _ if first == 0 => self.any_free(),
                Some(port) => self.exactly(port, flag),
                None => Err(Failure::new(format!(
                    "{flag} {first} leaves no room for {count} ports; pass a lower one"
                ))),
            })
            .collect()
    }

    fn exactly(&mut self, port: u16, flag: &str) -> Result<u16, Failure> {
        if self.given.contains(&port) || !is_free(port) {
            return Err(Failure::new(format!(
                "port {port} is taken; stop what listens there, or pass another {flag} (0 is any free port)"
            )));
        }
        self.given.insert(port);
        Ok(port)
    }

    fn any_free(&mut self) -> Result<u16, Failure> {
        for _ in FREE_FIRST..=FREE_LAST {
            let port = self.next;
            self.next = if port == FREE_LAST { FREE_FIRST } else { port + 1 };
            if !self.given.contains(&port) && is_free(port) {
                self.given.insert(port);
                return Ok(port);
            }
        }
        Err(Failure::new("no port from 20000 to 31999 is free; stop some of what listens there"))
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_all_different() {
        let mut ports = Ports::new(7);
        let mut taken = ports.take(0, 20, "--origin-port").unwrap();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 20);
    }

    #[test]
    fn a_taken_port_is_refused_with_its_flag() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = Ports::new(0).take(port, 1, "--edge-port").unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--edge-port"), "{error}");
    }

    #[test]
    fn a_first_port_without_room_for_the_rest_is_refused() {
        assert!(Ports::new(0).take(u16::MAX, 2, "--origin-port").is_err());
    }
}
