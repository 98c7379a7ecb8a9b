//! The figure that each tool is to change. Measured before and after, it says what the tool did.

use super::evidence::Evidence;
use super::verdict::{Figure, Tool, figure};

/// The figure of `tool`, as far as it is known. Less is better, of each.
pub(super) fn gauge(tool: Tool, evidence: &Evidence) -> Option<Figure> {
    let (what, value, unit) = match tool {
        Tool::Cdn => {
            let (files, _) = evidence.traffic.as_ref()?.bytes()?;
            ("files that the server sends", files / seconds(evidence)? / 1e6, "MB/s")
        }
        Tool::Cache => {
            let traffic =
                evidence.traffic.as_ref().and_then(|traffic| traffic.answers_ms().zip(traffic.seconds));
            match traffic {
                Some((ms, seconds)) => {
                    ("answers that are worked on at a time", ms / 1_000.0 / seconds, "answers")
                }
                None => ("time of reading, of each second", evidence.database.as_ref()?.read_ms?, "ms"),
            }
        }
        Tool::LoadBalancer => ("CPUs of the server in use", evidence.host?.load() * 100.0, "%"),
        Tool::Index => {
            let database = evidence.database.as_ref()?;
            let (reads, transactions) =
                (database.read_ms?, database.transactions.filter(|count| *count > 0.0)?);
            ("time of reading, for each transaction", reads / transactions, "ms")
        }
        Tool::ReadReplica => {
            let database = evidence.database.as_ref()?;
            let load = database.active?.sessions() / database.cpus?.max(1.0);
            ("sessions at work for each CPU of the primary", load, "sessions")
        }
        Tool::Pool => {
            let database = evidence.database.as_ref()?;
            let (connects, transactions) = (database.connects?, database.transactions?);
            (
                "connections made for each transaction",
                connects / transactions.max(connects).max(1e-9),
                "connections",
            )
        }
        Tool::Queue => {
            let answers = evidence.traffic.as_ref()?.answers();
            let slowest = answers
                .filter_map(|route| route.p50_ms)
                .fold(None, |slowest: Option<f64>, ms| Some(slowest.map_or(ms, |slowest| slowest.max(ms))));
            ("the slowest route's median", slowest?, "ms")
        }
    };
    Some(figure(what, value, unit))
}

fn seconds(evidence: &Evidence) -> Option<f64> {
    evidence.traffic.as_ref()?.seconds.filter(|seconds| *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_no_gauge_is_known() {
        for tool in Tool::ALL {
            assert_eq!(gauge(tool, &Evidence::default()), None, "{tool:?}");
        }
    }
}
