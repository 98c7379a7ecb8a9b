//! Cache groups: RFC 9875.

use sfv::{BareItem, List, ListEntry, Parser};
use tidewall_api::headers::{CACHE_GROUP_INVALIDATION, CACHE_GROUPS};

use crate::fields::Fields;

/// Most groups of one response, and most that one answer invalidates. The RFC asks
/// for at least 32.
const GROUPS_MAX: usize = 256;
/// Longest name of a group in bytes, as of a purge. The RFC asks for at least 32.
pub const GROUP_BYTES_MAX: usize = 2_048;

/// A field that is no list of strings, or beyond the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenGroups;

/// The groups a response is in (section 2). A response whose groups can't be read must
/// not be stored: nobody could take it back.
pub fn of_response(response: &Fields) -> Result<Vec<String>, BrokenGroups> {
    read(response.get(CACHE_GROUPS))
}

/// The groups that the answer to an unsafe request invalidates (section 3).
pub fn invalidated(response: &Fields) -> Result<Vec<String>, BrokenGroups> {
    read(response.get(CACHE_GROUP_INVALIDATION))
}

fn read(value: Option<&str>) -> Result<Vec<String>, BrokenGroups> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let list: List = Parser::new(value).parse().map_err(|_| BrokenGroups)?;
    let mut groups = list.into_iter().map(name).collect::<Result<Vec<_>, _>>()?;
    groups.sort();
    groups.dedup();
    if groups.len() > GROUPS_MAX { Err(BrokenGroups) } else { Ok(groups) }
}

fn name(entry: ListEntry) -> Result<String, BrokenGroups> {
    match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(name) if name.as_str().len() <= GROUP_BYTES_MAX => Ok(name.into()),
            _ => Err(BrokenGroups),
        },
        ListEntry::InnerList(_) => Err(BrokenGroups),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    fn check(value: &str, expected: Result<&[&str], BrokenGroups>) {
        let mut fields = Fields::default();
        fields.set(CACHE_GROUPS, value);
        let groups = of_response(&fields);
        let expected = expected.map(|groups| groups.iter().map(|&group| group.to_owned()).collect());
        assert_eq!(groups, expected, "{value}");
    }

    #[test]
    fn groups_are_strings_compared_exactly() {
        check(r#""a""#, Ok(&["a"]));
        check(r#""b", "a" , "B""#, Ok(&["B", "a", "b"]));
        check(r#""a";x=1, "a""#, Ok(&["a"]));
        check("", Ok(&[]));
        assert_eq!(of_response(&Fields::default()), Ok(vec![]));
    }

    #[test]
    fn what_is_no_list_of_strings_is_broken() {
        for value in ["a", "1", "\"a", "(\"a\")", "\"a\", b", "?1", "\"a\",,"] {
            check(value, Err(BrokenGroups));
        }
    }

    #[test]
    fn groups_have_bounds_well_above_the_least() {
        let list = |count: usize| (0..count).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
        let groups = |count| {
            let mut fields = Fields::default();
            fields.set(CACHE_GROUPS, list(count));
            of_response(&fields).map(|groups| groups.len())
        };
        assert_eq!(groups(GROUPS_MAX), Ok(GROUPS_MAX));
        assert_eq!(groups(GROUPS_MAX + 1), Err(BrokenGroups));
        check(&format!("\"{}\"", "x".repeat(GROUP_BYTES_MAX + 1)), Err(BrokenGroups));
    }

    #[test]
    fn long_values_are_read_to_their_end() {
        for value in long_values() {
            let _ = read(Some(&value));
        }
    }

    proptest! {
        #[test]
        fn groups_that_are_written_are_read_again(names in prop::collection::btree_set("[ -~]{0,12}", 0..6)) {
            let quoted = |name: &String| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            let written = names.iter().map(quoted).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(read(Some(&written)), Ok(names.into_iter().collect()));
        }

        #[test]
        fn what_is_read_is_printable_and_each_once(value in "(\"|a|b|,| |;|=|1|\\(|\\)|\\\\|\t|é|\r|\0){0,24}") {
            if let Ok(groups) = read(Some(&value)) {
                prop_assert!(groups.windows(2).all(|two| two[0] < two[1]), "{groups:?}");
                prop_assert!(groups.iter().all(|group| group.bytes().all(|byte| (0x20..0x7f).contains(&byte))));
            }
        }
    }
}
