//! What a hit costs: CPU time of a request that is answered from memory, from the
//! Cache API and from KV, beside a Worker in plain JavaScript that only answers.
//!
//! A hit comes from the level it is to come from by what there is to ask for. One URL
//! stays in memory. More than memory holds, asked for in turn, are never there when
//! their turn comes, and lie in the Cache API. Where that keeps nothing, they lie in KV.
//! Each answer says where it is from, and is held to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::crowd::{Crowd, is_whole};
use super::http::{self, Message};
use super::origin::{Origin, QUICK};
use super::process::Process;
use super::proxies;
use super::storage::{Keeps, Storage};
use super::workerd::Workerd;
use super::{CLIENTS, plain, tidewall};
use crate::catalog::Setting;
use crate::contest::order;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

const TIDEWALL: &str = "tidewall";
const PLAIN: &str = "plain JavaScript Worker";

/// More than memory holds: 16 MiB of responses of 2 KB are some 4,000, whatever their
/// fields take.
const KEYS_BEYOND_MEMORY: u32 = 8_192;

/// Requests of a round, at least: what CPU time is counted in is coarse.
const REQUESTS_MIN: u32 = 800;

/// Where hits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Memory,
    CacheApi,
    Kv,
}

impl Level {
    /// As Server-Timing says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::CacheApi => "cache_api",
            Self::Kv => "kv",
        }
    }

    /// Name of the result that is a ratio, and of the one that is a time.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Memory => ["edge/hit-memory", "edge/hit-memory-cpu"],
            Self::CacheApi => ["edge/hit-cache-api", "edge/hit-cache-api-cpu"],
            Self::Kv => ["edge/hit-kv", "edge/hit-kv-cpu"],
        }
    }

    /// How many times the plain Worker's time it may take.
    fn ratio_max(self) -> Option<f64> {
        match self {
            Self::Memory => Some(1.4),
            Self::CacheApi => Some(1.2),
            Self::Kv => None,
        }
    }

    fn keys(self) -> u32 {
        match self {
            Self::Memory => 1,
            Self::CacheApi | Self::Kv => KEYS_BEYOND_MEMORY,
        }
    }

    /// Requests for each millisecond that a round of other benches takes.
    fn requests_a_ms(self) -> u32 {
        match self {
            Self::Memory => 6,
            Self::CacheApi | Self::Kv => 2,
        }
    }

    async fn storage(self) -> Result<Storage, Reason> {
        let cache = if self == Self::Kv { Keeps::Nothing } else { Keeps::All };
        Storage::start(Keeps::All, cache).await
    }
}

/// Measures the hits of one level.
pub(super) async fn run(
    setting: &Setting,
    origin: &Origin,
    level: Level,
) -> Result<Vec<Measurement>, Reason> {
    let mut contest = Contest { level, contestants: Vec::new(), missing: BTreeMap::new() };
    progress::tell(format!("hits from {}: filling", level.as_str()));
    let edge = tidewall::start(&setting.worker, origin, level.storage().await?).await?;
    let mut edge = Contestant::new(TIDEWALL, Serving::Worker(edge), level).await?;
    let hit = edge.fill(level).await?;
    contest.contestants.push(edge);
    let plain = plain::start(level, &hit, level.storage().await?).await?;
    let mut plain = Contestant::new(PLAIN, Serving::Worker(plain), level).await?;
    plain.fill(level).await?;
    contest.contestants.push(plain);
    if level == Level::Memory {
        for proxy in proxies::CACHES {
            contest.invite(proxy, origin).await;
        }
    }
    contest.run(setting).await
}

struct Contest {
    level: Level,
    contestants: Vec<Contestant>,
    /// Proxies that can't be run, and why.
    missing: BTreeMap<&'static str, Reason>,
}

impl Contest {
    async fn invite(&mut self, proxy: &proxies::Proxy, origin: &Origin) {
        let invited = async {
            let proxy = proxy.start(&[origin.address()]).await?;
            let serving = Serving::Proxy(proxy.process);
            let mut contestant =
                Contestant::at(proxy.name, proxy.address, serving, self.level, |_| true).await?;
            contestant.fill(self.level).await?;
            Ok::<_, Reason>(contestant)
        };
        match invited.await {
            Ok(contestant) => self.contestants.push(contestant),
            Err(reason) => {
                progress::tell(format!("{} is missing: {reason}", proxy.name));
                self.missing.insert(proxy.name, reason);
            }
        }
    }

    async fn run(mut self, setting: &Setting) -> Result<Vec<Measurement>, Reason> {
        let (level, effort) = (self.level, setting.effort);
        let requests = |length: std::time::Duration| {
            u32::try_from(length.as_millis()).map(|ms| (ms * level.requests_a_ms()).max(REQUESTS_MIN))
        };
        let what = format!("hits from {}", level.as_str());
        progress::tell(format!("{what}: warming up"));
        for contestant in &mut self.contestants {
            contestant.round(requests(effort.warm_up)?).await?;
        }
        let mut rounds = vec![Vec::new(); self.contestants.len()];
        for round in 0..effort.rounds {
            progress::tell(format!("{what}: round {} of {}", round + 1, effort.rounds));
            for index in order(self.contestants.len(), round) {
                rounds[index].push(self.contestants[index].round(requests(effort.round)?).await?);
            }
        }
        let samples: Option<Vec<Sample>> = rounds.into_iter().map(Sample::new).collect();
        let samples = samples.ok_or_else(|| Reason::new("the rounds came to no figure"))?;
        let [ratio_name, cpu_name] = level.names();
        let ratio = samples[0].over(&samples[1]).ok_or_else(|| Reason::new("the rounds were too short"))?;
        let unit = "times the CPU time of a plain JavaScript Worker";
        let mut ratio = Measurement::new(ratio_name, unit, Better::Lower, &ratio);
        if let Some(limit) = level.ratio_max() {
            ratio = ratio.limit(limit);
        }
        let mut cpu = Measurement::new(cpu_name, "µs of CPU time a request", Better::Lower, &samples[0]);
        for (contestant, sample) in self.contestants.iter().zip(&samples).skip(1) {
            cpu = cpu.peer(contestant.name, sample.median());
        }
        for (name, reason) in &self.missing {
            cpu = cpu.without(*name, reason.to_string());
        }
        Ok(vec![ratio, cpu])
    }
}

/// Who serves.
enum Serving {
    Worker(Workerd),
    Proxy(Process),
}

impl Serving {
    fn process(&self) -> &Process {
        match self {
            Self::Worker(workerd) => &workerd.process,
            Self::Proxy(process) => process,
        }
    }
}

type IsHit = Arc<dyn Fn(&Message) -> bool + Send + Sync>;

struct Contestant {
    name: &'static str,
    serving: Serving,
    crowd: Crowd,
    is_hit: IsHit,
    keys: u32,
    /// Requests that were sent: the next one is for the next key.
    sent: u32,
}

impl Contestant {
    async fn new(name: &'static str, serving: Serving, level: Level) -> Result<Self, Reason> {
        let Serving::Worker(Workerd { address, .. }) = serving else {
            return Err(Reason::new("a proxy has another address"));
        };
        let step = format!("{};dur=", level.as_str());
        Self::at(name, address, serving, level, move |answer| answer.says(&step)).await
    }

    async fn at(
        name: &'static str,
        address: std::net::SocketAddr,
        serving: Serving,
        level: Level,
        is_hit: impl Fn(&Message) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Reason> {
        let crowd = Crowd::gather(address, usize::try_from(CLIENTS)?).await?;
        Ok(Self { name, serving, crowd, is_hit: Arc::new(is_hit), keys: level.keys(), sent: 0 })
    }

    /// Asks for all there is, so that it is stored, and for one once more: a hit.
    async fn fill(&mut self, level: Level) -> Result<Message, Reason> {
        let request = |turn| http::get(&format!("{QUICK}{turn}"));
        self.crowd.send(self.keys, request, |_, answer| is_whole(answer)).await?;
        // What is written once the answer is out.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if level == Level::Memory {
            let hit = self.crowd.ask(&format!("{QUICK}0")).await?;
            return self.checked(hit);
        }
        // Asked first, so pushed out of memory by the others.
        let hit = self.crowd.ask(&format!("{QUICK}0")).await?;
        self.sent = 1;
        self.checked(hit)
    }

    fn checked(&self, hit: Message) -> Result<Message, Reason> {
        is_whole(&hit)?;
        match (self.is_hit)(&hit) {
            true => Ok(hit),
            false => {
                Err(Reason::new(&format!("{} did not answer from the store: {}", self.name, hit.head())))
            }
        }
    }

    /// CPU time of a request in µs, over `requests` of them.
    async fn round(&mut self, requests: u32) -> Result<f64, Reason> {
        let (name, first, keys, is_hit) = (self.name, self.sent, self.keys, Arc::clone(&self.is_hit));
        self.sent = self.sent.wrapping_add(requests);
        let request = move |turn: u32| http::get(&format!("{QUICK}{}", first.wrapping_add(turn) % keys));
        let check = move |_, answer: &Message| {
            is_whole(answer)?;
            match is_hit(answer) {
                true => Ok(()),
                false => Err(Reason::new(&format!(
                    "{name} did not answer from where it should: {}",
                    answer.head()
                ))),
            }
        };
        self.crowd.wake().await?;
        let begun = self.serving.process().cpu()?;
        self.crowd.send(requests, request, check).await?;
        let took = self.serving.process().cpu()?.saturating_sub(begun);
        Ok(took.as_secs_f64() * 1e6 / f64::from(requests))
    }
}
