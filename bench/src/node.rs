//! A peer of npm, in a process of its own: a script of `bench/peers`. It gets and
//! gives one line of JSON for each step, and ends when nobody asks any more.

use std::path::Path;
use std::process::Stdio;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::error::Reason;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// A running script.
pub(crate) struct Node {
    // Killed when dropped.
    _process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// Starts a script on the database at this URL.
    pub(crate) fn start(script: &str, url: &str) -> Result<Self, Reason> {
        let mut process = Command::new("node")
            .arg(Path::new(SCRIPTS).join(script))
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
        Ok(Self { _process: process, questions, answers })
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> Result<A, Reason> {
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
