//! What a scenario is: a product, how it is used, and what its readers may expect. Read from a file
//! of `bench/scenarios`, whose name is the scenario's.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidewall_api::advice::Tool;

use crate::error::Reason;

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// A product under load.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// Of the file's text: what is recorded is of this text and no other.
    #[serde(skip)]
    pub digest: String,
    /// In a sentence.
    pub what: String,
    /// The tool it is about.
    pub tool: Tool,
    /// What it is to show of that tool. What it does show is measured.
    pub kind: Kind,
    /// Milliseconds from the server to its readers and back.
    #[serde(default = "near")]
    pub distance_ms: f64,
    /// CPUs of its server.
    pub cpus: u32,
    /// GB that the server may send in a month for the money that there is.
    pub sent_gb_max: Option<f64>,
    /// Its database, if it has one.
    pub database: Option<Database>,
    /// What it is asked for.
    #[serde(rename = "route")]
    pub routes: Vec<Route>,
}

/// What a scenario is to show of its tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It heals what is wrong.
    Needed,
    /// Nothing is wrong.
    NotYet,
    /// Something is wrong that looks as if the tool healed it.
    Decoy,
}

/// A database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// CPUs of its machine.
    pub cpus: u32,
    /// That is the machine of the product's server.
    #[serde(default)]
    pub is_on_server: bool,
    /// Each request brings a connection of its own.
    #[serde(default)]
    pub connects_each: bool,
    /// Connections that are there and do nothing.
    #[serde(default)]
    pub idle: u32,
    /// Rows of its table `orders`.
    pub rows: u32,
    /// Users whose orders they are.
    pub users: u32,
    /// The index that somebody would build who knows what there is to know of indexes.
    pub index: String,
    /// What somebody runs all the time.
    pub beside: Option<String>,
}

/// What is asked for again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `GET`, unless it says otherwise.
    #[serde(default = "get")]
    pub method: String,
    /// Has `{}` for the key, if there are several.
    pub path: String,
    /// Requests in a second, on the average: they come when they come (a Poisson process).
    pub rate: f64,
    /// Different keys, each as likely.
    #[serde(default = "one")]
    pub keys: u32,
    /// Bytes of an answer.
    #[serde(default = "bytes")]
    pub bytes: u32,
    /// Whose it is.
    #[serde(default)]
    pub answer: Answer,
    /// Milliseconds that a CPU of the server computes.
    #[serde(default)]
    pub compute_ms: f64,
    /// What the database is asked.
    #[serde(default, rename = "statement")]
    pub statements: Vec<Statement>,
    /// Work that could be done after the answer.
    pub after: Option<After>,
    /// Milliseconds within which nineteen of twenty readers are to have their answer.
    pub within_ms: f64,
}

/// Whose an answer is. Those that differ do so in their length, which is all that an access log tells:
/// a product whose readers all have answers of one length, each their own, is one that nobody can tell by
/// its log, and none of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The same for all who ask for its key: may be kept.
    ForAll,
    /// Each reader's own.
    #[default]
    Own,
    /// Another one each time.
    New,
}

/// What the database is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `$1` is the key, a `bigint`.
    pub sql: String,
    /// How often, one after the other.
    #[serde(default = "one")]
    pub times: u32,
    /// It writes: no replica can answer.
    #[serde(default)]
    pub is_write: bool,
    /// It waits for others rather than to compute.
    #[serde(default)]
    pub waits: bool,
}

/// Work that could be done after the answer; then it is a job's payload.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Milliseconds.
    pub ms: f64,
    /// It computes, and doesn't wait for somebody else's server.
    #[serde(default)]
    pub computes: bool,
}

fn get() -> String {
    "GET".to_owned()
}

const fn one() -> u32 {
    1
}

const fn bytes() -> u32 {
    2_000
}

const fn near() -> f64 {
    10.0
}

impl Definition {
    /// The scenario of that name.
    ///
    /// # Errors
    /// There is none, or its file has another form.
    pub fn read(name: &str) -> Result<Self, Reason> {
        let is_name = !name.is_empty() && name.chars().all(|one| one.is_ascii_lowercase() || one == '-');
        let path = Path::new(FOLDER).join(format!("{name}.toml"));
        if !is_name || !path.is_file() {
            let known = Self::names()?.join(", ");
            return Err(Reason::new(&format!("there is no scenario `{name}`; there are: {known}")));
        }
        let text = fs::read_to_string(&path)?;
        let digest = Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let read = toml::from_str(&text).map_err(Reason::from);
        let definition = read.and_then(|read| Self { name: name.to_owned(), digest, ..read }.checked());
        definition.map_err(|why| Reason::new(&format!("{}: {why}", path.display())))
    }

    /// The names of all.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn names() -> Result<Vec<String>, Reason> {
        let mut names = Vec::new();
        for file in fs::read_dir(FOLDER)? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where what is recorded of it lies.
    pub fn record_file(&self) -> PathBuf {
        Path::new(FOLDER).join("recorded").join(format!("{}.json", self.name))
    }

    /// What the advisor says of it is not told while rules are written, only whether it is right: half
    /// of all are for seeing whether the rules hold for what they weren't made for. What is true of it is
    /// told, or its file could not be written. By the hash of the name (FNV-1a, its highest bit).
    pub fn is_held_out(&self) -> bool {
        let hash = self
            .name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        hash >> 31 == 1
    }

    /// What could be added: a tool that has nothing to work on changes nothing.
    pub fn applicable(&self) -> Vec<Tool> {
        let has = |test: fn(&Route) -> bool| self.routes.iter().any(test);
        let can = |tool: &Tool| match tool {
            Tool::Cdn => has(Route::is_file),
            Tool::Cache => has(|route| route.method == "GET" && !route.is_file()),
            Tool::LoadBalancer => true,
            Tool::Index | Tool::ReadReplica | Tool::Pool => self.database.is_some(),
            Tool::Queue => has(|route| route.after.is_some()),
        };
        Tool::ALL.into_iter().filter(can).collect()
    }

    fn checked(self) -> Result<Self, Reason> {
        let rows = self.database.iter().flat_map(|database| [database.cpus, database.rows, database.users]);
        if rows.chain([self.cpus]).chain(self.routes.iter().map(|route| route.keys)).any(|count| count == 0) {
            return Err(Reason::new("a number of CPUs, rows, users or keys is 0"));
        }
        for route in &self.routes {
            if !(route.rate > 0.0 && route.rate < 10_000.0 && route.within_ms > 0.0) {
                return Err(Reason::new(&format!("{}: a rate or a time is out of range", route.path)));
            }
            if route.path.contains("{}") != (route.keys > 1) {
                return Err(Reason::new(&format!("{}: a path with {{}} has several keys", route.path)));
            }
            if self.database.is_none() && !route.statements.is_empty() {
                return Err(Reason::new(&format!("{}: asks a database, and there is none", route.path)));
            }
        }
        match self.applicable().contains(&self.tool) {
            true => Ok(self),
            false => Err(Reason::new("it has nothing that its tool could work on")),
        }
    }
}

impl Route {
    /// A file that is the same for all, until another one has another name.
    pub fn is_file(&self) -> bool {
        self.path.rsplit('/').next().is_some_and(|name| name.contains('.'))
    }

    /// The target of a key.
    pub fn target(&self, key: u32) -> String {
        self.path.replace("{}", &key.to_string())
    }

    /// The key of a target of this route.
    pub fn key(&self, method: &str, target: &str) -> Option<u32> {
        if method != self.method {
            return None;
        }
        match self.path.split_once("{}") {
            Some((before, behind)) => target.strip_prefix(before)?.strip_suffix(behind)?.parse().ok(),
            None => (target == self.path).then_some(0),
        }
    }

    /// How often something has to go to a reader and back until an answer is there: windows double
    /// from ten segments of 1,460 bytes (RFC 6928, section 2; RFC 5681, section 3.1).
    pub fn rounds(&self) -> f64 {
        (f64::from(self.bytes) / 14_600.0 + 1.0).log2().ceil().max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn all() -> Vec<Definition> {
        Definition::names().unwrap().iter().map(|name| Definition::read(name).unwrap()).collect()
    }

    #[test]
    fn each_tool_has_what_needs_it_what_does_not_yet_and_decoys() {
        let mut count = BTreeMap::new();
        for definition in all() {
            *count.entry((definition.tool, format!("{:?}", definition.kind))).or_insert(0) += 1;
        }
        for tool in Tool::ALL {
            for kind in [Kind::Needed, Kind::NotYet, Kind::Decoy] {
                let count = count.get(&(tool, format!("{kind:?}"))).copied().unwrap_or_default();
                assert!(count >= 2, "{tool:?} {kind:?}: {count}");
            }
        }
    }

    #[test]
    fn about_half_of_them_are_held_out() {
        let all = all();
        let held_out = all.iter().filter(|definition| definition.is_held_out()).count();
        assert!(
            held_out * 10 >= all.len() * 4 && held_out * 10 <= all.len() * 6,
            "{held_out} of {}",
            all.len()
        );
    }

    #[test]
    fn a_target_belongs_to_its_route() {
        let route = |path: &str, keys| Route {
            method: get(),
            path: path.to_owned(),
            rate: 1.0,
            keys,
            bytes: 300_000,
            answer: Answer::Own,
            compute_ms: 0.0,
            statements: Vec::new(),
            after: None,
            within_ms: 100.0,
        };
        let photos = route("/photos/{}.jpg", 5);
        assert_eq!(photos.key("GET", &photos.target(3)), Some(3));
        assert_eq!(photos.key("GET", "/photos/x.jpg"), None);
        assert_eq!(photos.key("POST", "/photos/3.jpg"), None);
        assert!(photos.is_file() && !route("/v1.0/things", 1).is_file());
        assert_eq!(route("/things", 1).key("GET", "/things"), Some(0));
        assert!((photos.rounds() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_scenario_is_refused_with_those_there_are() {
        for name in ["pond", "../Cargo", ""] {
            let why = Definition::read(name).unwrap_err().to_string();
            assert!(why.contains("there is no scenario") && why.contains("cache-front-page"), "{why}");
        }
    }
}
