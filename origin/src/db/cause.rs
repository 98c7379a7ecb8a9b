//! Why a caller waited in vain for a connection.

use std::fmt;
use std::time::Duration;

/// From here on a statement, or a connection held without one, is what others wait for.
const LONG: Duration = Duration::from_secs(1);

/// What kept a caller from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The database takes no more connections.
    Refused,
    /// Most connections run a statement that takes long: look for an index, or a lock.
    SlowStatements,
    /// Most connections are held by code that runs no statement: it waits for
    /// something else meanwhile, or has forgotten to let go.
    Leaked,
    /// Connections come back quickly, but more callers want one.
    Burst,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the database takes no more connections",
            Self::SlowStatements => "slow statements hold the connections",
            Self::Leaked => "connections are held without a statement running",
            Self::Burst => "more callers than the pool can serve",
        })
    }
}

/// What a lent connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// A statement, for so long.
    Running(Duration),
    /// Nothing, for so long.
    Held(Duration),
}

/// Names the cause. `refused` is whether the last try to connect failed.
pub(super) fn cause(lent: impl Iterator<Item = Doing>, refused: bool) -> Cause {
    if refused {
        return Cause::Refused;
    }
    let (mut total, mut slow, mut leaked) = (0, 0, 0);
    for doing in lent {
        total += 1;
        match doing {
            Doing::Running(running) if running >= LONG => slow += 1,
            Doing::Held(held) if held >= LONG => leaked += 1,
            Doing::Running(_) | Doing::Held(_) => {}
        }
    }
    if (slow + leaked) * 2 < total || total == 0 {
        Cause::Burst
    } else if leaked > slow {
        Cause::Leaked
    } else {
        Cause::SlowStatements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `r` runs and `R` runs long, `h` is held and `H` is held long.
    fn check(lent: &str, refused: bool, expected: Cause) {
        let (short, long) = (Duration::from_millis(5), Duration::from_millis(1_500));
        let lent = lent.chars().map(|doing| match doing {
            'r' => Doing::Running(short),
            'R' => Doing::Running(long),
            'h' => Doing::Held(short),
            _ => Doing::Held(long),
        });
        assert_eq!(cause(lent, refused), expected);
    }

    #[test]
    fn most_of_the_connections_tell_the_cause() {
        check("RRRr", false, Cause::SlowStatements);
        check("HHHr", false, Cause::Leaked);
        check("rrrr", false, Cause::Burst);
        check("rhrh", false, Cause::Burst);
        check("", false, Cause::Burst);
    }

    #[test]
    fn of_two_causes_the_greater_is_named() {
        check("HRRrr", false, Cause::SlowStatements);
        check("HHRrr", false, Cause::Leaked);
        check("HRr", false, Cause::SlowStatements);
        check("Hrr", false, Cause::Burst);
    }

    #[test]
    fn a_database_that_refuses_is_the_cause_whatever_else_is() {
        check("RRRR", true, Cause::Refused);
    }
}
