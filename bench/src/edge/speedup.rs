//! What the cache saves: the mean time of a request where four of five are hits,
//! against the same requests without a cache, before an origin that takes 50 ms.

use super::crowd::{Crowd, is_whole};
use super::http;
use super::origin::{Origin, QUICK, SLOW, UNCACHED};
use super::storage::{Keeps, Storage};
use super::tidewall;
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// Who ask at the same time: so few that they wait for origin and edge, and not for a turn
/// on workerd's one thread.
const CLIENTS: u32 = 8;
/// One of so many requests is for what nobody has asked for before.
const ONE_MISS_IN: u32 = 5;
/// What is asked for again and again.
const HOT_KEYS: u32 = 100;
/// The article: so much faster in percent, at 80 % hits.
const ARTICLE_PERCENT: f64 = 72.0;
/// Where hits cost nothing.
const LIMIT_PERCENT: f64 = 80.0;

pub(super) async fn run(setting: &Setting, origin: &Origin) -> Result<Measurement, Reason> {
    let storage = Storage::start(Keeps::All, Keeps::All).await?;
    let edge = tidewall::start(&setting.worker, origin, storage).await?;
    let mut crowd = Crowd::gather(edge.address, usize::try_from(CLIENTS)?).await?;
    let hot = |turn: u32| http::get(&format!("{QUICK}hot-{}", turn % HOT_KEYS));
    crowd.send(HOT_KEYS * 10, hot, |_, answer| is_whole(answer)).await?;

    let rounds = setting.effort.rounds.div_ceil(3);
    let requests = u32::try_from(setting.effort.round.as_millis())?.max(CLIENTS * ONE_MISS_IN);
    let mut percents = Vec::new();
    for round in 0..rounds {
        progress::tell(format!("four hits of five requests: round {} of {rounds}", round + 1));
        let mixed = move |turn: u32| match turn % ONE_MISS_IN {
            0 => http::get(&format!("{SLOW}cold-{round}-{turn}")),
            _ => hot(turn),
        };
        let check = |turn: u32, answer: &http::Message| {
            is_whole(answer)?;
            let is_hit = answer.says("tidewall; hit");
            match is_hit != turn.is_multiple_of(ONE_MISS_IN) {
                true => Ok(()),
                false => Err(Reason::new(&format!("request {turn}: {:?}", answer.field("cache-status")))),
            }
        };
        let cached = crowd.send(requests, mixed, check).await?;
        let uncached = |turn: u32| http::get(&format!("{UNCACHED}{}", turn % HOT_KEYS));
        let uncached = crowd.send(requests, uncached, |_, answer| is_whole(answer)).await?;
        percents.push(100.0 * (1.0 - cached.as_secs_f64() / uncached.as_secs_f64()));
    }
    let sample = Sample::new(percents).ok_or_else(|| Reason::new("the rounds came to no figure"))?;
    let unit = "percent less than uncached, mean latency";
    Ok(Measurement::new("edge/speedup-80", unit, Better::Higher, &sample)
        .article(ARTICLE_PERCENT)
        .limit(LIMIT_PERCENT))
}
