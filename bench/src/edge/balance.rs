//! The bench `balance`: what several origins carry together, who gets what when one of
//! them is slow, and what it costs to choose; beside nginx and HAProxy, where they are installed.
//!
//! An origin here has a capacity: it works on a few requests at a time, each takes a fixed
//! time, and others wait. Requests are OPTIONS, which no cache looks up or keeps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::crowd::{Crowd, is_whole};
use super::http::{self, Handler, Message, Server, Stream};
use super::origin::BODY_BYTES;
use super::proxies::{self, Proxy};
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
    results.extend(lost_origin(setting).await?);
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

/// By whom requests are spread over origins.
#[derive(Clone, Copy)]
enum By {
    /// The edge, by this policy.
    Policy(&'static str),
    /// Somebody else, where the machine has them.
    Proxy(&'static Proxy),
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Policy(policy) => policy,
            Self::Proxy(proxy) => proxy.name,
        }
    }
}

/// What stands before the origins.
enum Front {
    Edge(Workerd),
    Proxy(proxies::Running),
}

/// It, and the origins.
struct Pool {
    origins: Vec<Capped>,
    front: Front,
}

impl Pool {
    async fn start(setting: &Setting, origins: Vec<Capped>, by: By) -> Result<Self, Reason> {
        let addresses: Vec<_> = origins.iter().map(|origin| origin.server.address).collect();
        let front = match by {
            By::Policy(policy) => {
                let storage = Storage::start(Keeps::All, Keeps::All).await?;
                Front::Edge(tidewall::before(&setting.worker, &addresses, policy, storage).await?)
            }
            By::Proxy(proxy) => Front::Proxy(proxy.start(&addresses).await?),
        };
        Ok(Self { origins, front })
    }

    fn address(&self) -> SocketAddr {
        match &self.front {
            Front::Edge(edge) => edge.address,
            Front::Proxy(proxy) => proxy.address,
        }
    }

    async fn crowd(&self, clients: usize) -> Result<Crowd, Reason> {
        Crowd::gather(self.address(), clients).await
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

/// How many origins are compared, the first being one.
const CAPACITIES: [usize; 3] = [1, 2, 4];

/// A pool of each number of origins, and what came of each round.
struct Carriers {
    by: By,
    pools: Vec<(Pool, Crowd, Vec<f64>)>,
}

impl Carriers {
    async fn start(setting: &Setting, by: By) -> Result<Self, Reason> {
        let mut pools = Vec::new();
        for origins in CAPACITIES {
            let origins = futures::future::try_join_all((0..origins).map(|_| Capped::start(SERVICE))).await?;
            let pool = Pool::start(setting, origins, by).await?;
            let crowd = pool.crowd(CLIENTS).await?;
            pools.push((pool, crowd, Vec::new()));
        }
        Ok(Self { by, pools })
    }

    async fn round(&mut self, counts: bool) -> Result<(), Reason> {
        for (pool, crowd, rates) in &mut self.pools {
            // About as long for each.
            let requests = u32::try_from(pool.origins.len() * CLIENTS * 4)?;
            let begun = Instant::now();
            crowd.send(requests, options, |_, answer| is_whole(answer)).await?;
            if counts {
                rates.push(f64::from(requests) / begun.elapsed().as_secs_f64());
            }
        }
        Ok(())
    }

    /// How many times the requests of one origin each number of them carries.
    fn ratios(self) -> Result<Vec<Sample>, Reason> {
        let rates: Vec<_> =
            self.pools.into_iter().map(|(_, _, rates)| sample(rates)).collect::<Result<_, _>>()?;
        let over =
            |rate: &Sample| rate.over(&rates[0]).ok_or_else(|| Reason::new("the rounds came to no figure"));
        rates.iter().map(over).collect()
    }
}

/// So many origins carry so many times what one does.
async fn capacity(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let mut own = Carriers::start(setting, By::Policy(LEAST_CONNECTIONS)).await?;
    let (mut others, mut missing) = (Vec::new(), Vec::new());
    for proxy in proxies::BALANCERS {
        match Carriers::start(setting, By::Proxy(proxy)).await {
            Ok(carriers) => others.push(carriers),
            Err(reason) => missing.push((proxy.name, reason)),
        }
    }
    let rounds = setting.effort.rounds.div_ceil(3);
    for round in 0..=rounds {
        progress::tell(format!("what origins carry: round {round} of {rounds}"));
        // The first is to warm up.
        own.round(round > 0).await?;
        for carriers in &mut others {
            carriers.round(round > 0).await?;
        }
    }
    let others: Vec<_> = others
        .into_iter()
        .map(|carriers| Ok::<_, Reason>((carriers.by.name(), carriers.ratios()?)))
        .collect::<Result<_, _>>()?;
    let own = own.ratios()?;
    let measured = |index: usize, name| {
        let unit = "times the requests a second of one origin";
        let mut measured =
            Measurement::new(name, unit, Better::Higher, &own[index]).limit(CAPACITIES[index] as f64);
        for (name, ratios) in &others {
            measured = measured.peer(*name, ratios[index].median());
        }
        missing.iter().fold(measured, |measured, (name, reason)| measured.without(*name, reason.to_string()))
    };
    Ok(vec![measured(1, "balance/two-origins"), measured(2, "balance/four-origins")])
}

/// One of three is ten times slower than the others.
async fn slow_origin(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let rounds = setting.effort.rounds.div_ceil(3);
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    let policies = [LEAST_CONNECTIONS].into_iter().chain(OTHERS).map(By::Policy);
    for by in policies.chain(proxies::BALANCERS.iter().map(By::Proxy)) {
        let origins = [SERVICE, SERVICE, SLOW].map(Capped::start);
        let origins = futures::future::try_join_all(origins).await?;
        let pool = match (Pool::start(setting, origins, by).await, by) {
            (Ok(pool), _) => pool,
            (Err(reason), By::Policy(_)) => return Err(reason),
            (Err(reason), By::Proxy(_)) => {
                progress::tell(format!("{} is missing: {reason}", by.name()));
                missing.push((by.name(), reason));
                continue;
            }
        };
        let mut crowd = pool.crowd(CLIENTS_BEFORE_SLOW).await?;
        crowd.send(100, options, |_, answer| is_whole(answer)).await?;
        let (mut shares, mut slowest) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            progress::tell(format!("a slow origin, {}: round {} of {rounds}", by.name(), round + 1));
            let before = pool.origins[2].asked();
            let requests = 400_u32;
            let mut took = crowd.times(requests, options, |_, answer| is_whole(answer)).await?;
            shares.push(100.0 * (pool.origins[2].asked() - before) as f64 / f64::from(requests));
            took.sort_unstable();
            let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
            slowest.push(p99.as_secs_f64() * 1_000.0);
        }
        all.push((by.name(), sample(shares)?, sample(slowest)?));
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
    for (name, reason) in missing {
        (share, slowest) =
            (share.without(name, reason.to_string()), slowest.without(name, reason.to_string()));
    }
    Ok(vec![share, slowest])
}

/// Requests a second while an origin is lost.
const PACE: u32 = 500;
/// For how long, before and after that.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(6);
/// When all of the edge is to know of it.
const KNOWN_AFTER: Duration = Duration::from_secs(2);
/// Who ask: so many that a request that waits holds up no other.
const PACED_CLIENTS: u32 = 64;

/// One of three goes away, in the middle of what it does, and in its place is nobody who
/// answers.
async fn lost_origin(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let (mut failed, mut shares) = (Vec::new(), Vec::new());
    let rounds = setting.effort.rounds.div_ceil(3);
    for round in 0..rounds {
        progress::tell(format!("an origin is lost: round {} of {rounds}", round + 1));
        let origins = (0..3).map(|_| Capped::with(None, Duration::from_millis(2)));
        let origins = futures::future::try_join_all(origins).await?;
        let mut pool = Pool::start(setting, origins, By::Policy("round-robin")).await?;
        pool.crowd(1).await?.send(30, options, |_, answer| is_whole(answer)).await?;
        let begun = Instant::now();
        let sent = tokio::spawn(paced(pool.address(), begun));
        tokio::time::sleep_until((begun + BEFORE).into()).await;
        let lost = pool.origins.remove(1);
        let address = lost.server.address;
        drop(lost);
        let knocks = Knocks::at(address).await?;
        tokio::time::sleep_until((begun + BEFORE + KNOWN_AFTER).into()).await;
        let before = knocks.count();
        failed.push(f64::from(sent.await??));
        let asked = f64::from(PACE) * (AFTER - KNOWN_AFTER).as_secs_f64();
        shares.push(100.0 * (knocks.count() - before) as f64 / asked);
    }
    let unit = "requests that failed, of 4,000 at 500 a second, one of three origins being lost";
    let failed = Measurement::new("balance/lost-failed", unit, Better::Lower, &sample(failed)?).limit(0.0);
    let unit = "percent of requests that try the lost one, 2 s later";
    Ok(vec![failed, Measurement::new("balance/lost-share", unit, Better::Lower, &sample(shares)?).limit(1.0)])
}

/// Where an origin was: takes connections, closes them, and counts them.
struct Knocks {
    count: Arc<AtomicU64>,
    taking: tokio::task::JoinHandle<()>,
}

impl Knocks {
    async fn at(address: SocketAddr) -> Result<Self, Reason> {
        let listener = loop {
            match tokio::net::TcpListener::bind(address).await {
                Ok(listener) => break listener,
                // The one before is closed by a task of its own.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        };
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let taking = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                drop(connection);
            }
        });
        Ok(Self { count, taking })
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Knocks {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

/// Sends [`PACE`] requests a second, each at its time, whatever became of the others; how many
/// failed.
async fn paced(address: SocketAddr, begun: Instant) -> Result<u32, Reason> {
    let count = u32::try_from((BEFORE + AFTER).as_millis())? * PACE / 1_000;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..PACED_CLIENTS {
        clients.spawn(async move {
            let mut failed = 0;
            let mut stream = None;
            for turn in (client..count).step_by(PACED_CLIENTS as usize) {
                tokio::time::sleep_until((begun + Duration::from_secs(1) * turn / PACE).into()).await;
                let mut connected = match stream.take() {
                    Some(stream) => stream,
                    None => Stream::connect(address).await?,
                };
                match connected.ask(&http::get(&format!("/api/lost/{turn}"))).await {
                    Ok(answer) if is_whole(&answer).is_ok() => stream = Some(connected),
                    Ok(_) | Err(_) => failed += 1,
                }
            }
            Ok::<_, Reason>(failed)
        });
    }
    let mut failed = 0;
    while let Some(ended) = clients.join_next().await {
        failed += ended??;
    }
    Ok(failed)
}

/// What it takes longer to choose among several than to have one.
async fn overhead(setting: &Setting) -> Result<Measurement, Reason> {
    let mut pools = Vec::new();
    for origins in [1, MANY] {
        let origins = (0..origins).map(|_| Capped::with(None, Duration::ZERO));
        let origins = futures::future::try_join_all(origins).await?;
        let pool = Pool::start(setting, origins, By::Policy(LEAST_CONNECTIONS)).await?;
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
