//! A product's server: answers what its routes say, on the CPUs of its machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tidewall_origin::queue::{Handler as JobHandler, JobContext, JobError, NewJob, Outcome, Queue};

use super::definition::{After, Answer, Definition, Route};
use super::log::{Line, Log};
use super::machine::Machine;
use super::store::Connections;
use crate::edge::http::{self, Handler, Message};
use crate::error::Reason;

/// Who asks: a log has to tell one from another, and here all come from one address.
pub(super) const READER: &str = "X-Reader";
/// Answers that differ differ in their length, by so many bytes at most: a log tells nothing else.
const LENGTHS: u64 = 200;

/// To whom answers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    /// Readers.
    Readers,
    /// An edge beside the server.
    Edge,
    /// An edge beside the readers.
    EdgeAfar,
}

/// Which answers may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// None.
    None,
    /// Files.
    Files,
    /// Answers that are for all.
    Answers,
}

/// A server.
pub(super) struct Product {
    pub(super) definition: Arc<Definition>,
    pub(super) machine: Arc<Machine>,
    pub(super) connections: Option<Arc<Connections>>,
    pub(super) queue: Option<Queue>,
    pub(super) log: Option<Arc<Log>>,
    pub(super) sends: Sends,
    pub(super) keeps: Keeps,
    /// Bytes.
    pub(super) sent: Arc<AtomicU64>,
}

impl Handler for Product {
    fn answer(self: Arc<Self>, request: Message) -> BoxFuture<'static, Vec<u8>> {
        async move { self.answer_to(&request).await }.boxed()
    }
}

impl Product {
    async fn answer_to(&self, request: &Message) -> Vec<u8> {
        let begun = Instant::now();
        let (method, target) = (request.word(0), request.word(1));
        let of = |route: &Route| route.key(method, target);
        let Some((route, key)) = self.definition.routes.iter().find_map(|route| Some((route, of(route)?)))
        else {
            return http::response("404 Not Found", &[("Cache-Control", "no-store")], b"");
        };
        let reader = request.field(READER).unwrap_or("-");
        let (status, length) = match self.work(route, key).await {
            Ok(status) => (status, length(route, key, reader)),
            Err(why) => {
                let fields = [("Cache-Control", "no-store")];
                return http::response("500 Internal Server Error", &fields, why.to_string().as_bytes());
            }
        };
        // What is sent far takes its time, of which the last part is over when it has left.
        let rounds = match self.sends {
            Sends::Readers => route.rounds() - 1.0,
            Sends::Edge => 0.0,
            Sends::EdgeAfar => 1.0,
        };
        if rounds > 0.0 {
            let distance_ms = self.definition.distance_ms;
            tokio::time::sleep(Duration::from_secs_f64(rounds * distance_ms / 1_000.0)).await;
        }
        self.sent.fetch_add(length as u64, Ordering::Relaxed);
        if let Some(log) = &self.log {
            let line = Line { reader, method, target, status, bytes: length, took: begun.elapsed() };
            // A log that can't be written is found out when it is read.
            let _ = log.add(&line);
        }
        let kept = match (self.keeps, route.answer) {
            _ if status != 200 => "no-store",
            (Keeps::Files, Answer::ForAll) if route.is_file() => "public, max-age=31536000, immutable",
            (Keeps::Answers, Answer::ForAll) if !route.is_file() => "public, s-maxage=300",
            _ => "private, no-store",
        };
        let line = if status == 202 { "202 Accepted" } else { "200 OK" };
        http::response(line, &[("Cache-Control", kept)], &vec![b'x'; length])
    }

    async fn work(&self, route: &Route, key: u32) -> Result<u16, Reason> {
        self.machine.compute(route.compute_ms).await;
        if let Some(connections) = &self.connections {
            connections.ask(route, key).await?;
        }
        match (route.after, &self.queue) {
            (Some(after), Some(queue)) => {
                queue.add(&NewJob::of::<Later>(&after)?).await?;
                Ok(202)
            }
            (Some(after), None) => {
                after.run(&self.machine).await;
                Ok(200)
            }
            (None, _) => Ok(200),
        }
    }
}

fn length(route: &Route, key: u32, reader: &str) -> usize {
    let more = match route.answer {
        Answer::ForAll => u64::from(key) * 7 % LENGTHS,
        Answer::Own => {
            reader.bytes().fold(u64::from(key), |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
                % LENGTHS
        }
        Answer::New => fastrand::u64(..LENGTHS),
    };
    usize::try_from(u64::from(route.bytes) + more).unwrap_or(usize::MAX)
}

impl After {
    async fn run(self, machine: &Machine) {
        match self.computes {
            true => machine.compute(self.ms).await,
            false => tokio::time::sleep(Duration::from_secs_f64(self.ms / 1_000.0)).await,
        }
    }
}

/// Does the work of a request after its answer, on the same machine.
pub(super) struct Later(pub(super) Arc<Machine>);

impl JobHandler for Later {
    const KIND: &'static str = "scenario";
    type Payload = After;
    type Output = ();

    async fn run(&self, work: After, _job: JobContext) -> Result<Outcome<()>, JobError> {
        work.run(&self.0).await;
        Ok(Outcome::Done(()))
    }
}
