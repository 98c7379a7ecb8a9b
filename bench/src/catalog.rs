//! Which benches there are, and what each of them is given.

use std::path::PathBuf;

use crate::effort::Effort;
use crate::error::BenchError;
use crate::queue::scale::Scale;
use crate::report::Measurement;
use crate::{edge, index, pool, queue, replicas, scale};

/// Something that can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    /// The edge: its balancer, as a Worker.
    Balance,
    /// The edge: the site, as a Worker and as an origin serve it.
    Cdn,
    /// The edge: its cache, as a Worker.
    Edge,
    /// What indexes do, and how long the advisor takes.
    Index,
    /// The connection pool.
    Pool,
    /// The queue.
    Queue,
    /// The replicas, and the router before them.
    Replicas,
    /// How costs grow with the work.
    Scale,
}

/// What a bench measures with.
#[derive(Clone)]
pub struct Setting {
    /// URL of the primary, migrated and seeded; empty where no bench needs one.
    pub primary: String,
    /// URLs of its replicas.
    pub replicas: Vec<String>,
    /// Folder of the built Worker.
    pub worker: PathBuf,
    /// Folder of the built site.
    pub site: PathBuf,
    /// How long to measure.
    pub effort: Effort,
    /// How many pairs of a write and a read `replicas` makes.
    pub pairs: u32,
    /// How many jobs `queue` has done.
    pub queue: Scale,
}

impl Bench {
    /// All of them, in the order in which they run.
    pub const ALL: &[Self] = &[
        Self::Balance,
        Self::Cdn,
        Self::Edge,
        Self::Index,
        Self::Pool,
        Self::Queue,
        Self::Replicas,
        Self::Scale,
    ];

    /// As a person types it, and as its results' names begin.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Cdn => "cdn",
            Self::Edge => "edge",
            Self::Index => "index",
            Self::Pool => "pool",
            Self::Queue => "queue",
            Self::Replicas => "replicas",
            Self::Scale => "scale",
        }
    }

    /// Whether it is measured on database servers.
    pub const fn needs_database(self) -> bool {
        match self {
            Self::Balance | Self::Cdn | Self::Edge => false,
            Self::Index | Self::Pool | Self::Queue | Self::Replicas | Self::Scale => true,
        }
    }

    /// Measures it.
    ///
    /// # Errors
    /// Something other than a peer can't be measured.
    pub async fn run(self, setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
        match self {
            Self::Balance => edge::balance(setting).await,
            Self::Cdn => edge::cdn(setting).await,
            Self::Edge => edge::run(setting).await,
            Self::Index => index::run(setting).await,
            Self::Pool => pool::run(setting).await,
            Self::Queue => queue::run(setting).await,
            Self::Replicas => replicas::run(setting).await,
            Self::Scale => scale::run(setting).await,
        }
    }
}

/// The benches of these names, each once; all where none is named.
///
/// # Errors
/// There is none of such a name.
pub fn chosen(names: &[String]) -> Result<Vec<Bench>, BenchError> {
    if let Some(unknown) = names.iter().find(|name| Bench::ALL.iter().all(|bench| bench.name() != *name)) {
        return Err(BenchError::Unknown { name: unknown.clone() });
    }
    let is_chosen = |bench: &Bench| names.is_empty() || names.iter().any(|name| name == bench.name());
    Ok(Bench::ALL.iter().copied().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Result<&[Bench], &str>) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let chosen = chosen(&names).map_err(|error| error.to_string());
        assert_eq!(chosen.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn without_a_name_all_are_chosen() {
        check(&[], Ok(Bench::ALL));
    }

    #[test]
    fn a_bench_named_twice_runs_once() {
        check(&["pool", "pool"], Ok(&[Bench::Pool]));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        check(
            &["pool", "pond"],
            Err(
                "there is no bench `pond`; there are: balance, cdn, edge, index, pool, queue, replicas, scale",
            ),
        );
    }
}
