//! What a write makes invalid.

use tidewall_api::purge::Purge;

use crate::cache_group;

/// Which stored responses are out of date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalidation {
    /// Without a position and a write: those are known later.
    purge: Purge,
}

impl Invalidation {
    /// Those of any of these cache groups.
    pub fn of_groups<G: AsRef<str>>(groups: impl IntoIterator<Item = G>) -> Self {
        let mut invalidation = Self::default();
        for group in groups {
            add(&mut invalidation.purge.groups, cache_group::encode(group.as_ref()));
        }
        invalidation
    }

    /// All there are.
    pub fn of_everything() -> Self {
        Self { purge: Purge { all: true, ..Purge::default() } }
    }

    /// And those of this path, with all its queries and variants.
    #[must_use]
    pub fn and_path(mut self, path: impl Into<String>) -> Self {
        add(&mut self.purge.paths, path.into());
        self
    }

    /// And those of all paths that begin so.
    #[must_use]
    pub fn and_prefix(mut self, prefix: impl Into<String>) -> Self {
        add(&mut self.purge.prefixes, prefix.into());
        self
    }

    /// They are stale, but still of use while they are revalidated or their origin fails.
    #[must_use]
    pub fn softly(mut self) -> Self {
        self.purge.soft = true;
        self
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        !self.purge.all && self.has_groups_only() && self.purge.groups.is_empty()
    }

    /// As the edge is told, less position and write.
    pub(super) fn purge(&self) -> &Purge {
        &self.purge
    }

    fn has_groups_only(&self) -> bool {
        let Purge { groups: _, paths, prefixes, all, lsn: _, soft: _, write: _ } = &self.purge;
        paths.is_empty() && prefixes.is_empty() && !all
    }
}

fn add(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// An invalidation that was written down, as far as it had to be: the one source for the
/// write's answer, so that this never names anything else than the row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the write's answer tells it, too"]
pub struct Invalidated {
    invalidation: Invalidation,
    write: Option<u64>,
}

/// What the answer to a write says of its invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InBand<'a> {
    /// Groups that are invalid, as fields carry them.
    pub groups: &'a [String],
    /// The write, if saying all of this again would change nothing.
    pub write: Option<u64>,
}

impl Invalidated {
    pub(crate) fn new(invalidation: Invalidation, write: Option<u64>) -> Self {
        Self { invalidation, write }
    }

    /// What the write's answer says. Fields have no words for paths and for a soft
    /// invalidation. Those are told by the row alone, which must then not pass for
    /// a repetition: the answer doesn't name the write.
    pub fn in_band(&self) -> InBand<'_> {
        let Self { invalidation, write } = self;
        if invalidation.purge.soft {
            return InBand { groups: &[], write: None };
        }
        let write = write.filter(|_| invalidation.has_groups_only());
        InBand { groups: &invalidation.purge.groups, write }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_once_and_as_fields_carry_them() {
        let invalidation = Invalidation::of_groups(["a", "bücher", "a"]);
        assert_eq!(invalidation.purge().groups, ["a", "b%C3%BCcher"]);
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(Invalidation::of_groups([""; 0]).is_empty());
        assert!(Invalidation::of_groups([""; 0]).softly().is_empty());
        assert!(!Invalidation::of_groups(["a"]).is_empty());
        assert!(!Invalidation::of_everything().is_empty());
        assert!(!Invalidation::default().and_path("/a").is_empty());
        assert!(!Invalidation::default().and_prefix("/a").is_empty());
    }

    fn check(invalidation: Invalidation, groups: &[&str], write: Option<u64>) {
        let invalidated = Invalidated::new(invalidation, Some(7));
        let in_band = invalidated.in_band();
        assert_eq!((in_band.groups, in_band.write), (&strings(groups)[..], write), "{invalidated:?}");
    }

    fn strings(groups: &[&str]) -> Vec<String> {
        groups.iter().map(|&group| group.to_owned()).collect()
    }

    #[test]
    fn the_answer_names_the_write_only_if_it_says_all_that_the_row_says() {
        check(Invalidation::of_groups(["a", "b"]), &["a", "b"], Some(7));
        check(Invalidation::of_groups(["a"]).and_path("/x"), &["a"], None);
        check(Invalidation::of_groups(["a"]).and_prefix("/x"), &["a"], None);
        check(Invalidation::of_everything(), &[], None);
        check(Invalidation::of_groups(["a"]).softly(), &[], None);
        let unnamed = Invalidated::new(Invalidation::of_groups(["a"]), None);
        assert_eq!(unnamed.in_band().write, None);
    }
}
