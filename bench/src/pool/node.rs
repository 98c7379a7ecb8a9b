//! The peer `pg` of npm: `bench/peers/pg.mjs`.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{CONNECTIONS, product};
use crate::contest::Contestant;
use crate::error::Reason;
use crate::load::{Load, TASKS};
use crate::node;

pub(super) struct Node(node::Node);

/// The first line it gets.
#[derive(Serialize)]
struct Workload {
    sql: &'static str,
    tasks: u32,
    connections: usize,
    products: u32,
}

/// The following ones.
#[derive(Serialize)]
struct Round {
    seconds: f64,
}

/// What it gives.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Ready,
    Round { requests: u32, seconds: f64, waited_seconds: f64 },
    Error(String),
}

pub(super) async fn connect(url: &str) -> Result<Node, Reason> {
    let mut node = node::Node::start("pg.mjs", url)?;
    let workload =
        Workload { sql: product::SELECT, tasks: TASKS, connections: CONNECTIONS, products: product::COUNT };
    match node.ask(&workload).await? {
        Answer::Ready => Ok(Node(node)),
        answer => Err(unexpected(answer)),
    }
}

impl Contestant for Node {
    fn round(&mut self, length: Duration) -> BoxFuture<'_, Result<Load, Reason>> {
        async move {
            match self.0.ask(&Round { seconds: length.as_secs_f64() }).await? {
                Answer::Round { requests, seconds, waited_seconds } => Ok(Load {
                    requests,
                    elapsed: Duration::try_from_secs_f64(seconds)?,
                    waited: Duration::try_from_secs_f64(waited_seconds)?,
                }),
                answer => Err(unexpected(answer)),
            }
        }
        .boxed()
    }
}

fn unexpected(answer: Answer) -> Reason {
    match answer {
        Answer::Error(error) => Reason::new(&error),
        Answer::Ready | Answer::Round { .. } => Reason::new("node answered something else than it was asked"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_as_node_says_it() {
        let answer: Answer = serde_json::from_str(r#"{"error":"Cannot find package 'pg'"}"#).unwrap();
        assert_eq!(unexpected(answer).to_string(), "Cannot find package 'pg'");
    }

    #[test]
    fn answers_are_read() {
        assert!(matches!(serde_json::from_str(r#""ready""#).unwrap(), Answer::Ready));
        let round = r#"{"round":{"requests":3,"seconds":2.0,"waited_seconds":0.5}}"#;
        assert!(matches!(serde_json::from_str(round).unwrap(), Answer::Round { requests: 3, .. }));
        assert!(serde_json::from_str::<Answer>(r#"{"round":{"requests":-1}}"#).is_err());
    }
}
