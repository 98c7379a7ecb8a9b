//! Whether memory is bounded: far more different URLs than it holds, asked for in turn
//! for minutes, and what the process takes late against what it took early.

use std::time::{Duration, Instant};

use super::crowd::{Crowd, is_whole};
use super::http;
use super::origin::{Origin, QUICK};
use super::storage::{Keeps, Storage};
use super::{CLIENTS, tidewall};
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// What is asked for in turn.
const KEYS: u32 = 100_000;
/// The run is divided into so many parts; the second is compared with the last.
const PARTS: u32 = 5;
/// Requests between two looks at the memory.
const STEP: u32 = 500;
/// What the last part may take, of what the second took.
const RATIO_MAX: f64 = 1.1;

pub(super) async fn run(setting: &Setting, origin: &Origin) -> Result<Vec<Measurement>, Reason> {
    // KV has none of it, so that each URL is written, and read from no more than two levels.
    let storage = Storage::start(Keeps::Nothing, Keeps::All).await?;
    let edge = tidewall::start(&setting.worker, origin, storage).await?;
    let mut crowd = Crowd::gather(edge.address, usize::try_from(CLIENTS)?).await?;
    let part = length(setting) / PARTS;
    let mut parts: Vec<Vec<f64>> = Vec::new();
    let (begun, mut sent) = (Instant::now(), 0_u32);
    for number in 1..=PARTS {
        progress::tell(format!("{KEYS} URLs in turn: part {number} of {PARTS}, {} s", part.as_secs()));
        let mut looks = Vec::new();
        while looks.is_empty() || begun.elapsed() < part * number {
            let first = sent;
            let request = move |turn: u32| http::get(&format!("{QUICK}{}", first.wrapping_add(turn) % KEYS));
            crowd.send(STEP, request, |_, answer| is_whole(answer)).await?;
            sent = sent.wrapping_add(STEP);
            looks.push(edge.process.memory_mib()?);
        }
        parts.push(looks);
    }
    let samples: Option<Vec<Sample>> = parts.into_iter().map(Sample::new).collect();
    let samples = samples.ok_or_else(|| Reason::new("the parts came to no figure"))?;
    let (early, late) = (&samples[1], &samples[samples.len() - 1]);
    let ratio = Sample::new(vec![late.median() / early.median()]);
    let ratio = ratio.ok_or_else(|| Reason::new("it took no memory"))?;
    progress::tell(format!("{sent} requests"));
    Ok(vec![
        Measurement::new("edge/memory", "times, last fifth over the second", Better::Lower, &ratio)
            .limit(RATIO_MAX),
        Measurement::new("edge/memory-resident", "MiB, last fifth", Better::Lower, late)
            .peer("second fifth", early.median()),
    ])
}

/// Five minutes where other contestants are measured for fifteen seconds each.
fn length(setting: &Setting) -> Duration {
    setting.effort.round * setting.effort.rounds * 20
}
