//! The peer `pg` of npm, in a process of its own: `bench/peers/pg.mjs`. It gets
//! and gives one line of JSON for each step, and ends when nobody asks any more.

use std::process::Stdio;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{CONNECTIONS, product};
use crate::contest::Contestant;
use crate::error::Reason;
use crate::load::{Load, TASKS};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pg.mjs");

pub(super) struct Node {
    // Killed when dropped.
    _process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

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
    let mut process = Command::new("node")
        .arg(SCRIPT)
        .env("DATABASE_URL", url)
        .env("NODE_ENV", "production")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Reason::new(&format!("there is no node to run it: {error}")))?;
    let no_pipe = || Reason::new("node has no pipes");
    let questions = process.stdin.take().ok_or_else(no_pipe)?;
    let answers = BufReader::new(process.stdout.take().ok_or_else(no_pipe)?).lines();
    let mut node = Node { _process: process, questions, answers };
    let workload =
        Workload { sql: product::SELECT, tasks: TASKS, connections: CONNECTIONS, products: product::COUNT };
    match node.ask(&workload).await? {
        Answer::Ready => Ok(node),
        answer => Err(unexpected(answer)),
    }
}

impl Node {
    async fn ask(&mut self, question: &impl Serialize) -> Result<Answer, Reason> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        let asked = self.questions.write_all(&line).await;
        // Where it has ended, what it said last says more than that it ended.
        match self.answers.next_line().await? {
            Some(answer) => Ok(serde_json::from_str(&answer)?),
            None => Err(asked.map_or_else(Reason::from, |()| Reason::new("node ended without an answer"))),
        }
    }
}

impl Contestant for Node {
    fn round(&mut self, length: Duration) -> BoxFuture<'_, Result<Load, Reason>> {
        async move {
            match self.ask(&Round { seconds: length.as_secs_f64() }).await? {
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
