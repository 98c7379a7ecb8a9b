//! The bench `balance`: what several origins carry together, who gets what when one of
//! them is slow, and what it costs to choose.
//!
//! An origin here has a capacity: it works on a few requests at a time, each takes a fixed
//! time, and others wait. Requests are OPTIONS, which no cache looks up or keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::crowd::{Crowd, is_whole};
use super::http::{self, Handler, Message, Server};
use super::origin::BODY_BYTES;
use super::storage::{Keeps, Storage};
use super::tidewall;
use super::workerd::Workerd;
use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// Requests that an origin works on at a time.
const SLOTS: usize = 4;
/// How long each takes: an origin carries 160 a second.
const SERVICE: Duration = Duration::from_millis(25);
/// And at one that is slow.
const SLOW: Duration = Duration::from_millis(250);
/// Who ask at the same time: more than four origins work on.
const CLIENTS: usize = 48;
/// And where one of three is slow: what the two others carry without a queue.
const CLIENTS_BEFORE_SLOW: usize = 8;
/// Origins beside each other in the last measurement.
const MANY: usize = 4;

const LEAST_CONNECTIONS: &str = "least-connections";
const OTHERS: [&str; 2] = ["round-robin", "ip-hash"];

/// Measures the balancer.
///
/// # Errors
/// The Worker or an origin can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    measure(setting).await.map_err(|reason| BenchError::Contestant { name: "balance".to_owned(), reason })
}

async fn measure(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let mut results = capacity(setting).await?;
    results.extend(slow_origin(setting).await?);
    results.push(overhead(setting).await?);
    Ok(results)
}

/// An origin with a capacity.
struct Capped {
    server: Server,
    answers: Arc<Answers>,
}

struct Answers {
    slots: Option<Semaphore>,
    service: Duration,
    body: Vec<u8>,
    asked: AtomicU64,
}

impl Capped {
    async fn start(service: Duration) -> Result<Self, Reason> {
        Self::with(Some(Semaphore::new(SLOTS)), service).await
    }

    async fn with(slots: Option<Semaphore>, service: Duration) -> Result<Self, Reason> {
        let body = vec![b'x'; BODY_BYTES];
        let answers = Arc::new(Answers { slots, service, body, asked: AtomicU64::new(0) });
        Ok(Self { server: Server::start(Arc::clone(&answers)).await?, answers })
    }

    fn asked(&self) -> u64 {
        self.answers.asked.load(Ordering::Relaxed)
    }
}

impl Handler for Answers {
    fn answer(self: Arc<Self>, _: Message) -> BoxFuture<'static, Vec<u8>> {
        async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let _slot = match &self.slots {
                Some(slots) => slots.acquire().await.ok(),
                None => None,
            };
            if !self.service.is_zero() {
                tokio::time::sleep(self.service).await;
            }
            http::response("200 OK", &[("Cache-Control", "no-store")], &self.body)
        }
        .boxed()
    }
}

/// An edge before origins.
struct Pool {
    origins: Vec<Capped>,
    edge: Workerd,
}

impl Pool {
    async fn start(setting: &Setting, origins: Vec<Capped>, policy: &str) -> Result<Self, Reason> {
        let addresses: Vec<_> = origins.iter().map(|origin| origin.server.address).collect();
        let storage = Storage::start(Keeps::All, Keeps::All).await?;
        let edge = tidewall::before(&setting.worker, &addresses, policy, storage).await?;
        Ok(Self { origins, edge })
    }

    async fn crowd(&self, clients: usize) -> Result<Crowd, Reason> {
        Crowd::gather(self.edge.address, clients).await
    }
}

fn options(turn: u32) -> Vec<u8> {
    // Of many clients, for the policy that tells them apart.
    format!(
        "OPTIONS /api/balanced HTTP/1.1\r\nHost: edge.example\r\nCF-Connecting-IP: 192.0.2.{}\r\n\r\n",
        turn % 250
    )
    .into_bytes()
}

/// So many origins carry so many times what one does.
async fn capacity(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let mut pools = Vec::new();
    for origins in [1, 2, 4] {
        let origins = futures::future::try_join_all((0..origins).map(|_| Capped::start(SERVICE))).await?;
        let pool = Pool::start(setting, origins, LEAST_CONNECTIONS).await?;
        let crowd = pool.crowd(CLIENTS).await?;
        pools.push((pool, crowd));
    }
    let rounds = setting.effort.rounds.div_ceil(3);
    let mut rates = vec![Vec::new(); pools.len()];
    for round in 0..=rounds {
        progress::tell(format!("what origins carry: round {round} of {rounds}"));
        for (index, (pool, crowd)) in pools.iter_mut().enumerate() {
            // About as long for each.
            let requests = u32::try_from(pool.origins.len() * CLIENTS * 4)?;
            let begun = Instant::now();
            crowd.send(requests, options, |_, answer| is_whole(answer)).await?;
            // The first is to warm up.
            if round > 0 {
                rates[index].push(f64::from(requests) / begun.elapsed().as_secs_f64());
            }
        }
    }
    let mut rates = rates.into_iter().map(sample);
    let mut next = || rates.next().ok_or_else(|| Reason::new("no figure"))?;
    let (one, two, four) = (next()?, next()?, next()?);
    let ratio = |name, origins: f64, rate: &Sample| {
        let ratio = rate.over(&one).ok_or_else(|| Reason::new("the rounds came to no figure"))?;
        let unit = "times the requests a second of one origin";
        Ok::<_, Reason>(Measurement::new(name, unit, Better::Higher, &ratio).limit(origins))
    };
    Ok(vec![ratio("balance/two-origins", 2.0, &two)?, ratio("balance/four-origins", 4.0, &four)?])
}

/// One of three is ten times slower than the others.
async fn slow_origin(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let rounds = setting.effort.rounds.div_ceil(3);
    let mut all = Vec::new();
    for policy in [LEAST_CONNECTIONS].iter().chain(&OTHERS) {
        let origins = [SERVICE, SERVICE, SLOW].map(Capped::start);
        let origins = futures::future::try_join_all(origins).await?;
        let pool = Pool::start(setting, origins, policy).await?;
        let mut crowd = pool.crowd(CLIENTS_BEFORE_SLOW).await?;
        crowd.send(100, options, |_, answer| is_whole(answer)).await?;
        let (mut shares, mut slowest) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            progress::tell(format!("a slow origin, {policy}: round {} of {rounds}", round + 1));
            let before = pool.origins[2].asked();
            let requests = 400_u32;
            let mut took = crowd.times(requests, options, |_, answer| is_whole(answer)).await?;
            shares.push(100.0 * (pool.origins[2].asked() - before) as f64 / f64::from(requests));
            took.sort_unstable();
            let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
            slowest.push(p99.as_secs_f64() * 1_000.0);
        }
        all.push((*policy, sample(shares)?, sample(slowest)?));
    }
    let [(_, share, slowest), others @ ..] = &all[..] else { return Err(Reason::new("no figure")) };
    let unit = "percent of requests, of the slow one of three origins";
    let mut share = Measurement::new("balance/slow-share", unit, Better::Lower, share).limit(5.0);
    let unit = "ms, 99th percentile, before a slow origin of three";
    let mut slowest = Measurement::new("balance/slow-p99", unit, Better::Lower, slowest);
    for (policy, its_share, its_slowest) in others {
        share = share.peer(*policy, its_share.median());
        slowest = slowest.peer(*policy, its_slowest.median());
    }
    Ok(vec![share, slowest])
}

/// What it takes longer to choose among several than to have one.
async fn overhead(setting: &Setting) -> Result<Measurement, Reason> {
    let mut pools = Vec::new();
    for origins in [1, MANY] {
        let origins = (0..origins).map(|_| Capped::with(None, Duration::ZERO));
        let origins = futures::future::try_join_all(origins).await?;
        let pool = Pool::start(setting, origins, LEAST_CONNECTIONS).await?;
        let crowd = pool.crowd(1).await?;
        pools.push((pool, crowd));
    }
    let rounds = setting.effort.rounds;
    let mut added = Vec::new();
    for round in 0..=rounds {
        progress::tell(format!("what it costs to choose: round {round} of {rounds}"));
        let mut medians = Vec::new();
        for (_, crowd) in &mut pools {
            let took = crowd.times(300, options, |_, answer| is_whole(answer)).await?;
            let took = took.iter().map(Duration::as_secs_f64).collect();
            medians.push(sample(took)?.median() * 1_000.0);
        }
        if round > 0 {
            added.push(medians[1] - medians[0]);
        }
    }
    let unit = "ms more at the median than before one origin, of four";
    Ok(Measurement::new("balance/overhead", unit, Better::Lower, &sample(added)?).limit(0.2))
}

fn sample(rounds: Vec<f64>) -> Result<Sample, Reason> {
    Sample::new(rounds).ok_or_else(|| Reason::new("the rounds came to no figure"))
}
