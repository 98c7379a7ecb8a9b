//! The advisor's course: what there is, what could be, what is proved, what is said.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Config;

use super::advice::{Advice, Drop, Proposal, Rejected, Served, Unknown};
use super::audit::{Finding, Reason, Rebuild, audit};
use super::candidate::{Candidate, quoted};
use super::choose::{Burden, Load, Reading, choose, total_ms};
use super::consider::{CALLS_MIN, Considered, Rejection, consider};
use super::facts::{Index, Name, Table};
use super::hypothetical::Hypothetical;
use super::prove::{Bench, Trial, tables};
use super::read::{Counted, Known};
use super::scratch::{Copied, Scratch, of};
use super::session::{Purpose, Session};
use super::work::{self, Work};
use super::{IndexError, apply, read, scratch};

/// What is asked of the advisor.
pub struct Question {
    /// The servers of which one is written to; the others follow it.
    pub primary: Vec<Config>,
    /// Its replicas: an index may be used there alone.
    pub replicas: Vec<Config>,
    /// Statements to look at instead of those that were counted.
    pub statements: Option<Vec<String>>,
    /// Rows of a table that are copied to try indexes on; of a larger one so many are drawn.
    pub sample_rows: f64,
    /// Builds what was proposed, measures again, and keeps it or takes it back.
    pub apply: bool,
}

/// Statements that are looked at, by the time that they took.
const STATEMENTS_MAX: usize = 100;
/// Candidates that are tried, by the time of what each could serve.
const TRIALS_MAX: usize = 40;
/// Milliseconds of a unit of the planner's cost, as a first guess for what wasn't counted.
const MS_PER_COST: f64 = 0.01;

/// Looks at a database, and says which indexes it lacks and which it has in vain. Ends early when
/// `stop` does, and leaves nothing behind.
///
/// # Errors
/// It can't be reached, or read.
pub async fn advise(question: &Question, stop: impl Future<Output = ()>) -> Result<Advice, IndexError> {
    let primary = find_primary(&question.primary).await?;
    let look = Session::connect(&primary, "the database", Purpose::Look).await?;
    let build = Session::connect(&primary, "the database", Purpose::Build).await?;
    let mut replicas = Vec::new();
    for (number, config) in (1..).zip(&question.replicas) {
        replicas.push(Session::connect(config, &format!("replica {number}"), Purpose::Look).await);
    }
    let mut advice = Advice::default();
    let mut scratch = None;
    let work = async {
        let chosen = look_and_try(question, &look, &build, &replicas, &mut scratch, &mut advice).await;
        // The copies are of no more use, and builds would wait for nothing of theirs.
        if let Some(scratch) = scratch.take() {
            scratch.close().await;
        }
        let Some((works, chosen)) = chosen? else { return Ok(()) };
        if question.apply {
            let works: Vec<_> = works.iter().collect();
            apply::apply(&build, &look, &works, &chosen, &mut advice.applied).await?;
            apply::unlock(&build).await?;
        }
        Ok(())
    };
    let worked = tokio::select! {
        worked = work => worked,
        () = stop => Err(IndexError::Stopped),
    };
    if matches!(worked, Err(IndexError::Stopped)) {
        build.cancel().await;
        look.cancel().await;
        if let Some(scratch) = scratch.take() {
            scratch.close().await;
        }
        if question.apply {
            apply::clean(&build).await?;
        }
    }
    match worked {
        // What was built is built: better told than lost with the error.
        Err(error) if !advice.applied.is_empty() && !matches!(error, IndexError::Stopped) => {
            advice.unknown.push(unknown(("the rest".to_owned(), error.to_string())));
            Ok(advice)
        }
        worked => worked.map(|()| advice),
    }
}

/// The server that takes writes.
async fn find_primary(servers: &[Config]) -> Result<Config, IndexError> {
    let mut failed = None;
    for config in servers {
        match Session::connect(config, "the database", Purpose::Look).await {
            Ok(session) => {
                let in_recovery: bool = session.row("SELECT pg_is_in_recovery()", &[]).await?.get(0);
                if !in_recovery {
                    return Ok(config.clone());
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or(IndexError::NoPrimary))
}

/// What there is, and what would be better. `None`: nothing is to be built.
async fn look_and_try<'a>(
    question: &Question,
    look: &Session,
    build: &'a Session,
    replicas: &[Result<Session, IndexError>],
    scratch: &mut Option<Scratch<'a>>,
    advice: &mut Advice,
) -> Result<Option<(Vec<Work>, Vec<Chosen>)>, IndexError> {
    scratch::remove_leftovers(build).await?;
    if question.apply {
        apply::clean(build).await?;
    }
    let known = read::read(look, replicas).await?;
    inspect(&known, advice);
    let counted = counted(look, question, advice).await?;
    let (works, unread) = work::read(look, counted, &known.tables).await;
    advice.unknown.extend(unread.into_iter().map(unknown));

    let statements: Vec<_> = works.iter().map(|work| work.statement.clone()).collect();
    let considered = consider(&statements, &known.tables, &known.indexes);
    advice.unknown.extend(considered.unknown.iter().cloned().map(unknown));
    advice.rejected.extend(
        considered
            .rejected
            .iter()
            .map(|(candidate, why)| Rejected { ddl: candidate.ddl(), reason: why.describe() }),
    );
    if considered.worth.is_empty() {
        return Ok(None);
    }
    let hypothetical = Hypothetical::find(look).await?;
    let mut opened = match Scratch::begin(build).await {
        Ok(opened) => Some(scratch.insert(opened)),
        Err(error) if error.is_forbidden() && hypothetical.is_some() => None,
        Err(error) if error.is_forbidden() => {
            advice.unknown.extend(considered.worth.keys().map(|candidate| {
                let reason = "nothing can be tried: this role may not CREATE in the database, or only read it, \
                     and HypoPG isn't there";
                unknown((candidate.ddl(), reason.to_owned()))
            }));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    // What an index of a table serves or harms.
    let concerned: BTreeSet<_> = considered.worth.keys().map(|candidate| &candidate.table).collect();
    let touching =
        |work: &&Work| work.statement.accesses.iter().any(|access| concerned.contains(&access.table));
    let touched: Vec<&Work> = works.iter().filter(touching).collect();
    let mut copied = tables(&touched, &known.tables);
    // Those without a candidate that are left out are those that come last.
    while copied.len() > COPIES_MAX {
        let Some(last) = copied.keys().rev().find(|name| !concerned.contains(name)).cloned() else { break };
        copied.remove(&last);
    }
    if let Some(opened) = &mut opened {
        for (table, refused) in opened.copy_all(&copied, question.sample_rows).await? {
            advice.unknown.push(unknown((of(&table), format!("it can't be copied: {}", refused.describe()))));
        }
    }
    let bench = Bench::start(build, opened.as_deref(), hypothetical.as_ref(), &touched).await?;
    let chosen = try_all(&bench, &touched, &works, &known, considered, advice).await?;
    Ok(Some((works, chosen)))
}

/// Tables that are copied, at most.
const COPIES_MAX: usize = 30;

/// What is to be built, with values to measure it by on the tables themselves.
pub(super) struct Chosen {
    pub(super) ddl: String,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) table: Name,
    pub(super) is_of_expression: bool,
    pub(super) measured: Vec<Measured>,
}

impl Chosen {
    /// Its name as SQL has it.
    pub(super) fn index(&self) -> String {
        of(&(self.schema.clone(), self.name.clone()))
    }
}

/// A statement that an index serves, or could harm.
pub(super) struct Measured {
    /// Which of the workload.
    pub(super) place: usize,
    /// Sets of values for its parameters.
    pub(super) sets: Vec<Vec<Option<String>>>,
    pub(super) is_served: bool,
}

fn unknown((what, reason): (String, String)) -> Unknown {
    Unknown { what, reason }
}

async fn counted(
    look: &Session,
    question: &Question,
    advice: &mut Advice,
) -> Result<Vec<Counted>, IndexError> {
    if let Some(statements) = &question.statements {
        let mut counted = Vec::new();
        for text in statements {
            // Nobody has counted them: once a second, and as long as the planner guesses.
            let cost = match super::statement::read(text) {
                Ok(parsed) => look.plan(text, parsed.parameters).await.map_or(0.0, |plan| plan.cost),
                Err(_) => 0.0,
            };
            let mean_ms = cost * MS_PER_COST;
            counted.push(Counted {
                text: text.clone(),
                calls: CALLS_MIN,
                rate: Some(1.0),
                mean_ms,
                rows: 0.0,
            });
        }
        return Ok(counted);
    }
    let read::Statements { counted, unknown: missing } = read::statements(look, STATEMENTS_MAX).await?;
    advice.unknown.extend(missing.into_iter().map(|why| unknown(("the workload".to_owned(), why))));
    Ok(counted)
}

/// What is to be said of the indexes that are there.
fn inspect(known: &Known, advice: &mut Advice) {
    for (place, finding) in audit(&known.indexes, &known.foreign_keys) {
        let Some(index) = known.indexes.get(place) else { continue };
        let name = of(&(index.schema.clone(), index.name.clone()));
        let drop = |ddl: &str, reason: String| Drop {
            ddl: format!("{ddl} CONCURRENTLY {name}"),
            index: name.clone(),
            table: of(&index.table),
            reason,
            size_bytes: index.bytes as u64,
        };
        match finding {
            Finding::Drop(reason) => advice.drops.push(drop("DROP INDEX", reason.describe())),
            // A leftover of REINDEX CONCURRENTLY has nothing to build anew: its index is there.
            Finding::Rebuild(Rebuild::Invalid) if is_leftover(index) => {
                advice.drops.push(drop("DROP INDEX", Rebuild::Invalid.describe()));
            }
            Finding::Rebuild(why) => advice.rebuilds.push(drop("REINDEX INDEX", why.describe())),
            Finding::Keep(reason) => advice.kept.push(Rejected { ddl: name, reason }),
            Finding::Unknown(reason) => advice.unknown.push(unknown((name, reason))),
        }
    }
}

/// `REINDEX CONCURRENTLY` that was broken off leaves indexes named so.
fn is_leftover(index: &Index) -> bool {
    let name = index.name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
}

/// Tries what is worth a try, chooses, and says why. `works` are those that any candidate could serve
/// or harm, of `all`.
async fn try_all(
    bench: &Bench<'_>,
    works: &[&Work],
    all: &[Work],
    known: &Known,
    considered: Considered,
    advice: &mut Advice,
) -> Result<Vec<Chosen>, IndexError> {
    let place_in_all =
        |work: &Work| all.iter().position(|other| std::ptr::eq(other, work)).unwrap_or(usize::MAX);
    let now = bench.now();
    let mut worth: Vec<_> = considered.worth.into_iter().collect();
    let time = |places: &BTreeSet<usize>| -> f64 {
        places.iter().filter_map(|place| all.get(*place)).map(|work| work.statement.ms_per_second()).sum()
    };
    worth.sort_by(|one, other| time(&other.1).total_cmp(&time(&one.1)));
    let mut tried: Vec<(Candidate, Trial)> = Vec::new();
    let mut told = BTreeSet::new();
    for (candidate, places) in worth {
        let served = works.iter().enumerate().filter(|(_, work)| places.contains(&place_in_all(work)));
        let reasons: Vec<_> = served.map(|(place, work)| (work, bench.why_not(place))).collect();
        if reasons.iter().all(|(_, why)| why.is_some()) {
            // Nothing that it could serve can be measured: that is no reason against it.
            for (work, why) in reasons {
                if told.insert(work.statement.name.clone()) {
                    let why = why.unwrap_or_default().to_owned();
                    advice.unknown.push(unknown((work.statement.name.clone(), why)));
                }
            }
            advice
                .unknown
                .push(unknown((candidate.ddl(), "what it could serve can't be measured".to_owned())));
            continue;
        }
        if tried.len() == TRIALS_MAX || bench.is_over() {
            let why = "others were tried first; build those, and ask again";
            advice.unknown.push(unknown((candidate.ddl(), why.to_owned())));
            continue;
        }
        match bench.try_alone(&candidate).await? {
            Ok(trial) => tried.push((candidate, trial)),
            Err(reason) => advice.rejected.push(Rejected { ddl: candidate.ddl(), reason }),
        }
    }
    // Where values can be kept unique as well, that is proposed.
    let uniques: Vec<_> = tried
        .iter()
        .map(|(candidate, _)| candidate)
        .filter(|candidate| candidate.is_unique)
        .cloned()
        .collect();
    tried.retain(|(candidate, _)| {
        candidate.is_unique
            || !uniques.iter().any(|unique| *unique == Candidate { is_unique: true, ..candidate.clone() })
    });
    let set = work::set_columns(all);
    let numbers: BTreeMap<&Name, usize> = known.tables.keys().zip(0..).collect();
    let burdens: Vec<_> = tried
        .iter()
        .map(|(candidate, trial)| Burden {
            table: numbers.get(&candidate.table).copied().unwrap_or_default(),
            write_ms: write_ms(candidate, trial, known.tables.get(&candidate.table), &set),
            bytes: trial.built.bytes,
        })
        .collect();
    let loads: Vec<(usize, Load)> = (0..works.len())
        .filter_map(|place| {
            let with = tried.iter().map(|(_, trial)| trial.with.get(place).copied().flatten());
            let rate = works.get(place)?.statement.rate;
            Some((place, Load { rate, now: now.get(place).copied()??, with: with.collect() }))
        })
        .collect();
    let (places, loads): (Vec<_>, Vec<_>) = loads.into_iter().unzip();
    let mut chosen = choose(&loads, &burdens);
    if chosen.len() > 1 {
        chosen = confirm(bench, &tried, &places, &loads, &burdens, chosen).await?;
    }
    for (place, (candidate, _)) in tried.iter().enumerate() {
        if !chosen.contains(&place) {
            let reason = why_not(&loads, &burdens, &chosen, place, &tried, |load| {
                places.get(load).and_then(|place| works.get(*place)).map(|work| work.statement.name.as_str())
            });
            advice.rejected.push(Rejected { ddl: candidate.ddl(), reason });
        }
    }
    let mut built = Vec::new();
    for place in &chosen {
        let (Some((candidate, trial)), Some(burden)) = (tried.get(*place), burdens.get(*place)) else {
            continue;
        };
        let others: Vec<_> = chosen.iter().copied().filter(|other| other != place).collect();
        let mut served = Vec::new();
        let mut served_places = BTreeSet::new();
        let (mut before, mut after) = (0.0, 0.0);
        let (mut is_run, mut is_made_up) = (true, false);
        for (load, number) in loads.iter().zip(&places) {
            let Some(work) = works.get(*number) else { continue };
            let (without, with) = (load.ms(&burdens, &others), load.ms(&burdens, &chosen));
            if trial.with.get(*number).is_some_and(Option::is_some) && with < without {
                before += load.rate * without;
                after += load.rate * with;
                is_run &= bench.is_run(*number);
                is_made_up |= bench.is_on_tables(*number);
                served_places.insert(*number);
                served.push(Served {
                    statement: work.statement.name.clone(),
                    calls: work.statement.calls,
                    before_ms: without,
                    after_ms: with,
                });
            }
        }
        served.sort_by(|one, other| {
            let saved = |served: &Served| (served.before_ms - served.after_ms) * served.calls as f64;
            saved(other).total_cmp(&saved(one))
        });
        advice.proposals.push(Proposal {
            ddl: candidate.ddl(),
            name: candidate.name(),
            table: of(&candidate.table),
            columns: candidate.columns_in_order(),
            gain: before / after.max(1e-9),
            saves_ms_per_s: before - after - burden.write_ms,
            size_bytes: trial.built.bytes as u64,
            write_cost: trial.built.write_ms,
            statements: served,
            proof: proof(bench.copied(&candidate.table).filter(|_| !is_made_up), is_run),
        });
        let mut measured = Vec::new();
        for (number, work) in works.iter().enumerate() {
            let touches = work.statement.accesses.iter().any(|access| access.table == candidate.table);
            if touches
                && !work.parsed.is_write
                && bench.is_run(number)
                && let Ok(sources) = &work.sources
            {
                measured.push(Measured {
                    place: place_in_all(work),
                    sets: bench.draw(sources).await?,
                    is_served: served_places.contains(&number),
                });
            }
        }
        if is_made_up {
            // Nothing was run: that is for people to judge.
            continue;
        }
        // Nobody asked for a constraint.
        let plain = Candidate { is_unique: false, ..candidate.clone() };
        built.push(Chosen {
            ddl: plain.ddl(),
            schema: plain.table.0.clone(),
            name: plain.name(),
            table: plain.table.clone(),
            is_of_expression: plain.has_expression(),
            measured,
        });
    }
    Ok(built)
}

/// Tries what was chosen together: a planner that has the choice may choose otherwise than by what
/// each did alone. What it doesn't use then is left out, and where all of it is slower than the best
/// of them by itself, that one is what is left.
async fn confirm(
    bench: &Bench<'_>,
    tried: &[(Candidate, Trial)],
    places: &[usize],
    loads: &[Load],
    burdens: &[Burden],
    chosen: Vec<usize>,
) -> Result<Vec<usize>, IndexError> {
    let candidates: Vec<_> =
        chosen.iter().filter_map(|place| tried.get(*place)).map(|(candidate, _)| candidate).collect();
    let (together, used) = bench.try_together(&candidates).await?;
    let used: Vec<_> = chosen
        .iter()
        .enumerate()
        .filter(|(order, _)| used.contains(order))
        .map(|(_, place)| *place)
        .collect();
    let measured: f64 = loads
        .iter()
        .zip(places)
        .map(|(load, place)| {
            load.rate * together.get(*place).copied().flatten().map_or(load.now.ms, |with| with.ms)
        })
        .sum();
    let writes: f64 = used.iter().filter_map(|place| burdens.get(*place)).map(|burden| burden.write_ms).sum();
    let alone = |place: &usize| total_ms(loads, burdens, &[*place]);
    let best = used.iter().min_by(|one, other| alone(one).total_cmp(&alone(other))).copied();
    Ok(match best {
        Some(best) if alone(&best) < measured + writes => vec![best],
        _ => used,
    })
}

fn proof(copy: Option<&Copied>, is_run: bool) -> String {
    let Some(copy) = copy else {
        return "reckoned from the planner's cost with HypoPG on the table itself, and not run".to_owned();
    };
    let how = if is_run {
        "measured"
    } else {
        "reckoned from the planner's cost, and not run, as what its parameters stand for isn't known,"
    };
    let rows = tidewall_api::format::count(copy.rows as u64);
    match copy.share < 1.0 {
        true => format!("{how} on a sample of {rows} rows ({:.1} %)", copy.share * 100.0),
        false => format!("{how} on a copy of {rows} rows"),
    }
}

/// Milliseconds that an index costs writers in each second.
fn write_ms(
    candidate: &Candidate,
    trial: &Trial,
    table: Option<&Table>,
    set: &BTreeMap<Name, BTreeSet<String>>,
) -> f64 {
    let columns = candidate.columns();
    let is_set =
        set.get(&candidate.table).is_some_and(|set| set.iter().any(|name| columns.contains(name.as_str())));
    let rows = table.map_or(0.0, |table| {
        let hot = if is_set { table.hot_updates } else { None };
        [table.inserts, table.updates, hot].into_iter().flatten().sum::<f64>()
    });
    rows * trial.built.write_ms
}

/// Why a candidate isn't among those that were chosen.
fn why_not<'a>(
    loads: &[Load],
    burdens: &[Burden],
    chosen: &[usize],
    place: usize,
    tried: &[(Candidate, Trial)],
    name: impl Fn(usize) -> Option<&'a str>,
) -> String {
    let is_used = |load: &Load| load.with.get(place).is_some_and(Option::is_some);
    if !loads.iter().any(is_used) {
        return "the planner doesn't use it".to_owned();
    }
    let slower = loads.iter().enumerate().filter_map(|(number, load)| {
        let Reading { ms, .. } = load.with.get(place).copied().flatten()?;
        (load.ms(burdens, &[place]) > load.now.ms * 1.1).then_some((
            number,
            load.now.ms,
            ms,
            (ms - load.now.ms) * load.rate,
        ))
    });
    let worst = slower.max_by(|one, other| one.3.total_cmp(&other.3));
    let free: Vec<_> = burdens.iter().map(|burden| Burden { write_ms: 0.0, ..*burden }).collect();
    let reads = |set: &[usize]| total_ms(loads, &free, set);
    if let Some((number, before, after, _)) = worst
        && reads(&[place]) > reads(&[]) * 0.95
    {
        return format!(
            "the planner would use it, and be slower: {before:.1} → {after:.1} ms for {}",
            name(number).unwrap_or_default()
        );
    }
    let with: Vec<_> = [chosen, &[place]].concat();
    let write_ms = burdens.get(place).map_or(0.0, |burden| burden.write_ms);
    let alone = reads(&[]) - reads(&[place]);
    if alone <= write_ms {
        return format!("it saves readers {alone:.2} ms in a second, and costs writers {write_ms:.2} ms");
    }
    let rival = chosen
        .iter()
        .filter_map(|other| tried.get(*other))
        .find(|(other, _)| tried.get(place).is_some_and(|(own, _)| own.table == other.table));
    let adds = reads(chosen) - reads(&with);
    match rival {
        Some((other, _)) => format!(
            "beside {} it saves {adds:.2} ms in a second, and costs writers {write_ms:.2} ms",
            quoted(&other.name())
        ),
        None => format!("it saves {alone:.2} ms in a second: too little to look after an index for"),
    }
}

impl Rejection {
    /// In words.
    fn describe(&self) -> String {
        match self {
            Self::Small { rows } => {
                format!(
                    "the table has {rows:.0} rows: reading it all is as fast (below 10,000 no index helps)"
                )
            }
            Self::Unselective { share } => {
                format!(
                    "it would leave {:.0} % of the rows, which are read faster from end to end",
                    share * 100.0
                )
            }
            Self::Idle { ms_per_second } => {
                format!("what it could serve takes {ms_per_second:.3} ms of each second")
            }
        }
    }
}

impl Reason {
    fn describe(&self) -> String {
        match self {
            Self::Duplicate(other) => format!("{} is the same", quoted(other)),
            Self::Prefix(other) => {
                format!("{} begins with the same keys, and serves all that it serves", quoted(other))
            }
            Self::Unused(days) => {
                format!("no server that was asked has used it in {days} days, or since it was built")
            }
        }
    }
}

impl Rebuild {
    fn describe(self) -> String {
        match self {
            Self::Invalid => "its last build was broken off: it is written, and never read".to_owned(),
            Self::Bloated(tenths) => {
                format!("it is {:.1} times as large as it would be if it were new", f64::from(tenths) / 10.0)
            }
        }
    }
}
