//! Entity tags: RFC 9110, section 8.8.3.

/// Whether this is an entity tag, and so fit for a condition.
pub fn is_entity_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte == 0x21 || (byte >= 0x23 && byte != 0x7f)))
}

/// Whether equal bytes are not promised by it.
pub fn is_weak(tag: &str) -> bool {
    tag.starts_with("W/")
}

/// Same bytes; section 8.8.3.2.
pub fn strongly_equal(one: &str, other: &str) -> bool {
    !is_weak(one) && one == other
}

/// Same meaning; section 8.8.3.2.
pub fn weakly_equal(one: &str, other: &str) -> bool {
    one.strip_prefix("W/").unwrap_or(one) == other.strip_prefix("W/").unwrap_or(other)
}

/// Whether an `If-None-Match` names `tag`, by weak comparison, or is `*`; section 13.1.2.
pub fn is_named(if_none_match: &str, tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    if_none_match.trim() == "*" || opaque_tags(if_none_match).any(|candidate| candidate == opaque)
}

/// The opaque tags of a list, quotes included; a comma may stand inside one.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.find('"')?;
        let length = rest[start + 1..].find('"')? + 2;
        let tag = &rest[start..start + length];
        rest = &rest[start + length..];
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_strongly() {
        let check = |one, other, weakly, strongly| {
            assert_eq!(weakly_equal(one, other), weakly, "{one} {other}");
            assert_eq!(strongly_equal(one, other), strongly, "{one} {other}");
        };
        check(r#"W/"1""#, r#"W/"1""#, true, false);
        check(r#"W/"1""#, r#"W/"2""#, false, false);
        check(r#"W/"1""#, r#""1""#, true, false);
        check(r#""1""#, r#"W/"1""#, true, false);
        check(r#""1""#, r#""1""#, true, true);
    }

    #[test]
    fn a_tag_is_quoted() {
        for tag in [r#""""#, r#""a""#, r#"W/"a""#, r#""a,b""#] {
            assert!(is_entity_tag(tag), "{tag}");
        }
        for other in ["", "a", r#"""#, r#"w/"a""#, r#""a"b""#, r#""a b""#, r#"W/a"#, r#""a"#] {
            assert!(!is_entity_tag(other), "{other}");
        }
    }

    #[test]
    fn a_tag_is_named_alone_in_a_list_and_weakly() {
        for list in [r#""abc""#, r#"W/"abc""#, r#""x", W/"y,z" ,"abc""#, r#""x\","abc""#, " * "] {
            assert!(is_named(list, r#""abc""#), "{list}");
            assert!(is_named(list, r#"W/"abc""#), "{list}");
        }
        for list in ["", r#""ab""#, "abc", r#""x"abc"y""#, r#""x,"abc""#, r#""abc"#] {
            assert!(!is_named(list, r#""abc""#), "{list}");
        }
    }

    #[test]
    fn long_lists_are_read_to_their_end() {
        for part in ["\"", "\"a\",", "W/", ",", "a"] {
            let list = part.repeat(100_000 / part.len());
            assert!(!is_named(&list, r#""abc""#) && !is_entity_tag(&format!("{list}\"")));
        }
    }

    proptest! {
        #[test]
        fn a_tag_is_found_wherever_a_list_names_it(
            before in prop::collection::vec("(W/)?\"[a-z,]{0,3}\"", 0..4),
            tag in "(W/)?\"[a-z,]{0,3}\"",
            after in "(,|\"|a| |W/|\\\\|é){0,8}",
        ) {
            let list = [&before[..], &[tag.clone(), after]].concat().join(", ");
            prop_assert!(is_named(&list, &tag) && is_entity_tag(&tag));
        }

        #[test]
        fn no_list_names_what_is_not_in_it(list in "(\"|abc|x|,| |W/|\\*|\\\\|é|\0){0,12}") {
            if is_named(&list, r#""abc""#) {
                prop_assert!(list.contains(r#""abc""#) || list.trim() == "*", "{list}");
            }
        }

        #[test]
        fn no_tag_ends_a_field(tag in "(W/)?\"([!-~]|é|\r|\n|\0| ){0,6}\"") {
            prop_assert!(!is_entity_tag(&tag) || !tag.contains(|c: char| c.is_ascii_control() || c == ' '));
        }
    }
}
