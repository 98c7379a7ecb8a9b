//! Which build named which asset last, and what goes.

use std::time::Duration;

use crate::time::Timestamp;

/// Builds whose assets stay, however long ago they were served.
pub const BUILDS_MIN: usize = 20;
/// For how long those of any build stay once it isn't served any more.
pub const STAY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A build that was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Its turn: a build that is served again has a new one.
    pub turn: u64,
    /// When another took its place.
    pub until: Timestamp,
}

/// An asset that a build named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The turn of the last build that did.
    pub turn: u64,
    /// Whether it lies in KV with all of its forms.
    pub is_copied: bool,
}

/// All builds and assets that there is anything to remember of. Both are few enough for lists,
/// which cost the Worker less code than maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    builds: Vec<(String, Build)>,
    /// In the order of their paths.
    assets: Vec<(String, Named)>,
}

/// What is to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Builds that changed.
    pub builds: Vec<(String, Build)>,
    /// Builds that there is nothing left of.
    pub forgotten_builds: Vec<String>,
    /// Assets that changed, by path.
    pub assets: Vec<(String, Named)>,
    /// Assets that there is nothing left of.
    pub forgotten_assets: Vec<String>,
}

impl Ledger {
    /// A build as it was written down.
    pub fn restore_build(&mut self, name: String, build: Build) {
        self.builds.push((name, build));
    }

    /// An asset as it was written down; quickest in the order of their paths.
    pub fn restore_asset(&mut self, path: String, named: Named) {
        if let Err(place) = self.place(&path) {
            self.assets.insert(place, (path, named));
        }
    }

    /// `build` is served now, and names these assets.
    pub fn is_served<'a>(
        &mut self,
        build: &str,
        paths: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> Changes {
        let mut changes = Changes::default();
        let last = self.builds.iter_mut().max_by_key(|(_, build)| build.turn);
        let turn = match last {
            Some((name, last)) if name == build => last.turn,
            last => {
                let mut turn = 1;
                if let Some((name, last)) = last {
                    last.until = now;
                    turn += last.turn;
                    changes.builds.push((name.clone(), *last));
                }
                let served = (build.to_owned(), Build { turn, until: now });
                self.builds.retain(|(name, _)| name != build);
                self.builds.push(served.clone());
                changes.builds.push(served);
                turn
            }
        };
        for path in paths {
            match self.place(path) {
                Ok(place) => {
                    let named = &mut self.assets[place].1;
                    if named.turn == turn {
                        continue;
                    }
                    named.turn = turn;
                    changes.assets.push((path.to_owned(), *named));
                }
                Err(place) => {
                    let new = (path.to_owned(), Named { turn, is_copied: false });
                    self.assets.insert(place, new.clone());
                    changes.assets.push(new);
                }
            }
        }
        changes.forgotten_builds = self.forget_builds(now);
        changes
    }

    /// Whether an asset is in KV.
    pub fn has(&self, path: &str) -> bool {
        self.place(path).is_ok_and(|place| self.assets[place].1.is_copied)
    }

    /// An asset is in KV now.
    pub fn copied(&mut self, path: &str) -> Changes {
        let mut changes = Changes::default();
        if let Ok(place) = self.place(path) {
            self.assets[place].1.is_copied = true;
            changes.assets.push(self.assets[place].clone());
        }
        changes
    }

    /// An asset may not be whole in KV any more.
    pub fn begins_to_go(&mut self, path: &str) -> Changes {
        let mut changes = Changes::default();
        if let Ok(place) = self.place(path) {
            self.assets[place].1.is_copied = false;
            changes.assets.push(self.assets[place].clone());
        }
        changes
    }

    /// The assets that no build needs any more. One stays while one of the last
    /// [`BUILDS_MIN`] builds names it, or the last build that does was served within [`STAY`].
    pub fn gone(&self, now: Timestamp) -> Vec<String> {
        let stay = self.turns_that_stay(now);
        let is_gone = |(_, named): &&(String, Named)| !stay.contains(&named.turn);
        self.assets.iter().filter(is_gone).map(|(path, _)| path.clone()).collect()
    }

    /// An asset is in KV no more.
    pub fn removed(&mut self, path: &str, now: Timestamp) -> Changes {
        let Ok(place) = self.place(path) else { return Changes::default() };
        let forgotten_assets = vec![self.assets.remove(place).0];
        let forgotten_builds = self.forget_builds(now);
        Changes { forgotten_assets, forgotten_builds, ..Changes::default() }
    }

    /// Forgets the builds that make no difference any more.
    fn forget_builds(&mut self, now: Timestamp) -> Vec<String> {
        let mut turns = self.turns_that_stay(now);
        turns.extend(self.assets.iter().map(|(_, named)| named.turn));
        let mut forgotten = Vec::new();
        self.builds.retain(|(name, build)| {
            let is_kept = turns.contains(&build.turn);
            if !is_kept {
                forgotten.push(name.clone());
            }
            is_kept
        });
        forgotten
    }

    fn turns_that_stay(&self, now: Timestamp) -> Vec<u64> {
        let is_later = |than: &Build| self.builds.iter().filter(|(_, build)| build.turn > than.turn).count();
        let stays = |build: &Build| now.since(build.until) <= STAY || is_later(build) < BUILDS_MIN;
        self.builds.iter().filter(|(_, build)| stays(build)).map(|(_, build)| build.turn).collect()
    }

    /// Where an asset is, or would be.
    fn place(&self, path: &str) -> Result<usize, usize> {
        self.assets.binary_search_by(|(known, _)| known.as_str().cmp(path))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn at(days: u64) -> Timestamp {
        Timestamp::from_millis(days * DAY * 1_000)
    }

    /// Builds of one asset each, one a day; the build of day n is `n`, its asset `/n`.
    fn days(days: std::ops::Range<u64>) -> Ledger {
        let mut ledger = Ledger::default();
        for day in days {
            ledger.is_served(&day.to_string(), [&*format!("/{day}"), "/always"], at(day));
        }
        ledger
    }

    #[test]
    fn what_one_of_the_last_builds_names_stays_for_ever() {
        let ledger = days(0..20);
        assert_eq!(ledger.gone(at(10_000)), [""; 0]);
        let ledger = days(0..21);
        assert_eq!(ledger.gone(at(10_000)), ["/0"]);
    }

    #[test]
    fn what_was_served_within_the_last_days_stays() {
        // The build of day 0 was served until day 1.
        let ledger = days(0..25);
        assert_eq!(ledger.gone(at(31)), [""; 0]);
        assert_eq!(ledger.gone(at(32)), ["/0"]);
        assert_eq!(ledger.gone(at(34)), ["/0", "/1", "/2"]);
    }

    #[test]
    fn what_a_later_build_names_as_well_stays_with_that() {
        assert!(!days(0..100).gone(at(10_000)).contains(&"/always".to_owned()));
    }

    #[test]
    fn what_was_removed_in_part_is_copied_again() {
        let mut ledger = days(0..1);
        ledger.copied("/0");
        assert!(ledger.has("/0"));
        let changes = ledger.begins_to_go("/0");
        assert_eq!(changes.assets, [("/0".to_owned(), Named { turn: 1, is_copied: false })]);
        assert!(!ledger.has("/0"));
    }

    #[test]
    fn a_build_that_is_served_again_is_the_last() {
        let mut ledger = days(0..60);
        let changes = ledger.is_served("0", ["/0", "/always"], at(60));
        assert_eq!(changes.builds[1], ("0".to_owned(), Build { turn: 61, until: at(60) }));
        assert_eq!(changes.assets.len(), 2);
        assert!(!ledger.gone(at(10_000)).contains(&"/0".to_owned()));
        assert!(ledger.gone(at(10_000)).contains(&"/40".to_owned()));
        assert!(!ledger.gone(at(10_000)).contains(&"/41".to_owned()));
    }

    #[test]
    fn being_served_on_changes_nothing() {
        let mut ledger = days(0..3);
        assert_eq!(ledger.is_served("2", ["/2", "/always"], at(9)), Changes::default());
        // A file that was not noted is.
        assert_eq!(ledger.is_served("2", ["/2", "/new"], at(9)).assets.len(), 1);
    }

    #[test]
    fn what_is_removed_is_copied_again_when_a_build_names_it_again() {
        let mut ledger = days(0..21);
        ledger.copied("/0");
        assert!(ledger.has("/0"));
        let changes = ledger.removed("/0", at(10_000));
        assert_eq!(
            (changes.forgotten_assets, changes.forgotten_builds),
            (vec!["/0".into()], vec!["0".into()])
        );
        ledger.is_served("0", ["/0"], at(10_000));
        assert!(!ledger.has("/0"));
    }

    #[test]
    fn a_build_that_nothing_is_left_of_is_forgotten() {
        let mut ledger = Ledger::default();
        for day in 0..100 {
            ledger.is_served(&day.to_string(), ["/always"], at(day));
        }
        // The one of day 68 was served until 30 days ago.
        assert_eq!(ledger.builds.len(), 32);
    }

    #[test]
    fn what_was_copied_stays_so_with_the_next_build() {
        let mut ledger = days(0..1);
        ledger.copied("/always");
        ledger.is_served("1", ["/always"], at(1));
        assert!(ledger.has("/always"));
        assert_eq!(ledger.copied("/unknown"), Changes::default());
    }

    /// What was served from when on, by number of a build, whose assets are known.
    fn history() -> impl Strategy<Value = (Vec<BTreeSet<u8>>, Vec<(usize, u64)>)> {
        let builds = prop::collection::vec(prop::collection::btree_set(0_u8..40, 0..5), 1..45);
        builds.prop_flat_map(|builds| {
            let turns = prop::collection::vec((0..builds.len(), 0_u64..6), 0..80);
            (Just(builds), turns)
        })
    }

    proptest! {
        /// Told by the rule alone, over all that was ever served.
        #[test]
        fn nothing_goes_that_a_kept_build_names((builds, turns) in history(), later in 0_u64..60, prunes: bool) {
            let mut ledger = Ledger::default();
            let mut written = (BTreeMap::new(), BTreeMap::new());
            let write = |written: &mut (BTreeMap<String, _>, BTreeMap<String, _>), changes: Changes| {
                written.0.extend(changes.builds);
                written.1.extend(changes.assets);
                written.0.retain(|name, _| !changes.forgotten_builds.contains(name));
                written.1.retain(|path, _| !changes.forgotten_assets.contains(path));
            };
            let (mut day, mut served) = (0, Vec::<(usize, u64)>::new());
            for (build, pause) in turns {
                day += pause;
                let paths: Vec<_> = builds[build].iter().map(|path| format!("/{path}")).collect();
                let changes = ledger.is_served(&build.to_string(), paths.iter().map(String::as_str), at(day));
                write(&mut written, changes);
                if served.last().is_none_or(|(last, _)| *last != build) {
                    if let Some((_, until)) = served.last_mut() {
                        *until = day;
                    }
                    served.push((build, day));
                }
                if prunes {
                    for path in ledger.gone(at(day)) {
                        write(&mut written, ledger.removed(&path, at(day)));
                    }
                }
            }
            let now = day + later;
            // The last time that each was served, the latest first.
            let mut last = Vec::<(usize, u64)>::new();
            for (build, until) in served.iter().rev() {
                if !last.iter().any(|(known, _)| known == build) {
                    last.push((*build, *until));
                }
            }
            let stays = |path: u8| {
                let mut naming = last.iter().enumerate().filter(|(_, (build, _))| builds[*build].contains(&path));
                naming.next().is_some_and(|(place, (_, until))| place < BUILDS_MIN || now - until <= 30)
            };
            let gone = ledger.gone(at(now));
            for path in 0_u8..40 {
                let name = format!("/{path}");
                if stays(path) {
                    prop_assert!(!gone.contains(&name), "{name} is gone");
                    prop_assert!(ledger.place(&name).is_ok(), "{name} was removed");
                } else {
                    prop_assert!(gone.contains(&name) || ledger.place(&name).is_err(), "{name} stays");
                }
            }
            ledger.builds.sort_by(|(one, _), (other, _)| one.cmp(other));
            let mut restored = Ledger::default();
            written.0.into_iter().for_each(|(name, build)| restored.restore_build(name, build));
            written.1.into_iter().for_each(|(path, named)| restored.restore_asset(path, named));
            prop_assert_eq!(restored, ledger);
        }
    }
}
