//! The peers of npm. What each of them is told to do, and how it is set, is in its
//! script; `bench/peers/queue.mjs` is what the scripts share.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::CONNECTIONS;
use super::contestant::{Contestant, Counted, Flow, Flowed, Pace};
use super::place::Place;
use crate::error::Reason;
use crate::node;

/// A package of npm.
pub(super) struct Package {
    pub(super) package: &'static str,
    script: &'static str,
    pub(super) place: Place,
}

pub(super) const GRAPHILE_WORKER: Package = Package {
    package: "graphile-worker",
    script: "graphile-worker.mjs",
    place: Place {
        database: "bench_queue_graphile_worker",
        // It deletes what is completed.
        is_left: "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)",
        clear: "TRUNCATE graphile_worker._private_jobs",
    },
};

pub(super) const PG_BOSS: Package = Package {
    package: "pg-boss",
    script: "pg-boss.mjs",
    place: Place {
        database: "bench_queue_pg_boss",
        is_left: "SELECT EXISTS (SELECT FROM pgboss.job WHERE name = 'noop' AND state <> 'completed')",
        clear: "TRUNCATE pgboss.job",
    },
};

impl Package {
    pub(super) async fn connect(&self, url: String) -> Result<Node, Reason> {
        let mut node = Node(node::Node::start(self.script, &url)?);
        node.done(&Question::Connect { connections: CONNECTIONS }).await?;
        Ok(node)
    }
}

pub(super) struct Node(node::Node);

/// What it gets.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Connect { connections: u32 },
    Enqueue { jobs: u32 },
    EnqueueSingly { seconds: f64, connections: u32 },
    Work { jobs: u32 },
    Stop {},
    Flow { lead_seconds: f64, seconds: f64, producers: u32, batch: u32, pace: Paced },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Paced {
    Rate(f64),
    Waiting(u32),
}

/// What it gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Answer {
    Done,
    Counted { jobs: u32, seconds: f64 },
    Flowed { jobs: u32, seconds: f64, p50_ms: Option<f64>, p99_ms: Option<f64> },
    Error(String),
}

impl Node {
    async fn done(&mut self, question: &Question) -> Result<(), Reason> {
        match self.0.ask(question).await? {
            Answer::Done => Ok(()),
            answer => Err(unexpected(answer)),
        }
    }
}

impl Contestant for Node {
    fn enqueue(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>> {
        async move { self.done(&Question::Enqueue { jobs }).await }.boxed()
    }

    fn enqueue_singly(
        &mut self,
        length: Duration,
        connections: u32,
    ) -> BoxFuture<'_, Result<Counted, Reason>> {
        let question = Question::EnqueueSingly { seconds: length.as_secs_f64(), connections };
        async move {
            match self.0.ask(&question).await? {
                Answer::Counted { jobs, seconds } => {
                    Ok(Counted { jobs, elapsed: Duration::try_from_secs_f64(seconds)? })
                }
                answer => Err(unexpected(answer)),
            }
        }
        .boxed()
    }

    fn work(&mut self, jobs: u32) -> BoxFuture<'_, Result<(), Reason>> {
        async move { self.done(&Question::Work { jobs }).await }.boxed()
    }

    fn stop(&mut self) -> BoxFuture<'_, Result<(), Reason>> {
        async move { self.done(&Question::Stop {}).await }.boxed()
    }

    fn flow(&mut self, flow: Flow) -> BoxFuture<'_, Result<Flowed, Reason>> {
        let Flow { lead, length, producers, batch, pace } = flow;
        let question = Question::Flow {
            lead_seconds: lead.as_secs_f64(),
            seconds: length.as_secs_f64(),
            producers,
            batch,
            pace: match pace {
                Pace::Rate(rate) => Paced::Rate(rate),
                Pace::Waiting(most) => Paced::Waiting(most),
            },
        };
        async move {
            match self.0.ask(&question).await? {
                Answer::Flowed { jobs, seconds, p50_ms, p99_ms } => {
                    let handled = Counted { jobs, elapsed: Duration::try_from_secs_f64(seconds)? };
                    Ok(Flowed { handled, p50_ms, p99_ms })
                }
                answer => Err(unexpected(answer)),
            }
        }
        .boxed()
    }
}

fn unexpected(answer: Answer) -> Reason {
    match answer {
        Answer::Error(error) => Reason::new(&error),
        Answer::Done | Answer::Counted { .. } | Answer::Flowed { .. } => {
            Reason::new("node answered something else than it was asked")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_what_the_scripts_read() {
        let told = |question| serde_json::to_string(&question).unwrap();
        assert_eq!(told(Question::Stop {}), r#"{"stop":{}}"#);
        assert_eq!(told(Question::Work { jobs: 3 }), r#"{"work":{"jobs":3}}"#);
        let pace = Paced::Rate(50.0);
        let flow = Question::Flow { lead_seconds: 1.0, seconds: 2.5, producers: 8, batch: 10, pace };
        assert_eq!(
            told(flow),
            r#"{"flow":{"lead_seconds":1.0,"seconds":2.5,"producers":8,"batch":10,"pace":{"rate":50.0}}}"#
        );
    }

    #[test]
    fn answers_are_read() {
        assert!(matches!(serde_json::from_str(r#""done""#).unwrap(), Answer::Done));
        let counted = r#"{"counted":{"jobs":3,"seconds":2}}"#;
        assert!(matches!(serde_json::from_str(counted).unwrap(), Answer::Counted { jobs: 3, .. }));
        let error: Answer = serde_json::from_str(r#"{"error":"no such table"}"#).unwrap();
        assert_eq!(unexpected(error).to_string(), "no such table");
    }
}
