//! The body of `/_tidewall/purge`: checked, and made what is appended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidewall_api::purge::Purge;

use crate::cache::groups::GROUP_BYTES_MAX;
use crate::cache::target::{normal_escapes, without_dots};
use crate::control::entry::{Scope, Severity};
use crate::control::log::Append;

/// Most names in one purge. One that has more to say says it in several.
const NAMES_MAX: usize = 1_000;
/// Longest name in bytes.
const NAME_BYTES_MAX: usize = GROUP_BYTES_MAX;

/// Why a purge is refused: what is wrong with each field.
pub type Refused = BTreeMap<String, String>;

/// Checks a purge.
///
/// # Errors
/// It names nothing, too much, or what can't be meant.
pub fn append(purge: Purge) -> Result<Append, Refused> {
    let mut refused = Refused::new();
    let lists = [("groups", &purge.groups), ("paths", &purge.paths), ("prefixes", &purge.prefixes)];
    let names = lists.iter().map(|(_, names)| names.len()).sum::<usize>();
    if names == 0 && !purge.all {
        refused
            .insert("groups".to_owned(), "name groups, paths or prefixes, or say \"all\": true".to_owned());
    }
    if names > NAMES_MAX {
        // Each by itself could be told at far greater length than it has.
        return Err([("groups".to_owned(), format!("{names} names: {NAMES_MAX} are the most"))].into());
    }
    for (field, names) in lists {
        for (index, name) in names.iter().enumerate() {
            if let Some(problem) = problem(field, name) {
                refused.insert(format!("{field}[{index}]"), problem.to_owned());
            }
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }

    let groups = purge.groups.into_iter().map(Scope::Group);
    let paths = purge.paths.iter().map(|path| Scope::Path(as_in_urls(path)));
    let prefixes = purge.prefixes.iter().map(|prefix| Scope::Prefix(as_in_urls(prefix)));
    let mut scopes: Vec<Scope> = groups.chain(paths).chain(prefixes).collect();
    if purge.all {
        scopes.push(Scope::All);
    }
    scopes.sort();
    scopes.dedup();
    let severity = if purge.soft { Severity::Soft } else { Severity::Hard };
    Ok(Append { scopes, severity, lsn: purge.lsn, write: purge.write })
}

fn problem(field: &str, name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES_MAX {
        return Some("is longer than 2048 bytes");
    }
    if field == "groups" {
        return name.is_empty().then_some("is empty");
    }
    if !name.starts_with('/') {
        return Some("must begin with /, without scheme and host");
    }
    name.contains(['?', '#']).then_some("must be a path alone: it covers all its queries")
}

/// A path as it stands in a URL that was parsed, with which it is compared: without
/// dots, what isn't ASCII percent-encoded (WHATWG URL, "path percent-encode set"), and
/// escapes written in one way.
fn as_in_urls(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for character in path.chars() {
        if character.is_ascii_graphic() && !"\"<>^`{}".contains(character) {
            encoded.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a String can't fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    without_dots(&normal_escapes(&encoded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    fn read(json: &str) -> Result<Append, Refused> {
        append(serde_json::from_str(json).unwrap())
    }

    fn check(json: &str, scopes: &[Scope]) {
        assert_eq!(read(json).unwrap().scopes, scopes, "{json}");
    }

    fn refused(json: &str, field: &str) {
        assert!(read(json).unwrap_err().contains_key(field), "{json}");
    }

    #[test]
    fn a_purge_names_what_it_is_about() {
        check(r#"{"groups":["b","a","b"]}"#, &[Scope::Group("a".into()), Scope::Group("b".into())]);
        check(
            r#"{"paths":["/a"],"prefixes":["/b"]}"#,
            &[Scope::Path("/a".into()), Scope::Prefix("/b".into())],
        );
        check(r#"{"all":true}"#, &[Scope::All]);
        let soft = read(r#"{"all":true,"soft":true,"lsn":7,"write":9}"#).unwrap();
        assert_eq!((soft.severity, soft.lsn, soft.write), (Severity::Soft, Some(7), Some(9)));
    }

    #[test]
    fn paths_are_compared_as_urls_have_them() {
        let check = |path: &str, expected: &str| assert_eq!(as_in_urls(path), expected);
        check("/a b/ü", "/a%20b/%C3%BC");
        check("/a%20b", "/a%20b");
        check("/a/../b/.", "/b/");
        check("/a//b", "/a//b");
        check("//a", "//a");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        refused("{}", "groups");
        refused(r#"{"all":false}"#, "groups");
        refused(r#"{"groups":["a",""]}"#, "groups[1]");
        refused(r#"{"paths":["a"]}"#, "paths[0]");
        refused(r#"{"paths":["http://h/a"]}"#, "paths[0]");
        refused(r#"{"paths":["/a?b"]}"#, "paths[0]");
        refused(r#"{"prefixes":[""]}"#, "prefixes[0]");
        let many: Vec<String> = (0..=NAMES_MAX).map(|n| format!("\"{n}\"")).collect();
        refused(&format!("{{\"groups\":[{}]}}", many.join(",")), "groups");
    }

    #[test]
    fn a_refusal_names_no_more_than_a_purge_may() {
        let purge = Purge { paths: vec![String::new(); 100 * NAMES_MAX], ..Purge::default() };
        assert!(append(purge).unwrap_err().len() <= NAMES_MAX);
    }

    #[test]
    fn long_names_are_read_to_their_end() {
        for name in long_values() {
            let path = as_in_urls(&name);
            assert_eq!(as_in_urls(&path), path);
        }
    }

    proptest! {
        #[test]
        fn no_body_whatever_makes_reading_panic(
            bytes: Vec<u8>,
            json in "(\\{|\\}|\\[|\\]|:|,|\"(groups|paths|all|lsn|soft|write|/a)\"|true|null|-|[0-9]{1,21}){0,16}",
        ) {
            for body in [bytes, json.into_bytes()] {
                let _ = serde_json::from_slice(&body).map(append);
            }
        }

        #[test]
        fn what_is_purged_is_named_as_urls_have_it(
            names in prop::collection::vec("(/|\\.|\\.\\.|%|[0-9a-f]{2}|é|\r|\n|\0| |a|\\\\){0,12}", 0..6),
        ) {
            let paths: Vec<_> = names.iter().map(|name| format!("/{name}")).collect();
            let purge = Purge { prefixes: paths.clone(), paths, all: true, ..Purge::default() };
            let scopes = append(purge).unwrap().scopes;
            prop_assert!(scopes.len() <= 2 * names.len() + 1);
            for scope in scopes {
                let (Scope::Path(path) | Scope::Prefix(path)) = scope else { continue };
                prop_assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
                prop_assert_eq!(as_in_urls(&path), path);
            }
        }
    }
}
