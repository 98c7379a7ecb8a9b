//! What earlier builds have served: kept for those who have their pages still open, and to be
//! told as a difference to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidewall_api::manifest::{Encodings, Kept};

use crate::failure::{Failure, IoContext};

/// How many builds are kept, the current one among them.
const BUILDS_MAX: usize = 20;
/// To how many earlier contents of a file there are differences.
const DELTAS_MAX: usize = 3;

/// The record beside a site. The files themselves lie in the site.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Releases {
    /// What has made the compressed files.
    pub(super) encoder: String,
    /// The newest first.
    builds: Vec<Release>,
}

/// What one build has served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Release {
    build: String,
    /// By path.
    assets: BTreeMap<String, Named>,
    /// Files of its pages.
    #[serde(default)]
    pages: Vec<String>,
}

/// An asset, and what its author calls it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) kept: Kept,
}

impl Releases {
    /// Reads the record of the site in `folder`. Without one, or with one that can't be read,
    /// nothing is known of earlier builds.
    pub(super) fn read(folder: &Path) -> Self {
        let read = fs::read(path(folder)).ok();
        read.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// The folder can't be written to.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Failure::new(format!("cannot write what was built: {error}")))?;
        let path = path(folder);
        let partial = path.with_extension("partial");
        fs::write(&partial, json).or_fail("write", &partial)?;
        fs::rename(&partial, &path).or_fail("write", &path)
    }

    /// Puts a build on record as the current one.
    pub(super) fn add(&mut self, build: &str, assets: BTreeMap<String, Named>, pages: Vec<String>) {
        self.builds.retain(|release| release.build != build);
        self.builds.insert(0, Release { build: build.to_owned(), assets, pages });
        self.builds.truncate(BUILDS_MAX);
    }

    /// Assets of earlier builds, by path, without those of the current one.
    pub(super) fn kept(&self) -> BTreeMap<String, Kept> {
        let Some((current, earlier)) = self.builds.split_first() else { return BTreeMap::new() };
        let all = earlier.iter().flat_map(|release| &release.assets);
        all.filter(|(path, _)| !current.assets.contains_key(*path))
            .map(|(path, named)| (path.clone(), named.kept.clone()))
            .collect()
    }

    /// Files of the pages of all builds.
    pub(super) fn pages(&self) -> impl Iterator<Item = &str> {
        self.builds.iter().flat_map(|release| &release.pages).map(String::as_str)
    }

    /// Forgets assets of which not all the files are there.
    pub(super) fn keep_only(&mut self, is_there: impl Fn(&str, &Encodings) -> bool) {
        for release in &mut self.builds {
            release.assets.retain(|path, named| is_there(path, &named.kept.file.encodings));
        }
    }

    /// Paths of earlier contents of the file called `name`, the newest first.
    pub(super) fn earlier<'a>(&'a self, name: &str, path: &str) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        for (other, named) in self.builds.iter().flat_map(|release| &release.assets) {
            if named.name == name && other != path && !found.contains(&other.as_str()) {
                found.push(other);
            }
        }
        found.truncate(DELTAS_MAX);
        found
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.with_extension("releases.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets(paths: &[&str]) -> BTreeMap<String, Named> {
        let named = |path: &&str| {
            let name = path.split('.').next().unwrap_or_default().to_owned();
            ((*path).to_owned(), Named { name, kept: Kept::default() })
        };
        paths.iter().map(named).collect()
    }

    #[test]
    fn what_only_earlier_builds_have_is_kept() {
        let mut releases = Releases::default();
        releases.add("1", assets(&["a.1", "b.1"]), Vec::new());
        releases.add("2", assets(&["a.2", "b.1"]), Vec::new());
        assert_eq!(releases.kept().into_keys().collect::<Vec<_>>(), ["a.1"]);
    }

    #[test]
    fn a_build_that_comes_again_is_the_current_one() {
        let mut releases = Releases::default();
        releases.add("1", assets(&["a.1"]), Vec::new());
        releases.add("2", assets(&["a.2"]), Vec::new());
        releases.add("1", assets(&["a.1"]), Vec::new());
        assert_eq!(releases.kept().into_keys().collect::<Vec<_>>(), ["a.2"]);
    }

    #[test]
    fn what_is_not_there_any_more_is_forgotten() {
        let mut releases = Releases::default();
        releases.add("1", assets(&["a.1", "b.1"]), vec!["/pages/x.1.html".to_owned()]);
        releases.add("2", assets(&["a.2"]), vec!["/pages/x.2.html".to_owned()]);
        releases.keep_only(|path, _| path != "b.1");
        assert_eq!(releases.kept().into_keys().collect::<Vec<_>>(), ["a.1"]);
        assert_eq!(releases.pages().collect::<Vec<_>>(), ["/pages/x.2.html", "/pages/x.1.html"]);
    }

    #[test]
    fn twenty_builds_are_kept() {
        let mut releases = Releases::default();
        for build in 0..30 {
            releases.add(&build.to_string(), assets(&[&format!("a.{build}")]), Vec::new());
        }
        let kept = releases.kept();
        assert_eq!(kept.len(), BUILDS_MAX - 1);
        assert!(kept.contains_key("a.10") && !kept.contains_key("a.9"));
    }

    #[test]
    fn the_newest_contents_come_first() {
        let mut releases = Releases::default();
        for build in 0..6 {
            releases.add(
                &build.to_string(),
                assets(&[&format!("a.{build}"), &format!("b.{build}")]),
                Vec::new(),
            );
        }
        assert_eq!(releases.earlier("a", "a.6"), ["a.5", "a.4", "a.3"]);
        assert_eq!(releases.earlier("a", "a.5"), ["a.4", "a.3", "a.2"]);
    }
}
