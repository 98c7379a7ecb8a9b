//! One request of each experiment.

use js_sys::{Array, Math};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use tidewall_api::advice::Tool;
use tidewall_api::lab::{Ping, Planned, ReadBack, ReadFrom, Reckoned, Step, Strategy, Took, Work};
use tidewall_api::problem::Problem;
use web_sys::{Performance, PerformanceResourceTiming, RequestCache};

use super::tally::Seen;
use crate::client::{self, ClientError};

/// What a request is of, and what requests tell each other.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Of which tool.
    pub tool: Tool,
    /// Which way.
    pub way: usize,
    /// Where the knob stands.
    pub knob: u32,
    /// The way, and the last version that a write of it was acknowledged at.
    pub written: StoredValue<(usize, i64)>,
    /// How the statement was run last, by the way.
    pub steps: RwSignal<[Vec<Step>; 2]>,
    /// The last job.
    pub job: RwSignal<Option<i64>>,
}

/// The number that everybody wants.
const HOT: u32 = 1;
/// Numbers of which nobody else wants one.
const COLD: u32 = 1_000_000;
/// Users of the demo.
const USERS: f64 = 900.0;

/// Makes one request, and says what came of it.
///
/// # Errors
/// It was not answered, or not with what was asked for.
pub async fn once(course: Course) -> Result<Seen, ClientError> {
    let files = if course.tool == Tool::Cdn { files_for(course.way).await? } else { Vec::new() };
    let begun = now();
    let counts = match course.tool {
        Tool::Cdn => view(files).await?,
        Tool::Cache => reckoned(course).await?,
        Tool::LoadBalancer => pinged(course.way).await?,
        Tool::Index => newest(course).await?,
        Tool::ReadReplica => read_back(course.way).await?,
        Tool::Pool => looked_up(course.way).await?,
        Tool::Queue => worked(course).await?,
    };
    Ok(Seen { ms: now() - begun, counts })
}

/// What is, as a figure.
fn one_if(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Milliseconds since the page began.
pub fn now() -> f64 {
    performance().map(|performance| performance.now()).unwrap_or_default()
}

fn performance() -> Option<Performance> {
    window().performance()
}

/// The page's own files.
fn files() -> Vec<String> {
    const RELS: &str =
        "link[rel=stylesheet], link[rel=icon], link[rel=modulepreload], link[rel=preload][as=fetch]";
    let mut files = Vec::new();
    let links = document().query_selector_all(RELS).ok();
    for index in 0..links.as_ref().map_or(0, web_sys::NodeList::length) {
        let link = links.as_ref().and_then(|links| links.get(index));
        let href = link.and_then(|link| link.dyn_into::<web_sys::HtmlLinkElement>().ok());
        files.extend(href.map(|link| link.href()).filter(|href| href.contains("/assets/")));
    }
    files.sort();
    files.dedup();
    files
}

/// The page's own files, and how a view of that way has them.
async fn files_for(way: usize) -> Result<Vec<(String, RequestCache)>, ClientError> {
    let files = files().into_iter();
    match way {
        0 => Ok(files.map(|file| (file, RequestCache::Reload)).collect()),
        1 => Ok(files.map(|file| (file, RequestCache::Default)).collect()),
        _ => after_deploy(files).await,
    }
}

/// As a browser has them that has seen the build before: of what has changed it holds the contents
/// from before, which is the dictionary for what they have become (RFC 9842), and what hasn't it keeps.
async fn after_deploy(
    files: impl Iterator<Item = String>,
) -> Result<Vec<(String, RequestCache)>, ClientError> {
    let mut known = Vec::new();
    for file in files {
        // What is kept of it may name another.
        let earlier = client::fetch_file(&file, RequestCache::Reload).await?;
        let cache = match earlier {
            Some(earlier) if client::fetch_file(&earlier, RequestCache::Reload).await.is_ok() => {
                RequestCache::Reload
            }
            _ => RequestCache::Default,
        };
        known.push((file, cache));
    }
    if known.iter().all(|(_, cache)| *cache == RequestCache::Default) {
        let problem = Problem::new(
            404,
            "no-earlier-version",
            "No earlier version",
            "No file of this page has an earlier version here. Change the app, build it again, and come back.",
        );
        return Err(ClientError::Problem(Box::new(problem)));
    }
    Ok(known)
}

async fn view(files: Vec<(String, RequestCache)>) -> Result<[f64; 3], ClientError> {
    if let Some(performance) = performance() {
        // Its entries are kept up to a number, and these are read at once.
        performance.clear_resource_timings();
    }
    for (file, cache) in &files {
        client::fetch_file(file, *cache).await?;
    }
    let (mut requests, mut bytes) = (0.0, 0.0);
    for (file, _) in &files {
        let entries =
            performance().map_or_else(Array::new, |performance| performance.get_entries_by_name(file));
        for entry in entries.iter().filter_map(|entry| entry.dyn_into::<PerformanceResourceTiming>().ok()) {
            // What a browser has by itself is transferred with no bytes.
            let transferred = entry.transfer_size();
            requests += one_if(transferred > 0.0);
            bytes += transferred;
        }
    }
    Ok([requests, bytes / 1_000.0, bytes / 1_000.0])
}

const STRATEGIES: [Strategy; 4] = [Strategy::None, Strategy::Ttl, Strategy::Event, Strategy::WriteThrough];

fn strategy(way: usize) -> Strategy {
    STRATEGIES.get(way).copied().unwrap_or(Strategy::None)
}

async fn reckoned(course: Course) -> Result<[f64; 3], ClientError> {
    let is_hot = Math::random() * 100.0 < f64::from(course.knob);
    let number = if is_hot { HOT } else { COLD + (Math::random() * f64::from(COLD)) as u32 };
    let (way, written) = course.written.get_value();
    let path = format!("/api/lab/cache/{}/{number}", strategy(course.way).as_str());
    let (reckoned, is_hit) = client::get_as_anybody::<Reckoned>(&path).await?;
    let is_stale = is_hot && way == course.way && reckoned.version < written;
    Ok([is_hit, !is_hit, is_stale].map(one_if))
}

/// Writes to what everybody wants, for as long as a load of the cache goes on.
///
/// # Errors
/// It was not written.
pub async fn write(course: Course) -> Result<(), ClientError> {
    let strategy = strategy(course.way);
    let reckoned: Reckoned = match strategy {
        Strategy::WriteThrough => client::put(&format!("/api/lab/cache/write-through/{HOT}"), &()).await?,
        _ => client::post(&format!("/api/lab/values/{}/{HOT}", strategy.as_str()), &()).await?,
    };
    course.written.set_value((course.way, reckoned.version));
    Ok(())
}

async fn pinged(way: usize) -> Result<[f64; 3], ClientError> {
    let path = if way == 0 { "/api/lab/ping?via=a" } else { "/api/lab/ping" };
    let (ping, _) = client::get_as_anybody::<Ping>(path).await?;
    let is_first = ping.origin == "a";
    Ok([one_if(is_first), one_if(!is_first), 0.0])
}

async fn newest(course: Course) -> Result<[f64; 3], ClientError> {
    let user = 1 + (Math::random() * USERS) as u32;
    let how = if course.way == 0 { "without" } else { "with" };
    let planned: Planned = client::post(&format!("/api/lab/index/{how}/{user}"), &()).await?;
    let read = planned.steps.iter().map(|step| step.rows + step.removed).fold(0.0, f64::max);
    course.steps.update(|steps| {
        if let Some(steps) = steps.get_mut(course.way) {
            *steps = planned.steps;
        }
    });
    Ok([planned.ms, read, 0.0])
}

async fn read_back(way: usize) -> Result<[f64; 3], ClientError> {
    let from = [ReadFrom::Eventual, ReadFrom::Primary, ReadFrom::Bookmark].get(way).copied();
    let from = from.unwrap_or(ReadFrom::Eventual).as_str();
    let read: ReadBack = client::post(&format!("/api/lab/replicas/{from}"), &()).await?;
    Ok([one_if(read.is_stale), one_if(read.by_primary), read.ms])
}

async fn looked_up(way: usize) -> Result<[f64; 3], ClientError> {
    let how = if way == 0 { "connect" } else { "pool" };
    let took: Took = client::post(&format!("/api/lab/pool/{how}"), &()).await?;
    Ok([took.ms, one_if(way == 0), 0.0])
}

async fn worked(course: Course) -> Result<[f64; 3], ClientError> {
    let work = Work { seconds: course.knob };
    if course.way == 0 {
        let _took: Took = client::post("/api/lab/queue/blocking", &work).await?;
        return Ok([1.0, 0.0, 0.0]);
    }
    let job: tidewall_api::job::Job = client::post("/api/lab/queue/queued", &work).await?;
    course.job.set(Some(job.id));
    Ok([0.0, 1.0, 0.0])
}
