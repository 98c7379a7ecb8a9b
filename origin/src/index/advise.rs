//! The advisor's course: what there is, what could be, what is proved, what is said.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Config;

use super::advice::{Advice, Drop, Proposal, Rejected, Served, Unknown};
use super::audit::{Finding, Reason, Rebuild, audit};
use super::candidate::{Candidate, quoted};
use super::choose::{Burden, Load, Reading, choose, total_ms};
use super::condition::Key;
use super::consider::{CALLS_MIN, Considered, Rejection, consider};
use super::facts::{Index, Name, Table};
use super::prove::{Bench, Trial, tables};
use super::read::{Counted, Known};
use super::scratch::{Scratch, of};
use super::session::{Purpose, Session};
use super::work::{self, Work};
use super::{IndexError, apply, read};

/// What is asked of the advisor.
pub struct Question {
    /// The server that is written to.
    pub primary: Config,
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

/// Looks at a database, and says which indexes it lacks and which it has in vain.
///
/// # Errors
/// It can't be reached, or read.
pub async fn advise(question: &Question) -> Result<Advice, IndexError> {
    let look = Session::connect(&question.primary, "the database", Purpose::Look).await?;
    let mut replicas = Vec::new();
    for (number, config) in (1..).zip(&question.replicas) {
        replicas.push(Session::connect(config, &format!("replica {number}"), Purpose::Look).await);
    }
    let mut advice = Advice::default();
    let build = Session::connect(&question.primary, "the database", Purpose::Build).await?;
    if question.apply {
        apply::clean(&build).await?;
    }
    let known = read::read(&look, &replicas).await?;
    inspect(&known, &mut advice);
    let counted = counted(&look, question, &mut advice).await?;
    let (works, unread) = work::read(&look, counted, &known.tables).await;
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
        return Ok(advice);
    }
    let rows = known.tables.iter().map(|(name, table)| (name.clone(), table.rows)).collect();
    let scratch = match Scratch::open(&build, &tables(&works, &rows), question.sample_rows).await {
        Ok(scratch) => scratch,
        Err(error) if error.is_forbidden() => {
            advice.unknown.extend(considered.worth.keys().map(|candidate| {
                let reason = "nothing can be tried: this role may not CREATE in the database";
                unknown((candidate.ddl(), reason.to_owned()))
            }));
            return Ok(advice);
        }
        Err(error) => return Err(error),
    };
    let tried = try_all(&build, &scratch, &works, &known, considered, &mut advice).await;
    scratch.close().await?;
    let chosen = tried?;
    if question.apply {
        advice.applied = apply::apply(&build, &look, &works, &chosen).await?;
    }
    Ok(advice)
}

/// What is to be built, with values to measure it by on the tables themselves.
pub(super) struct Chosen {
    pub(super) ddl: String,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) table: Name,
    pub(super) is_of_expression: bool,
    /// Statements that it serves or harms, with sets of values for their parameters.
    pub(super) measured: Vec<(usize, Vec<Vec<Option<String>>>)>,
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
    match read::statements(look, STATEMENTS_MAX).await? {
        Ok(counted) => Ok(counted),
        Err(why) => {
            advice.unknown.push(unknown(("the workload".to_owned(), why)));
            Ok(Vec::new())
        }
    }
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

/// Tries what is worth a try, chooses, and says why.
async fn try_all(
    session: &Session,
    scratch: &Scratch<'_>,
    works: &[Work],
    known: &Known,
    considered: Considered,
    advice: &mut Advice,
) -> Result<Vec<Chosen>, IndexError> {
    let (bench, unmeasured) = Bench::start(session, scratch, works).await?;
    advice.unknown.extend(unmeasured.into_iter().map(unknown));
    let now = bench.now();
    let mut worth: Vec<_> = considered.worth.into_iter().collect();
    let time = |places: &BTreeSet<usize>| -> f64 {
        places.iter().filter_map(|place| works.get(*place)).map(|work| work.statement.ms_per_second()).sum()
    };
    worth.sort_by(|one, other| time(&other.1).total_cmp(&time(&one.1)));
    for (candidate, _) in worth.split_off(worth.len().min(TRIALS_MAX)) {
        advice.unknown.push(unknown((
            candidate.ddl(),
            "others were tried first; build those, and ask again".to_owned(),
        )));
    }
    let mut tried: Vec<(Candidate, Trial)> = Vec::new();
    for (candidate, _) in worth {
        match bench.try_alone(&candidate).await? {
            Ok(trial) => tried.push((candidate, trial)),
            Err(reason) => advice.rejected.push(Rejected { ddl: candidate.ddl(), reason }),
        }
    }
    // Where values can be kept unique as well, they are.
    let uniques: Vec<_> = tried
        .iter()
        .map(|(candidate, _)| candidate)
        .filter(|candidate| candidate.is_unique)
        .cloned()
        .collect();
    tried.retain(|(candidate, _)| {
        !uniques.iter().any(|unique| {
            *unique == Candidate { is_unique: true, ..candidate.clone() } && !candidate.is_unique
        })
    });
    let set = work::set_columns(works);
    let numbers: BTreeMap<&Name, usize> = known.tables.keys().zip(0..).collect();
    let burdens: Vec<_> = tried
        .iter()
        .map(|(candidate, trial)| Burden {
            table: numbers.get(&candidate.table).copied().unwrap_or_default(),
            write_ms: write_ms(candidate, trial, known.tables.get(&candidate.table), &set),
            bytes: trial.built.bytes,
        })
        .collect();
    let loads: Vec<_> = (0..works.len())
        .filter_map(|place| {
            let with = tried.iter().map(|(_, trial)| trial.with.get(place).copied().flatten());
            Some((
                place,
                Load {
                    rate: works.get(place)?.statement.rate,
                    now: now.get(place).copied()??,
                    with: with.collect(),
                },
            ))
        })
        .collect();
    let (places, loads): (Vec<_>, Vec<_>) = loads.into_iter().unzip();
    let mut chosen = choose(&loads, &burdens);
    // A planner that has the choice may choose otherwise.
    if chosen.len() > 1 {
        let candidates: Vec<_> =
            chosen.iter().filter_map(|place| tried.get(*place)).map(|(candidate, _)| candidate).collect();
        let (_, used) = bench.try_together(&candidates).await?;
        let unused: BTreeSet<_> = chosen
            .iter()
            .enumerate()
            .filter(|(order, _)| !used.contains(order))
            .map(|(_, place)| *place)
            .collect();
        chosen.retain(|place| !unused.contains(place));
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
        let mut served = Vec::new();
        let (mut before, mut after) = (0.0, 0.0);
        let mut is_run = true;
        for (load, work) in
            loads.iter().zip(&places).filter_map(|(load, place)| Some((load, (*place, works.get(*place)?))))
        {
            let others: Vec<_> = chosen.iter().copied().filter(|other| other != place).collect();
            let (without, with) = (load.ms(&burdens, &others), load.ms(&burdens, &chosen));
            if trial.with.get(work.0).is_some_and(Option::is_some) && with < without {
                before += load.rate * without;
                after += load.rate * with;
                is_run &= bench.is_run(work.0);
                served.push(Served {
                    statement: work.1.statement.name.clone(),
                    calls: work.1.statement.calls,
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
            columns: candidate
                .keys
                .iter()
                .map(|ordered| match &ordered.key {
                    Key::Column(name) => name.clone(),
                    Key::Expression(text) => format!("({text})"),
                })
                .collect(),
            gain: before / after.max(1e-9),
            saves_ms_per_s: before - after - burden.write_ms,
            size_bytes: trial.built.bytes as u64,
            write_cost: trial.built.write_ms,
            statements: served,
            proof: proof(scratch, candidate, is_run),
        });
        let mut measured = Vec::new();
        for (number, work) in works.iter().enumerate() {
            let touches = work.statement.accesses.iter().any(|access| access.table == candidate.table);
            if touches
                && let Ok(sources) = &work.sources
                && !work.parsed.is_write
            {
                measured.push((number, scratch.draw(sources).await?));
            }
        }
        built.push(Chosen {
            ddl: candidate.ddl(),
            schema: candidate.table.0.clone(),
            name: candidate.name(),
            table: candidate.table.clone(),
            is_of_expression: candidate.has_expression(),
            measured,
        });
    }
    Ok(built)
}

fn proof(scratch: &Scratch<'_>, candidate: &Candidate, is_run: bool) -> String {
    let Some(copy) = scratch.copied(&candidate.table) else { return String::new() };
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
            Self::Unused(days) => format!("no server has used it in {days} days"),
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
