//! What the cases come to. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::tables::{Case, MANY, Sizes};
use crate::error::{BenchError, Reason};
use crate::report::{Better, Measurement};
use crate::sample::Sample;

/// The article: a lookup without an index, and with one.
const ARTICLE_BARE_MS: f64 = 500.0;
const ARTICLE_MS: f64 = 5.0;
const ARTICLE_RATIO: f64 = 100.0;
/// The article: an insert without an index, and with three.
const ARTICLE_INSERT_BARE_MS: f64 = 5.0;
const ARTICLE_INSERT_MS: f64 = 15.0;
const ARTICLE_INSERT_RATIO: f64 = 3.0;

/// Why a figure isn't the article's.
const IN_MEMORY: &str = "the article's table is read from a disk; here all of it is in memory";
const COMMIT: &str = "the article's insert waits for the pages of each index; here it waits for its commit, which is one write \
     however many indexes there are";

pub(super) fn all(
    figures: &BTreeMap<Case, Vec<f64>>,
    sizes: &Sizes,
    advised: Duration,
) -> Result<Vec<Measurement>, BenchError> {
    let sample = |case: Case| {
        figures.get(&case).cloned().and_then(Sample::new).ok_or_else(|| BenchError::Contestant {
            name: "indexes".to_owned(),
            reason: Reason::new("a case was not measured"),
        })
    };
    let ratio = |one: &Sample, other: &Sample| {
        one.over(other).ok_or_else(|| BenchError::Contestant {
            name: "indexes".to_owned(),
            reason: Reason::new("cases were not measured equally often"),
        })
    };
    let ms = |name, sample: &Sample| Measurement::new(name, "ms", Better::Lower, sample);
    let (bare, lookup) = (sample(Case::LOOKUP_BARE)?, sample(Case::LOOKUP)?);
    let newest = sample(Case::NEWEST)?;
    let (insert_bare, insert) = (sample(Case::INSERT_BARE)?, sample(Case::INSERT)?);
    let (many_bare, many) = (sample(Case::MANY_BARE)?, sample(Case::MANY)?);
    let of_table = Sample::new(vec![sizes.indexes / sizes.table * 100.0]);
    let advised = Sample::new(vec![advised.as_secs_f64()]);
    let mut all = vec![
        ms("index/lookup-without", &bare).article(ARTICLE_BARE_MS).note(IN_MEMORY),
        ms("index/lookup", &lookup).article(ARTICLE_MS).note(IN_MEMORY),
        Measurement::new("index/lookup-ratio", "times", Better::Higher, &ratio(&bare, &lookup)?)
            .article(ARTICLE_RATIO)
            .note(IN_MEMORY),
        ms("index/newest-of-a-user", &newest)
            .peer("no index", sample(Case::NEWEST_BARE)?.median())
            .peer("(user_id)", sample(Case::NEWEST_USER)?.median())
            .peer("(created_at)", sample(Case::NEWEST_TIME)?.median()),
        ms("index/insert-without", &insert_bare).article(ARTICLE_INSERT_BARE_MS).note(COMMIT),
        ms("index/insert-with-three", &insert).article(ARTICLE_INSERT_MS).note(COMMIT),
        Measurement::new("index/insert-ratio", "times", Better::Lower, &ratio(&insert, &insert_bare)?)
            .article(ARTICLE_INSERT_RATIO)
            .note(COMMIT),
        // Without a commit for each the indexes are what is left.
        Measurement::new("index/insert-many-ratio", "times", Better::Lower, &ratio(&many, &many_bare)?)
            .article(ARTICLE_INSERT_RATIO),
        Measurement::new(
            "index/row-cost",
            "µs for each row and index",
            Better::Lower,
            &Sample::new(vec![(many.median() - many_bare.median()) * 1_000.0 / MANY / 3.0])
                .unwrap_or_else(|| many.clone()),
        ),
    ];
    all.extend(
        of_table.map(|size| {
            Measurement::new("index/size-of-three", "percent of the table", Better::Lower, &size)
        }),
    );
    all.extend(advised.map(|seconds| Measurement::new("index/advice", "s", Better::Lower, &seconds)));
    Ok(all)
}
