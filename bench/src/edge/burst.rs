//! Many who ask for the same at once, and one after the other, while nothing is stored:
//! how often the origin is asked.

use super::crowd::{Crowd, is_whole};
use super::http;
use super::origin::{Origin, SLOW};
use super::storage::{Keeps, Storage};
use super::tidewall;
use crate::catalog::Setting;
use crate::error::Reason;
use crate::progress;
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// Who ask at once.
const AT_ONCE: u32 = 1_000;
/// Who ask one after the other.
const IN_TURN: u32 = 100;
/// Connections that processes here need at the same time, with those of the origin and
/// of the storage.
const FILES: u64 = 8_192;

pub(super) async fn run(setting: &Setting, origin: &Origin) -> Result<Vec<Measurement>, Reason> {
    allow_files();
    let storage = Storage::start(Keeps::All, Keeps::All).await?;
    let edge = tidewall::start(&setting.worker, origin, storage).await?;
    let mut crowd = Crowd::gather(edge.address, usize::try_from(AT_ONCE)?).await?;
    // An isolate that has begun.
    is_whole(&crowd.ask(&format!("{SLOW}first")).await?)?;
    let rounds = setting.effort.rounds.min(5);
    let mut asked = Vec::new();
    for round in 0..rounds {
        progress::tell(format!("{AT_ONCE} at once: round {} of {rounds}", round + 1));
        let path = format!("{SLOW}burst-{round}");
        let request = http::get(&path);
        crowd.send(AT_ONCE, move |_| request.clone(), |_, answer| is_whole(answer)).await?;
        asked.push(f64::from(origin.asked(&path)));
    }
    let path = format!("{SLOW}in-turn");
    let mut hits = 0;
    for _ in 0..IN_TURN {
        let answer = crowd.ask(&path).await?;
        is_whole(&answer)?;
        hits += u32::from(answer.says("tidewall; hit"));
    }
    let once = |value: u32| Sample::new(vec![f64::from(value)]).ok_or_else(|| Reason::new("no figure"));
    let asked = Sample::new(asked).ok_or_else(|| Reason::new("the rounds came to no figure"))?;
    let unit = "origin requests of 1000 at once";
    Ok(vec![
        Measurement::new("edge/cold-burst", unit, Better::Lower, &asked).limit(1.0),
        Measurement::new(
            "edge/cold-in-turn",
            "origin requests of 100 in turn",
            Better::Lower,
            &once(origin.asked(&path))?,
        )
        .limit(1.0),
        Measurement::new("edge/hits-in-turn", "hits of 100 in turn", Better::Higher, &once(hits)?)
            .limit(f64::from(IN_TURN - 1)),
    ])
}

/// Raises what this process, and those it starts, may open, as far as it may be raised.
fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < FILES) {
        let wanted = maximum.map_or(FILES, |maximum| maximum.min(FILES));
        // Where it is refused, connections fail and say why.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
