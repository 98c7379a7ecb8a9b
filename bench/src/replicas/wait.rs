//! A reader right behind its own write: how long the read takes with a bookmark,
//! and how often it is stale without one.

use std::time::{Duration, Instant};

use tidewall_origin::db::{Db, DbSettings, Position};

use super::pairs::{self, Facts};
use super::{once, percent};
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};

/// Reads of each kind, for each round of a bench.
const READS_PER_ROUND: u32 = 200;

pub(super) async fn run(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    progress::tell("reads right behind a write");
    let db = Db::new(DbSettings::parse(&setting.primary, &setting.replicas)?);
    let facts = Facts::create(&db).await?;
    pairs::until_served_by_replicas(&db).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut stale, mut on_replicas) = (0, 0);
    let reads = READS_PER_ROUND * setting.effort.rounds;
    for turn in 0..reads {
        // One after the other, so that what the machine does meets both.
        for (bookmarked, times) in [(true, &mut with), (false, &mut without)] {
            let value = i64::from(turn) * 2 + i64::from(bookmarked);
            let position = facts.write(0, value).await?;
            let begun = Instant::now();
            let (found, read_at) = facts.read(0, position.filter(|_| bookmarked)).await?;
            times.push(begun.elapsed());
            if bookmarked {
                on_replicas += u64::from(read_at != Position::Primary);
                if found < value {
                    return Err(Reason::new("a read with a bookmark was stale"));
                }
            } else {
                stale += u64::from(found < value);
            }
        }
    }
    let ms = |times: &mut Vec<Duration>, percent: usize| {
        times.sort_unstable();
        times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0
    };
    let peer = "read without a bookmark";
    Ok(vec![
        once("replicas/bookmark-read-p50", "ms", Better::Lower, ms(&mut with, 50))?
            .peer(peer, ms(&mut without, 50)),
        once("replicas/bookmark-read-p99", "ms", Better::Lower, ms(&mut with, 99))?
            .peer(peer, ms(&mut without, 99)),
        once(
            "replicas/bookmark-reads-on-replicas",
            "percent",
            Better::Higher,
            percent(on_replicas, reads.into()),
        )?,
        once("replicas/stale-reads-quiet", "percent", Better::Lower, 0.0)?
            .peer(peer, percent(stale, reads.into())),
    ])
}
