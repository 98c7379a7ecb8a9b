//! For each tool: whether what was measured asks for it. A rule that lacks what it needs says so.

use super::cause::{Cause, LOAD_MAX, State, cacheable_share, state, waits};
use super::evidence::{Database, Evidence};
use super::traffic::{Route, Traffic};
use super::verdict::{Figure, Finding, Tool, figure};

const GB: f64 = 1e9;
/// Seconds of a month.
pub(super) const MONTH: f64 = 30.0 * 86_400.0;

/// A month's bytes of files from which on a CDN costs less than their traffic.
const CDN_BYTES: f64 = 100.0 * GB;
/// Milliseconds of a file for one reader of twenty: it comes from afar.
const CDN_MS: f64 = 200.0;
/// Larger files take their time wherever they come from.
const FILE_BYTES: f64 = 500_000.0;
/// Shorter logs say nothing of a month.
const SECONDS_MIN: f64 = 5.0;
/// What is seen for less than a day was looked at in a busy hour, which has as many times the mean.
const PEAK: f64 = 5.0;
const DAY: f64 = 86_400.0;
/// Of the answers or files, so many by a cache say that there is one.
const CACHED: f64 = 0.1;
/// Share of the server's time that goes to answers it has given before.
const CACHE_SHARE: f64 = 0.3;
/// Requests that are worked on at a time: with fewer nobody waits for a server.
const CACHE_CONCURRENCY: f64 = 0.5;
/// Milliseconds from which on an answer is slow for one of twenty.
const SLOW_MS: f64 = 200.0;
/// Share of a machine's CPUs in use (as `LOAD_MAX`).
const HOST_LOAD: f64 = 0.7;
/// Share of the work that another tool takes away: that comes first.
const MOST: f64 = 0.5;
/// Milliseconds of a statement that reads too much.
const INDEX_MS: f64 = 100.0;
/// Milliseconds in each second that indexes would take away.
const INDEX_MS_PER_S: f64 = 20.0;
/// New connections in a second.
const CONNECTS: f64 = 5.0;
/// Of each transaction so many connections are made: one of ten brings its own.
const CONNECTS_EACH: f64 = 0.1;
/// With fewer, connections are kept.
const CONNECTS_KEPT: f64 = 0.01;
/// Share of the connections that may be there.
const CONNECTIONS: f64 = 0.8;
/// Milliseconds that somebody waits for work which could be done later.
const QUEUE_MS: f64 = 1_000.0;
/// Larger answers are sent for as long as their reader takes.
const ANSWER_BYTES: f64 = 1e6;
/// Requests of a route that are no accident where each takes so long.
const QUEUE_REQUESTS: f64 = 5.0;
/// Calls below which a statement, and requests below which a route, may be somebody's experiment.
pub const CALLS_MIN: f64 = 50.0;
/// Share of the time of statements that has to be of such as were counted so often.
const KNOWN: f64 = 0.8;

/// From where on each is needed, and who says so.
pub const fn threshold(tool: Tool) -> (&'static str, &'static str) {
    match tool {
        Tool::Cdn => (
            "files of 100 GB a month, or files below 500 KB that take one reader of twenty over 200 ms",
            "tool 1 of the article: 500 KB take 2.2 s from afar and 2.005 s from near by, a month's traffic $900 and $180",
        ),
        Tool::Cache => (
            "30 % of the server's time goes to answers that it has given before, and somebody waits",
            "tool 2 of the article: 80 % hits take 72 % off the mean time",
        ),
        Tool::LoadBalancer => (
            "70 % of the CPUs of the one server are in use",
            "tool 3 of the article: when one server is full; what waits for a CPU waits twice as long at about 0.7 of what \
             two can do (M/M/c, Kleinrock, Queueing Systems, volume 1, section 3.5)",
        ),
        Tool::Index => (
            "a statement takes over 100 ms on the average, or 20 ms of each second, to read rows that an index would \
             leave out",
            "tool 4 of the article: 500 ms to 5 ms for a lookup, 5 ms to 15 ms for an insert with three indexes",
        ),
        Tool::ReadReplica => (
            "sessions at work for 70 % of the primary's CPUs, reading what neither an index nor a cache takes off",
            "tool 5 of the article: when reads are most of the load",
        ),
        Tool::Pool => (
            "5 connections a second with one for every tenth transaction, or 80 % of the connections that may be there \
             with most of them idle",
            "tool 6 of the article: 55 ms with a connection of its own, 6 ms with one that was kept",
        ),
        Tool::Queue => (
            "somebody waits over 1 s for work that could be done after the answer",
            "tool 7 of the article: a report of 30 s, answered at once",
        ),
    }
}

/// How each is added.
pub const fn command(tool: Tool) -> &'static str {
    match tool {
        Tool::Cdn => "tidewall build && tidewall edge --origin <URL of your server>",
        Tool::Cache => {
            "tidewall edge --origin <URL of your server>, let answers say `Cache-Control: s-maxage=…`, then \
             tidewall explain <URL>"
        }
        Tool::LoadBalancer => "tidewall edge --origin <URL of one server> --origin <URL of another>",
        Tool::Index => "tidewall index --database-url <URL>, then the same with --apply",
        Tool::ReadReplica => {
            "pg_basebackup -R on another machine, then REPLICA_URLS=<its URL> tidewall-origin serve"
        }
        Tool::Pool => "tidewall_origin::db::Db in Rust; elsewhere your framework's pool, or PgBouncer",
        Tool::Queue => {
            "tidewall_origin::queue in the transaction that gives rise to the work, and tidewall-origin work"
        }
    }
}

/// What a tool's rule says.
pub(super) fn finding(tool: Tool, evidence: &Evidence) -> Finding {
    if let Some(how) = evidence.in_place(tool) {
        return Finding::in_place(how, figures_in_place(tool, evidence));
    }
    match tool {
        Tool::Cdn => cdn(evidence),
        Tool::Cache => cache(evidence),
        Tool::LoadBalancer => load_balancer(evidence),
        Tool::Index => index(evidence),
        Tool::ReadReplica => read_replica(evidence),
        Tool::Pool => pool(evidence),
        Tool::Queue => queue(evidence),
    }
}

/// How a tool does that is there.
fn figures_in_place(tool: Tool, evidence: &Evidence) -> Vec<Figure> {
    match (tool, evidence.edge, evidence.jobs) {
        (Tool::Cache, Some(edge), _) if edge.hits + edge.misses > 0.0 => {
            vec![figure("answers out of the cache", edge.hits / (edge.hits + edge.misses) * 100.0, "%")]
        }
        (Tool::Queue, _, Some(jobs)) => {
            let mut figures = vec![figure("jobs that have ended of late", jobs.ended, "jobs")];
            figures.extend(jobs.p50_ms.map(|ms| figure("a job: median", ms, "ms")));
            figures.extend(jobs.p95_ms.map(|ms| figure("a job: 95th percentile", ms, "ms")));
            figures
                .extend(jobs.oldest_s.map(|seconds| figure("one is due, and not begun, for", seconds, "s")));
            figures
        }
        _ => Vec::new(),
    }
}

const NO_LOG: &str = "no requests are known: pass an --access-log";
const NO_DATABASE: &str = "no database is known: pass a --database-url";
const NO_TIMES: &str = "the requests have no times, or all within a few seconds";
const NO_DURATIONS: &str = "the requests have no durations: add them to the log's format";
const NO_SIZES: &str = "the answers have no sizes: add them to the log's format";

fn traffic(evidence: &Evidence) -> Result<&Traffic, Finding> {
    let traffic = evidence.traffic.as_ref().ok_or_else(|| Finding::unknown(NO_LOG))?;
    match traffic.requests() {
        requests if requests >= CALLS_MIN => Ok(traffic),
        requests => {
            Err(Finding::unknown(format!("{requests:.0} requests are known; {CALLS_MIN:.0} say something")))
        }
    }
}

fn database(evidence: &Evidence) -> Result<&Database, Finding> {
    evidence.database.as_ref().ok_or_else(|| Finding::unknown(NO_DATABASE))
}

/// A month's worth of what came in so many seconds.
pub(super) fn a_month_of(amount: f64, seconds: f64) -> Option<f64> {
    let peak = if seconds < DAY { PEAK } else { 1.0 };
    (seconds >= SECONDS_MIN).then(|| amount / seconds * MONTH / peak)
}

fn cdn(evidence: &Evidence) -> Finding {
    let traffic = match traffic(evidence) {
        Ok(traffic) => traffic,
        Err(unknown) => return unknown,
    };
    let requests: f64 = traffic.files().map(|route| route.requests).sum();
    let cached: f64 = traffic.files().map(|route| route.cached).sum();
    if requests > 0.0 && cached / requests >= CACHED {
        let figures =
            vec![figure("of the files, by a cache before the server", cached / requests * 100.0, "%")];
        return Finding::in_place("a cache before the server answers for files", figures);
    }
    let Some((files, all)) = traffic.bytes() else { return Finding::unknown(NO_SIZES) };
    let Some(month) = traffic.seconds.and_then(|seconds| a_month_of(files, seconds)) else {
        return Finding::unknown(NO_TIMES);
    };
    let slow = traffic.files().filter(|route| {
        route.requests >= CALLS_MIN && route.bytes.is_some_and(|bytes| bytes / route.requests <= FILE_BYTES)
    });
    let slowest = slow.filter_map(|route| route.p95_ms).fold(0.0, f64::max);
    // Whoever is slow with everything is busy, and not far away: the log tells of an answer how long
    // it was worked on, and of a file how long it was sent.
    let others = traffic.answers().filter(|route| route.requests >= CALLS_MIN);
    let fastest = others.filter_map(|route| route.p50_ms).fold(f64::INFINITY, f64::min);
    let is_far =
        slowest >= CDN_MS && !is_server_busy(evidence) && (fastest < slowest * MOST || fastest.is_infinite());
    let figures = vec![
        figure("bytes of files a month", month / GB, "GB"),
        figure("of all bytes", if all > 0.0 { files / all * 100.0 } else { 0.0 }, "%"),
        figure("the slowest kind of file below 500 KB, 95th percentile", slowest, "ms"),
    ];
    let why = match (is_far, month >= CDN_BYTES) {
        (true, _) => "files come from afar: near their readers they are there at once",
        (false, true) => "files that are the same for all leave the server again and again",
        (false, false) => {
            let finding = Finding::not_yet("there are few files to send", figures);
            return finding.at_times(CDN_BYTES / month);
        }
    };
    Finding::add(why, figures, Some([60.0, 99.0]))
}

fn is_server_busy(evidence: &Evidence) -> bool {
    evidence.host.is_some_and(|host| host.load() >= HOST_LOAD)
}

fn cache(evidence: &Evidence) -> Finding {
    let traffic = match traffic(evidence) {
        Ok(traffic) => traffic,
        Err(unknown) => return by_statements(evidence).unwrap_or(unknown),
    };
    let answered: f64 = traffic.answers().map(|route| route.requests).sum();
    if answered < CALLS_MIN {
        return Finding::unknown("nearly nothing but files is asked for");
    }
    let cached: f64 = traffic.answers().map(|route| route.cached).sum();
    if cached / answered >= CACHED {
        let figures =
            vec![figure("of the answers, by a cache before the server", cached / answered * 100.0, "%")];
        return Finding::in_place("a cache before the server answers", figures);
    }
    let (Some(total), Some(share)) = (traffic.answers_ms(), cacheable_share(traffic)) else {
        return by_statements(evidence).unwrap_or_else(|| Finding::unknown(NO_DURATIONS));
    };
    if !traffic.tells_targets_apart() {
        return by_statements(evidence).unwrap_or_else(|| {
            Finding::unknown("counters don't say how often the same is asked for: pass an --access-log")
        });
    }
    if traffic.answers().all(|route| route.bytes.is_none()) {
        return Finding::unknown(NO_SIZES);
    }
    let Some(seconds) = traffic.seconds.filter(|seconds| *seconds >= SECONDS_MIN) else {
        return Finding::unknown(NO_TIMES);
    };
    let concurrency = total / 1_000.0 / seconds;
    let best = traffic.answers().max_by(|one, other| one.cacheable_ms().total_cmp(&other.cacheable_ms()));
    let best = best.filter(|best| best.cacheable_ms() > 0.0);
    let slow = best.and_then(|route| route.p95_ms).unwrap_or_default();
    let mut figures = vec![
        figure("of the server's time, for answers that it gave before", share * 100.0, "%"),
        figure("requests worked on at a time", concurrency, "requests"),
    ];
    figures.extend(best.map(|best| figure(format!("{}: 95th percentile", best.name()), slow, "ms")));
    if share < CACHE_SHARE {
        return Finding::not_yet("most answers are asked for once, or differ each time", figures);
    }
    // Whoever waits in line for the database has the others' time in theirs.
    let is_full_for_want_of_one = matches!(state(evidence), Some(State::Busy(_, Some(Cause::MissingIndex))));
    if is_full_for_want_of_one || indexable_ms(evidence) >= total * share / seconds * MOST {
        return Finding::not_yet("an index first: it makes every answer fast, also the first", figures);
    }
    if waits(evidence) {
        let why = "requests wait for each other in the database: end what holds them up first";
        return Finding::not_yet(why, figures);
    }
    if concurrency < CACHE_CONCURRENCY && slow < SLOW_MS {
        let finding = Finding::not_yet("nobody waits for the answers", figures);
        return finding.at_times(CACHE_CONCURRENCY / concurrency);
    }
    let name = best.map(Route::name).unwrap_or_default();
    let why = format!(
        "the same is worked out again and again, most of all {name} (a log doesn't tell whether an answer is one \
         reader's own: keep only what is for all)"
    );
    Finding::add(why, figures, Some([share * 70.0, share * 98.0]))
}

/// By the database alone: only what is asked without values is known to be the same.
fn by_statements(evidence: &Evidence) -> Option<Finding> {
    let database = evidence.database.as_ref()?;
    let same = || database.statements.iter().filter(|one| one.is_constant && one.calls >= CALLS_MIN);
    let share: f64 = same().map(|statement| statement.share).sum();
    let ms_per_s: f64 = same().map(|statement| statement.rate * statement.mean_ms).sum();
    let is_index_first = indexable_ms(evidence) >= ms_per_s * MOST;
    if share < CACHE_SHARE || ms_per_s < 1_000.0 * CACHE_CONCURRENCY || is_index_first {
        return None;
    }
    let figures = vec![
        figure("of the database's time, for questions that are the same each time", share * 100.0, "%"),
        figure("of each second", ms_per_s, "ms"),
    ];
    let why = "the same is asked of the database again and again";
    Some(Finding::add(why, figures, Some([share * 70.0, share * 98.0])))
}

/// Milliseconds of each second that missing indexes would take off, at most.
fn indexable_ms(evidence: &Evidence) -> f64 {
    evidence.database.as_ref().map_or(0.0, |database| database.indexable_ms)
}

fn load_balancer(evidence: &Evidence) -> Finding {
    if let Some(origins) = evidence.origins.filter(|origins| *origins > 1) {
        return Finding::in_place(
            "several servers answer",
            vec![figure("servers", f64::from(origins), "servers")],
        );
    }
    let Some(host) = evidence.host else {
        return Finding::unknown("nothing is known of the server's CPUs: run it there, with --host");
    };
    let figures = vec![figure("CPUs in use", host.load() * 100.0, "%"), figure("CPUs", host.cpus, "CPUs")];
    if host.load() < HOST_LOAD {
        return Finding::not_yet("one server is enough", figures).at_times(HOST_LOAD / host.load());
    }
    if host.has_database {
        let Some(active) = evidence.database.as_ref().and_then(|database| database.active) else {
            return Finding::unknown("a database runs on the same machine: name it with --database-url");
        };
        if active.cpu >= host.used * MOST {
            let why = "it is the database that is busy, on the same machine: see there first, then give it a \
                       machine of its own";
            return Finding::not_yet(why, figures);
        }
    }
    let cacheable = evidence.traffic.as_ref().and_then(cacheable_share).unwrap_or_default();
    if cacheable >= MOST && evidence.in_place(Tool::Cache).is_none() {
        return Finding::not_yet("a cache first: most of the work was done before", figures);
    }
    Finding::add("one server is full", figures, Some([40.0, 55.0]))
}

fn index(evidence: &Evidence) -> Finding {
    let database = match database(evidence) {
        Ok(database) => database,
        Err(unknown) => return unknown,
    };
    let Some(missing) = &database.indexes else {
        return Finding::unknown("the statements of the database aren't known, or not all");
    };
    let Some(first) = missing.first() else {
        return match database.known_share >= KNOWN {
            true => Finding::in_place("no statement reads much that an index would leave out", Vec::new()),
            false => Finding::unknown("most statements were counted fewer than 50 times by now"),
        };
    };
    let slowest = missing.iter().map(|index| index.slowest_ms).fold(0.0, f64::max);
    let spent = database.indexable_ms;
    let figures = vec![
        figure("the slowest statement that an index would serve", slowest, "ms"),
        figure("of each second, on what indexes would find", spent, "ms"),
    ];
    if slowest < INDEX_MS && spent < INDEX_MS_PER_S {
        let finding = Finding::not_yet("what an index would save is little by now", figures);
        return finding.at_times(INDEX_MS_PER_S / spent);
    }
    let of_reads = spent / database.read_ms.unwrap_or_default().max(spent).max(1e-9);
    // What did not run meanwhile was slow before.
    let effect = (spent > 0.0).then_some([of_reads * 80.0, of_reads * 99.9]);
    let why = format!("statements read rows that an index would leave out, such as {}", first.ddl);
    Finding::add(why, figures, effect)
}

fn read_replica(evidence: &Evidence) -> Finding {
    let database = match database(evidence) {
        Ok(database) => database,
        Err(unknown) => return unknown,
    };
    if let Some(replicas) = database.replicas.filter(|replicas| *replicas > 0) {
        let mut figures = vec![figure("replicas", f64::from(replicas), "replicas")];
        let all = database.read_ms.zip(database.replicas_ms).map(|(own, others)| (others, own + others));
        let share = all.filter(|(_, all)| *all > 0.0).map(|(others, all)| others / all);
        figures.extend(share.map(|share| figure("of the time of reading, at replicas", share * 100.0, "%")));
        return Finding::in_place("replicas stream from the primary", figures);
    }
    let Some(state) = state(evidence) else {
        return Finding::unknown(
            "it isn't known how busy the primary is: its sessions are hidden, or its CPUs unknown (--database-cpus)",
        );
    };
    let reads =
        database.read_ms.zip(database.write_ms).map(|(reads, writes)| reads / (reads + writes).max(1e-9));
    let figures = |load: f64| {
        let mut figures = vec![figure("sessions at work for each CPU", load, "sessions")];
        figures.extend(reads.map(|share| figure("of the time of statements, reading", share * 100.0, "%")));
        figures
    };
    let (load, cause) = match state {
        State::Waits => {
            let why =
                "sessions wait for each other, and would do so with replicas as well: end what holds them up";
            let oldest = database.oldest_transaction;
            let figures = oldest.map(|seconds| figure("the oldest transaction is open for", seconds, "s"));
            return Finding::not_yet(why, figures.into_iter().collect());
        }
        State::Idle(load) => {
            let finding = Finding::not_yet("the primary has time left", figures(load));
            return finding.at_times(LOAD_MAX / load);
        }
        State::Busy(load, cause) => (load, cause),
    };
    let why = match cause {
        Some(Cause::ReadLoad) => {
            let why = "the primary is busy reading, and neither indexes nor a cache take enough off";
            return Finding::add(why, figures(load), Some([35.0, 95.0]));
        }
        Some(Cause::MissingIndex) => "an index first: the primary reads what it would leave out",
        Some(Cause::HotKey) => "a cache first: the same is asked for again and again",
        Some(Cause::WriteLoad) => "it is busy writing, which replicas have to do as well",
        Some(Cause::LockQueue) => "sessions wait for each other",
        None => {
            let why = "the primary is busy, and what is known of its statements explains too little of it";
            return Finding { evidence: figures(load), ..Finding::unknown(why) };
        }
    };
    Finding::not_yet(why, figures(load))
}

fn pool(evidence: &Evidence) -> Finding {
    let database = match database(evidence) {
        Ok(database) => database,
        Err(unknown) => return unknown,
    };
    let (Some(connects), Some(transactions)) = (database.connects, database.transactions) else {
        return Finding::unknown("the server's counters were set back meanwhile: ask again");
    };
    let each = connects / transactions.max(connects).max(1e-9);
    let full = database.connections.zip(database.connections_max).map(|(there, max)| there / max.max(1.0));
    let idle = database.idle.zip(database.connections).map(|(idle, there)| idle / there.max(1.0));
    let mut figures: Vec<Figure> = vec![
        figure("connections made", connects, "a second"),
        figure("transactions", transactions, "a second"),
    ];
    figures.extend(full.map(|full| figure("of the connections that there may be", full * 100.0, "%")));
    if connects >= CONNECTS && each >= CONNECTS_EACH {
        return Finding::add("requests bring connections of their own", figures, Some([90.0, 100.0]));
    }
    if full.is_some_and(|full| full >= CONNECTIONS) && idle.is_some_and(|idle| idle >= MOST) {
        let why = "most connections do nothing, and there is room for few more: smaller pools, or one before the \
                   database that all share";
        return Finding::add(why, figures, None);
    }
    if transactions >= 1.0 && each <= CONNECTS_KEPT {
        return Finding::in_place("connections are kept", figures);
    }
    let own = if each >= CONNECTS_EACH { CONNECTS / connects } else { f64::INFINITY };
    let all = full.map_or(f64::INFINITY, |full| CONNECTIONS / full);
    Finding::not_yet("few connections are made", figures).at_times(own.min(all))
}

fn queue(evidence: &Evidence) -> Finding {
    let traffic = match traffic(evidence) {
        Ok(traffic) => traffic,
        Err(unknown) => return unknown,
    };
    let timed = || traffic.answers().filter_map(|route| Some((route, route.p50_ms?)));
    if timed().next().is_none() {
        return Finding::unknown(NO_DURATIONS);
    }
    // What fails has no work that could be done later, and what is large is being sent.
    let often = timed().filter(|(route, _)| {
        route.requests >= QUEUE_REQUESTS
            && route.failed < route.requests * MOST
            && route.bytes.is_none_or(|bytes| bytes / route.requests <= ANSWER_BYTES)
    });
    let Some((slow, ms)) = often.max_by(|(_, one), (_, other)| one.total_cmp(other)) else {
        return Finding::unknown("no route was asked for five times by now");
    };
    let figures = vec![
        figure(format!("{}: median", slow.name()), ms, "ms"),
        figure(format!("{}: requests", slow.name()), slow.requests, "requests"),
    ];
    if ms < QUEUE_MS {
        return Finding::not_yet("nobody waits for long", figures);
    }
    let ms_per_s = slow.total_ms.zip(traffic.seconds).map(|(total, seconds)| total / seconds.max(1.0));
    let missing = evidence.database.iter().flat_map(|database| database.indexes.iter().flatten());
    let is_one_statement = missing.map(|missing| missing.slowest_ms).fold(0.0, f64::max) >= ms * MOST;
    if is_one_statement || ms_per_s.is_some_and(|ms_per_s| indexable_ms(evidence) >= ms_per_s * MOST) {
        return Finding::not_yet("an index first: it takes most of the time away", figures);
    }
    // Where a database is full, what takes long is for the most part to wait for it, and jobs would as well.
    match state(evidence) {
        Some(State::Waits) => {
            let why = "requests wait for each other in the database, and jobs would as well";
            return Finding::not_yet(why, figures);
        }
        Some(State::Busy(_, Some(Cause::MissingIndex))) => {
            return Finding::not_yet(
                "an index first: the database is full of what it would leave out",
                figures,
            );
        }
        Some(State::Busy(..)) => {
            return Finding::not_yet(
                "the database is full, and jobs would wait for it as well: see there first",
                figures,
            );
        }
        Some(State::Idle(_)) | None => {}
    }
    // Where everything waits for the same, what takes long is none of the work.
    let others = timed().filter(|(route, _)| route.requests >= CALLS_MIN && !std::ptr::eq(*route, slow));
    let fastest = others.map(|(_, other)| other).fold(f64::INFINITY, f64::min);
    if is_server_busy(evidence) && fastest > ms * 0.3 {
        return Finding::not_yet("everything is slow, as the server is full: see there first", figures);
    }
    if slow.method == "GET" {
        // A stream of events, a long poll and a slow statement look the same from here.
        let why = format!("{} takes long: whether that is work, a log doesn't tell", slow.name());
        return Finding { evidence: figures, ..Finding::unknown(why) };
    }
    Finding::add("people wait for work that could be done after the answer", figures, Some([90.0, 99.9]))
}
